"""How much is it to a caller, and how long does it wait: what its lookups do not say."""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, NamedTuple

from dataloaders.checks import check
from dataloaders.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextvars import Context


class Manner(NamedTuple):
    """How something is asked for.

    Attributes:
        priority: What has more goes first.
        until: When the caller stops waiting, by `time.monotonic()`; None if it is for the source.
    """

    priority: int = 0
    until: float | None = None


_USUAL: Final = Manner()
_manner: ContextVar[Manner] = ContextVar("dataloaders.remote.asking", default=_USUAL)


@contextmanager
def asking(*, priority: int | None = None, within: float | None = None) -> Iterator[None]:
    """Has what is asked for in its block go before other things, or wait for so long at most.

    For example, an order's quote before those of a screen, and not later than in half a second::

        with asking(priority=10, within=0.5):
            quote = quotes.get(key)

    Within another one it changes what it names; nobody waits longer than the outer one allows.

    Args:
        priority: What has more goes first; 0 is usual.
        within: Seconds, from now on and for the whole block.

    Raises:
        ConfigurationError: `priority` is no whole number, or `within` no positive one.
    """
    before = _manner.get()
    until = before.until
    if priority is not None and not isinstance(priority, int):
        raise ConfigurationError("priority", "a whole number", priority)
    if within is not None:
        check("within", within, (int, float), "a positive number of seconds")
        ends = time.monotonic() + within
        until = ends if until is None else min(ends, until)
    manner = Manner(before.priority if priority is None else priority, until)
    token = _manner.set(manner)
    try:
        yield
    finally:
        _manner.reset(token)


def manner_here() -> Manner:
    """Returns how this context asks."""
    return _manner.get()


def manner_in(context: Context) -> Manner:
    """Returns how another context asks."""
    return context.get(_manner) or _USUAL
