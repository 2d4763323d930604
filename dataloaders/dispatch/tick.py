"""Batching on an event loop: what is asked for in one tick goes together.

A tick is over when a whole turn of the loop brought no new key, so tasks that reach their load
after a few awaits still make it into the batch. One `Tick` serves one loader on one event loop;
nothing in it is touched from another thread.
"""

from __future__ import annotations

import asyncio
import types
from collections import deque
from contextvars import copy_context
from functools import partial
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final

from dataloaders.batch import Batch, answers_from, settle_future
from dataloaders.errors import BatchTimeoutError

from .context import common_context, parents_of, running_batch
from .workers import workers

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Hashable

    from dataloaders.cache import LoaderCache
    from dataloaders.loader import DataLoader

MAX_TURNS: Final = 100
"""Turns of the loop after which a batch goes although each of them still brought keys."""

_NOBODY: Final = object()

# An event loop keeps only weak references to its tasks; without these, garbage collection could
# end a batch that is under way. https://docs.python.org/3/library/asyncio-task.html#creating-tasks
_tasks: set[asyncio.Task[None]] = set()


@types.coroutine
def _next_turn() -> Generator[None, None, None]:
    """Goes on in the event loop's next turn."""
    yield


def _future_factory(loop: asyncio.AbstractEventLoop) -> Callable[[], asyncio.Future[Any]]:
    """Returns what makes futures of a loop, without asyncio's Python frame where it adds none."""
    if getattr(type(loop), "create_future", None) is asyncio.BaseEventLoop.create_future:
        return partial(asyncio.Future, loop=loop)
    return loop.create_future


class Tick:
    """Collects and runs the batches of one loader on one event loop.

    Attributes:
        loop: The event loop that the futures belong to.
        is_running: Whether it runs now.
        thread: Where it was last seen to run.
        create_future: Makes a future of it.
        batch: The batch being collected, if any.
    """

    __slots__ = (
        "_asker",
        "_cache",
        "_loader",
        "_queue",
        "_sequential",
        "_under_way",
        "batch",
        "create_future",
        "is_running",
        "loop",
        "thread",
    )

    def __init__(
        self, loader: DataLoader[Any, Any], cache: LoaderCache, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._loader = loader
        self._cache = cache
        self.loop = loop
        self.create_future = _future_factory(loop)
        self.is_running = loop.is_running
        self.thread = get_ident()
        self.batch: Batch | None = None
        self._under_way = 0
        self._queue: deque[asyncio.Future[None]] = deque()  # batches that wait for a place
        self._asker: object = _NOBODY
        self._sequential: object = _NOBODY

    def collecting(self) -> Batch:
        """Returns the batch that takes the next key."""
        batch = self.batch
        if batch is not None:
            if not self._loader.is_full(batch):
                return batch
            self._cache.begin(batch)
        self._loader.check_open()
        if self._sequential is not _NOBODY and self._sequential is not asyncio.current_task():
            self._sequential = _NOBODY
        self.batch = batch = Batch(self)
        serving = self._serve(batch)
        # Started here, so that it can answer the batch even if its task is cancelled unstarted.
        serving.send(None)
        task = self.loop.create_task(serving)
        _tasks.add(task)
        batch.task = task
        return batch

    def answer(self, answer: Any, cache_key: Hashable = None) -> asyncio.Future[Any]:  # noqa: ANN401 - any value may be loaded
        """Returns a future for an answer that is known, or that a batch under way will bring.

        It settles with the batch that is being collected, or at the end of this tick if there is
        none: the caller's next load then meets those of the callers whose answers were not known.
        A task that was alone with such a load a moment ago is a plain loop of awaits. It meets
        nobody by waiting, so from then on it is answered at once.
        """
        future = self.create_future()
        batch = self.batch
        lockstep = self._loader.lockstep
        if lockstep and (batch is None or not batch.keys):
            asker = asyncio.current_task()
            if batch is None:
                if asker is not self._sequential:
                    batch = self.collecting()
                    self._asker = asker
            elif asker is not self._asker:
                self._asker = _NOBODY
        if lockstep and batch is not None:
            batch.hits.append((future, cache_key, answer))
        elif type(answer) is Batch:
            answer.join(future, cache_key)
        else:
            settle_future(future, answer)
        return future

    async def _serve(self, batch: Batch) -> None:
        """Waits for the end of the tick and for a place, then has the batch answered."""
        try:
            await _next_turn()
            keys_before = 0
            turns_left = MAX_TURNS if self._loader.batch else 0
            while self.batch is batch and turns_left and len(batch.keys) > keys_before:
                keys_before = len(batch.keys)
                turns_left -= 1
                await _next_turn()
            if self.batch is batch:
                self.batch = None
            if batch.keys:
                await self._dispatch(batch)
            else:
                self._sequential = self._asker
                batch.settle_hits()
        except BaseException as error:
            # Cancelled from outside, or the batch function raised something that is no Exception.
            self._cache.abort(self._loader.name, batch, error)
            if isinstance(error, asyncio.CancelledError | KeyboardInterrupt | SystemExit):
                raise
        finally:
            if self.batch is batch:
                self.batch = None
            _tasks.discard(batch.task)

    async def _dispatch(self, batch: Batch) -> None:
        """Waits for a place among the batches under way, and runs the batch."""
        if not batch.begun:
            self._cache.begin(batch)
        others = batch.other_contexts
        batch.parents = parents_of(batch.context, others)
        # What a running batch waits for is not queued: that batch may itself hold the last place.
        if self._under_way >= self._loader.max_concurrency and not batch.parents:
            await self._wait_for_place()
        else:
            self._under_way += 1
        try:
            if not others:
                # This task's own context is a copy of the first caller's.
                running_batch.set(batch)
                await self._run(batch)
            else:
                context = common_context(batch.context, others)
                context.run(running_batch.set, batch)
                await self.loop.create_task(self._run(batch), context=context)
        finally:
            self._leave_place()

    async def _wait_for_place(self) -> None:
        place = self.create_future()
        self._queue.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():  # it was handed over just before
                self._leave_place()
            raise

    def _leave_place(self) -> None:
        """Hands the place on to the batch that has waited longest."""
        while self._queue:
            place = self._queue.popleft()
            if not place.done():
                place.set_result(None)
                return
        self._under_way -= 1

    async def _run(self, batch: Batch) -> None:
        loader = self._loader
        timer = None
        if loader.timeout is not None:
            task = asyncio.current_task()
            assert task is not None  # noqa: S101 - a coroutine of ours only ever runs in a task
            timer = self.loop.call_later(loader.timeout, self._expire, batch, task, loader.timeout)
        try:
            keys = loader.keys_of(batch)
            if loader.runs_on_loop:
                result = loader.batch_function(keys)
            else:
                result = await self.loop.run_in_executor(
                    workers(), copy_context().run, loader.batch_function, keys
                )
            if hasattr(result, "__await__"):
                result = await result
            self._cache.settle(batch, answers_from(loader.name, batch.keys, result))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the callers' answer
            self._cache.fail(batch, error)
        finally:
            if timer is not None:
                timer.cancel()

    def _expire(self, batch: Batch, task: asyncio.Task[None], seconds: float) -> None:
        # Answered from here, not from the task: a batch function may ignore its cancellation.
        name = self._loader.name
        self._cache.fail(batch, BatchTimeoutError(name, len(batch.keys), seconds))
        task.cancel()
