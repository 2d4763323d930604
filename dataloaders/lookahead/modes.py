"""How much look-ahead is allowed: `DATALOADERS_LOOKAHEAD`, and each loader's own setting."""

from __future__ import annotations

import os
from functools import cache
from typing import Final

from dataloaders.errors import ConfigurationError

ON: Final = "on"
EXPLICIT: Final = "explicit"
OFF: Final = "off"

SETTING: Final = "DATALOADERS_LOOKAHEAD"
_STRICTEST_FIRST: Final = (OFF, EXPLICIT, ON)


def checked_mode(name: str, value: object) -> str:
    """Returns a mode.

    Args:
        name: Where it is set, for the error.
        value: What is set there.

    Raises:
        ConfigurationError: It is no mode.
    """
    if value not in _STRICTEST_FIRST:
        raise ConfigurationError(name, "on, explicit or off", value)
    return str(value)


@cache
def default_mode() -> str:
    """Returns the mode that the environment sets for this process; it is read once."""
    return checked_mode(SETTING, os.environ.get(SETTING) or ON)


def stricter(one: str, other: str) -> str:
    """Returns the one of two modes that allows less."""
    return min(one, other, key=_STRICTEST_FIRST.index)
