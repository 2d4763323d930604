"""How much of the batching is in use: `DATALOADERS_MODE`, and what an application says itself."""

from __future__ import annotations

import logging
import os
from functools import cache
from typing import TYPE_CHECKING, Final

from .errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

ON: Final = "on"
SHADOW: Final = "shadow"
OFF: Final = "off"

MODES: Final = (ON, SHADOW, OFF)
SETTING: Final = "DATALOADERS_MODE"


def checked_mode(name: str, value: object) -> str:
    """Returns a mode.

    Args:
        name: Where it is set, for the error.
        value: What is set there.

    Raises:
        ConfigurationError: It is no mode.
    """
    if value not in MODES:
        raise ConfigurationError(name, "on, shadow or off", value)
    return str(value)


@cache
def default_mode() -> str:
    """Returns the mode that the environment sets for this process; it is read once."""
    return checked_mode(SETTING, os.environ.get(SETTING) or ON)


def mode_of(chosen: str | Callable[[], str | None] | None) -> str:
    """Returns the mode that an application has chosen for the request at hand.

    A choice that fails is none: the way back must not be what breaks a request.

    Args:
        chosen: A mode, or what returns one; None leaves it to the environment.
    """
    try:
        mode = chosen() if callable(chosen) else chosen
        return default_mode() if mode is None else checked_mode("The request's mode", mode)
    except Exception:
        # Once: the request after this one will fail in the same way.
        level = logging.DEBUG if _told else logging.ERROR
        _told[:] = [True]
        logger.log(level, "A request's mode cannot be told; it is the process's.", exc_info=True)
        return default_mode()


_told: list[bool] = []
