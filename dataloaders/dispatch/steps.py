"""Runs what is written as steps, on a thread or on an event loop.

The steps of something that has to wait for others (a tier, a source, another thread) are the same
in both worlds, and only how one waits is not. So they are written once, as a generator that yields
what is to be done next and is sent what came of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from .workers import workers

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")


class Step(Protocol):
    """Something to be done, in either world."""

    def here(self) -> Any:  # noqa: ANN401 - whatever comes of it
        """Does it, and blocks for as long as it takes."""

    async def on_loop(self) -> Any:  # noqa: ANN401 - whatever comes of it
        """Does it without blocking the event loop."""


Steps: TypeAlias = Generator[Step, Any, T]


@dataclass(frozen=True, slots=True)
class Call:
    """Calls a function that blocks in the one world and returns an awaitable in the other."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()

    def here(self) -> Any:  # noqa: ANN401 - whatever it returns
        """See `Step`."""
        return self.function(*self.arguments)

    async def on_loop(self) -> Any:  # noqa: ANN401 - whatever it returns
        """See `Step`."""
        return await self.function(*self.arguments)


@dataclass(frozen=True, slots=True)
class Block:
    """Calls a function that blocks: in a worker thread, if this is an event loop's."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()

    def here(self) -> Any:  # noqa: ANN401 - whatever it returns
        """See `Step`."""
        return self.function(*self.arguments)

    async def on_loop(self) -> Any:  # noqa: ANN401 - whatever it returns
        """See `Step`."""
        loop = asyncio.get_running_loop()
        run = copy_context().run
        return await loop.run_in_executor(workers(), run, self.function, *self.arguments)


@dataclass(frozen=True, slots=True)
class Wait:
    """Waits for somebody else's result for some seconds; None if there is none by then."""

    future: Future[Any]
    seconds: float

    def here(self) -> Any:  # noqa: ANN401 - whatever it is
        """See `Step`."""
        try:
            return self.future.result(self.seconds)
        except TimeoutError:
            return None

    async def on_loop(self) -> Any:  # noqa: ANN401 - whatever it is
        """See `Step`."""
        # Shielded: who stops waiting must not cancel what others wait for.
        waiting = asyncio.shield(asyncio.wrap_future(self.future))
        try:
            return await asyncio.wait_for(waiting, self.seconds)
        except TimeoutError:
            return None


@dataclass(frozen=True, slots=True)
class Pause:
    """Does nothing for some seconds."""

    seconds: float

    def here(self) -> None:
        """See `Step`."""
        time.sleep(self.seconds)

    async def on_loop(self) -> None:
        """See `Step`."""
        await asyncio.sleep(self.seconds)


def run(steps: Steps[T]) -> T:
    """Runs steps to their end on this thread; returns what they return."""
    try:
        step = next(steps)
        while True:
            try:
                result = step.here()
            except BaseException as error:  # noqa: BLE001 - the steps have to clean up after any
                step = steps.throw(error)
            else:
                step = steps.send(result)
    except StopIteration as end:
        value: T = end.value
        return value
    finally:
        steps.close()


async def run_on_loop(steps: Steps[T]) -> T:
    """Runs steps to their end without blocking the event loop; returns what they return."""
    try:
        step = next(steps)
        while True:
            try:
                result = await step.on_loop()
            except BaseException as error:  # noqa: BLE001 - the steps have to clean up after any
                step = steps.throw(error)
            else:
                step = steps.send(result)
    except StopIteration as end:
        value: T = end.value
        return value
    finally:
        steps.close()
