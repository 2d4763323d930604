"""Checks what an author declares, before the first call depends on it."""

from __future__ import annotations

from .errors import ConfigurationError


def check(setting: str, value: object, kinds: tuple[type, ...], expected: str) -> None:
    """Refuses what is no positive number.

    Args:
        setting: What is set, for the error.
        value: To what.
        kinds: The types of number that are one.
        expected: What they are called.

    Raises:
        ConfigurationError: It is none.
    """
    if not isinstance(value, kinds) or isinstance(value, bool) or not value > 0:  # type: ignore[operator]  # of numbers
        raise ConfigurationError(setting, expected, value)
