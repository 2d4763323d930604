"""Calls that are made at the same time, each with an outcome of its own."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from .workers import workers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from concurrent.futures import Future


async def gathered(awaitables: Sequence[Awaitable[Any]]) -> list[Any]:
    """Returns what each comes to: a value, or an exception in the place of one."""
    return await asyncio.gather(*awaitables, return_exceptions=True)


def called_together(calls: Sequence[Callable[[], Any]], *, here: bool) -> list[Any]:
    """Calls functions in worker threads, the last one in this; returns what each comes to.

    They see this context's variables. Whoever waits here may be holding a worker thread, so what
    none has begun by the time the last is done, is done here: nobody waits for a free one.

    Args:
        calls: The functions.
        here: Whether all of them have to be called in this thread, one after another.

    Raises:
        BaseException: What one has raised in this thread, if it is no `Exception`: an interrupt
            or a kill is for this thread. The others are not waited for then.
    """
    elsewhere = [] if here else calls[:-1]
    started = [_begun(call) for call in elsewhere]
    own = [_outcome(call) for call in calls[len(elsewhere) :]]
    outcomes = [
        _outcome(call) if future is None or future.cancel() else future.result()
        for call, future in zip(elsewhere, started, strict=True)
    ]
    return outcomes + own


def _begun(call: Callable[[], Any]) -> Future[Any] | None:
    """Has a worker thread make a call, unless the interpreter ends or can start no thread."""
    try:
        return workers().submit(copy_context().run, _outcome, call)
    except RuntimeError:
        return None


def _outcome(call: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever it returns
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - it is the outcome
        return error
