"""Loads the keys that were used most, before anybody asks for them."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from dataloaders.dispatch.loops import on_a_loop_of_its_own
from dataloaders.dispatch.workers import workers

if TYPE_CHECKING:
    from dataloaders.loader import DataLoader
    from dataloaders.scope import LoaderRegistry

logger = logging.getLogger(__name__)

PART: Final = 250
"""Keys that are loaded at once, so that a request has not long to wait for its own."""

PAUSE: Final = 0.02
"""Seconds after each part that are left to requests."""


def warm_soon(
    registry: LoaderRegistry, loader_class: type[DataLoader[Any, Any]], keys: list[Any]
) -> None:
    """Has a worker thread load keys, whatever comes of it."""
    with suppress(RuntimeError):  # the interpreter ends, or can start no thread
        workers().submit(_warm, registry, loader_class, keys)


def _warm(
    registry: LoaderRegistry, loader_class: type[DataLoader[Any, Any]], keys: list[Any]
) -> None:
    try:
        warm(registry, loader_class, keys, pause=PAUSE)
    except Exception as error:  # noqa: BLE001 - who needs the keys will ask for them, and get it
        logger.warning("%s is not warmed: %s", loader_class.__name__, error)


def warm(
    registry: LoaderRegistry,
    loader_class: type[DataLoader[Any, Any]],
    keys: list[Any],
    *,
    pause: float = 0.0,
) -> int:
    """Loads keys through the tiers of a loader class.

    Args:
        registry: What makes the loader.
        loader_class: Its class.
        keys: The keys; those that are none are left out.
        pause: Seconds to wait after each part of them.

    Returns:
        The number of keys that have a value.

    Raises:
        Exception: Whatever the source raises.
    """
    found = 0
    for start in range(0, len(keys), PART):
        part = keys[start : start + PART]
        with registry.scope() as scope:
            loader = scope.loader(loader_class).batched
            if loader.view is None:
                return found
            loader.view.is_warming = True
            proper = loader.proper_keys(part)
            values = (
                on_a_loop_of_its_own(loader.load_many, proper)
                if loader.is_async
                else loader.get_many(proper)
            )
        found += sum(value is not None for value in values)
        time.sleep(pause)
    return found
