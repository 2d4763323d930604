"""What belongs to one event loop, and ends with it."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine

T = TypeVar("T")

END_SECONDS: Final = 5.0
"""How long a loop's end waits for what ends with it: a network that is down answers nothing."""

_POLL_SECONDS: Final = 0.001


class PerLoop(Generic[T]):
    """One thing for each event loop.

    A loop tells nobody that it ends, but finishes the async generators that were begun on it
    (`asyncio.run` and everything like it sees to that). So there is one for each loop which does
    nothing but wait for that.
    https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.shutdown_asyncgens

    Args:
        make: Makes the thing, on its loop.
        end: Ends it, on its loop, before that is closed. If it is closed without further ado,
            nothing on it can be ended any more, and the thing is let go.
    """

    def __init__(
        self, make: Callable[[], T], end: Callable[[T], Coroutine[Any, Any, None]]
    ) -> None:
        self._make = make
        self._end = end
        self._things: dict[asyncio.AbstractEventLoop, tuple[T, AsyncGenerator[None, None]]] = {}

    async def here(self) -> T:
        """Returns the running loop's, made at the first call."""
        loop = asyncio.get_running_loop()
        kept = self._things.get(loop)
        if kept is not None:
            return kept[0]
        for other in list(self._things):
            if other.is_closed():
                self._things.pop(other, None)
        thing = self._make()
        waiting = self._wait_for_end(loop)
        self._things[loop] = (thing, waiting)
        await anext(waiting)
        return thing

    async def _wait_for_end(self, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            thing, _ = self._things.pop(loop)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._end(thing), END_SECONDS)

    def known_here(self) -> T | None:
        """Returns the running loop's, if there is one."""
        try:
            kept = self._things.get(asyncio.get_running_loop())
        except RuntimeError:
            return None
        return None if kept is None else kept[0]


class AcrossLoops:
    """A lock for tasks of any loops: asyncio's own is for those of one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    async def __aenter__(self) -> None:
        # To wait in the lock would hold up the loop, perhaps the one whose task has it.
        while not self._lock.acquire(blocking=False):  # noqa: ASYNC110 - an Event is for one loop
            await asyncio.sleep(_POLL_SECONDS)

    async def __aexit__(self, *_error: object) -> None:
        self._lock.release()


def on_a_loop_of_its_own(function: Callable[..., Awaitable[T]], *arguments: Any) -> T:  # noqa: ANN401 - the function's
    """Calls a function on an event loop, in a thread that has none; returns what it comes to."""

    async def called() -> T:
        return await function(*arguments)

    return asyncio.run(called())
