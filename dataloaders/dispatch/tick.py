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

from dataloaders.batch import Batch, answers_from, call, settle_future
from dataloaders.errors import BatchTimeoutError

from .context import asking_batch, common_context, note_askers, running_batch
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

    def collecting(self, cache_key: Hashable) -> Batch:
        """Returns the batch that takes a key, or has it already."""
        batch = self.batch
        if batch is not None:
            if cache_key in batch.keys or not self._loader.is_full(batch):
                return batch
            self._cache.begin(batch)
        return self._open("tick")

    def _open(self, cause: str) -> Batch:
        """Starts collecting a batch, in a task whose context is a copy of the caller's."""
        self._loader.check_open()
        if self._sequential is not _NOBODY and self._sequential is not asyncio.current_task():
            self._sequential = _NOBODY
        self.batch = batch = self._loader.new_batch(self, cause)
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
        # A batch function's own lookups keep no step with a batch that may wait for that function.
        lockstep = self._loader.lockstep and asking_batch() is None
        if lockstep and (batch is None or not batch.keys):
            asker = asyncio.current_task()
            if batch is None:
                if asker is not self._sequential:
                    batch = self._open("in step")
                    batch.opened_by_hit = True
                    self._asker = asker
            elif asker is not self._asker:
                self._asker = _NOBODY
        if lockstep and batch is not None:
            batch.hits.append((future, cache_key, answer))
            if type(answer) is Batch:
                answer.followers.append((future, cache_key))
                answer.asked_from(copy_context())  # that of the caller, not of what answers later
        elif type(answer) is Batch:
            answer.join(future, cache_key)
        else:
            settle_future(future, answer)
        return future

    async def _serve(self, batch: Batch) -> None:
        """Waits for the end of the tick and for a place, then has the batch answered."""
        try:
            await _next_turn()
            while not (batch.keys or batch.hits):
                await _next_turn()  # an eager task comes here before what it was started for
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
            if self.loop.is_closed():
                raise  # nobody can be told any more
            self._cache.abort(self._loader.name, batch, error)
            if batch.watch is not None:
                batch.watch.ended(batch)
            if isinstance(error, asyncio.CancelledError | KeyboardInterrupt | SystemExit):
                raise
        finally:
            if self.batch is batch:
                self.batch = None
            _tasks.discard(batch.task)
            batch.task = None  # a task's context refers to its batch: break the cycle

    async def _dispatch(self, batch: Batch) -> None:
        """Waits for a place among the batches under way, and runs the batch."""
        if not batch.begun:
            self._cache.begin(batch)
        timer = None
        seconds = self._loader.timeout
        if seconds is not None:
            timer = self.loop.call_later(seconds, self._expire, batch, seconds, batch.task)
        first, others = batch.context, batch.other_contexts
        assert first is not None  # noqa: S101 - who asked for the first key has left it
        if others or running_batch in first:
            note_askers(batch, first, others)
        try:
            # What a running batch waits for goes at once: that batch may hold the last place.
            if self._under_way < self._loader.max_concurrency or batch.urgent:
                self._under_way += 1
            else:
                await self._wait_for_place(batch)
            try:
                if others or batch.opened_by_hit:
                    context = common_context(first, others)
                    context.run(running_batch.set, batch)
                    await self.loop.create_task(self._run(batch), context=context)
                else:
                    running_batch.set(batch)
                    await self._run(batch)
            finally:
                self._leave_place()
        finally:
            if timer is not None:
                timer.cancel()

    async def _wait_for_place(self, batch: Batch) -> None:
        place = self.create_future()
        self._queue.append(place)
        batch.grant_place = partial(self._grant, place)
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():  # it was granted just before
                self._leave_place()
            raise
        finally:
            batch.grant_place = None

    def _grant(self, place: asyncio.Future[None]) -> None:
        if not place.done():
            self._under_way += 1
            place.set_result(None)

    def _leave_place(self) -> None:
        """Lets the batch go on that has waited longest."""
        self._under_way -= 1
        while self._queue and self._under_way < self._loader.max_concurrency:
            self._grant(self._queue.popleft())

    async def _run(self, batch: Batch) -> None:
        loader = self._loader
        try:
            if batch.watch is not None:
                batch.watch.began(batch)
            try:
                answers = await self._answers(batch)
                again = loader.drop_ahead(batch, answers)
            except Exception as error:
                if not loader.drop_ahead(batch, error):
                    raise
                answers, again = {}, True
            if again:
                answers = await self._answers(batch)
            self._cache.settle(batch, answers)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the callers' answer
            self._cache.fail(batch, error)
        finally:
            if batch.watch is not None:
                batch.watch.ended(batch)

    async def _answers(self, batch: Batch) -> dict[Hashable, Any]:
        """Calls the batch function, and checks what it returns."""
        loader = self._loader
        keys = loader.keys_of(batch)
        if batch.watch is not None and loader.view is None:
            batch.watch.source_asked()
        function = loader.function_on_loop
        result = await (self._call(keys) if function is None else function(keys))
        return answers_from(loader.name, batch.keys, result)

    async def _call(self, keys: list[Any]) -> Any:  # noqa: ANN401 - what the batch function returns
        """Calls a batch function that is no coroutine function."""
        loader = self._loader
        if loader.stays_on_thread:
            result = call(loader.name, loader.batch_function, keys)
        else:
            run = copy_context().run
            result = await self.loop.run_in_executor(
                workers(), run, call, loader.name, loader.batch_function, keys
            )
        return await result if hasattr(result, "__await__") else result

    def _expire(self, batch: Batch, seconds: float, task: asyncio.Task[None]) -> None:
        # Answered from here, not from the task: a batch function may ignore its cancellation.
        name = self._loader.name
        self._cache.fail(batch, BatchTimeoutError(name, len(batch.keys), seconds))
        task.cancel()
