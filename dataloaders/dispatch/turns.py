"""Batching without an event loop: leader and followers, and no timer.

A thread that finds nobody ahead of it sends its keys at once. Threads that come while a batch is
under way leave their keys and wait for their turn; the first to get it sends everything that has
gathered, and the others find their answers there when theirs comes. Leadership is nothing but
holding a lock, so a thread that dies while it waits takes nothing with it.
"""

from __future__ import annotations

import inspect
import threading
from collections import deque
from concurrent.futures import wait
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from dataloaders.batch import Batch, answers_from
from dataloaders.errors import AsyncOnlyError, BatchTimeoutError

from .context import (
    asking_batch,
    check_recursion,
    common_context,
    parents_of,
    running_batch,
)
from .workers import workers

if TYPE_CHECKING:
    from collections.abc import Hashable
    from contextvars import Context

    from dataloaders.cache import LoaderCache
    from dataloaders.loader import DataLoader


class Turns:
    """Collects and runs the batches of one loader for the threads that call `get`."""

    __slots__ = ("_cache", "_gate", "_loader", "_queue", "_turn")

    def __init__(self, loader: DataLoader[Any, Any], cache: LoaderCache) -> None:
        self._loader = loader
        self._cache = cache
        self._gate = threading.Lock()  # guards _queue and what is collected in its batches
        self._turn = threading.Lock()  # held by the thread whose batch is under way
        self._queue: deque[Batch] = deque()

    def fetch(self, keys: dict[Hashable, Any]) -> dict[Hashable, Any]:
        """Returns answers (value or `Failure`) by cache key, for `keys` at least.

        Blocks until the last of them is known.

        Raises:
            RecursiveLoadError: A batch function asks for a key that it is to answer itself.
            BaseException: Whatever the batch function raised in this thread's own turn, if it is
                no `Exception`: a KeyboardInterrupt, a green thread's kill or time limit.
        """
        if self._loader.is_async:
            raise AsyncOnlyError(self._loader.name)
        self._loader.check_open()
        asker = asking_batch()
        if asker is not None or not self._loader.batch:
            return self._fetch_alone(keys, asker)
        batches = self._take_turn(keys)
        if any(batch.aborted for batch in batches):
            # Its runner was killed or timed out, which is no reason to fail the others.
            batches = self._take_turn(keys)
        if len(batches) == 1:
            return batches[0].answers or {}
        return {
            cache_key: answer
            for batch in batches
            for cache_key, answer in (batch.answers or {}).items()
        }

    def _take_turn(self, keys: dict[Hashable, Any]) -> list[Batch]:
        """Returns settled batches that hold `keys`."""
        batches = self._collect(keys)
        with self._turn:
            # Whatever was under way has ended with the turn before. What is not answered yet is
            # in the queue, perhaps behind keys of threads that wait for the turn after this one.
            while any(batch.answers is None for batch in batches):
                with self._gate:
                    batch = self._queue.popleft()
                self._run(batch)
        return batches

    def _collect(self, keys: dict[Hashable, Any]) -> list[Batch]:
        """Puts keys into batches that wait for a turn; returns the batches that have them."""
        batches: list[Batch] = []
        with self._gate:
            if not (self._queue or self._cache.pending or self._loader.max_batch_size):
                batch = self._collecting()
                batch.keys = keys
                return [batch]
            context = copy_context()
            for cache_key, key in keys.items():
                batch = self._pending(cache_key) or self._collecting()
                batch.keys.setdefault(cache_key, key)
                if not (batches and batches[-1] is batch) and batch not in batches:
                    batches.append(batch)
                    batch.asked_from(context)
        return batches

    def _collecting(self) -> Batch:
        """Returns the batch that takes the next key."""
        if not self._queue or self._loader.is_full(self._queue[-1]):
            self._queue.append(Batch(self))
        return self._queue[-1]

    def _pending(self, cache_key: Hashable) -> Batch | None:
        """Returns the batch of another thread that has a key, under way or waiting."""
        batch = self._cache.pending.get(cache_key)
        if batch is not None and batch.owner is self:
            return batch
        for batch in self._queue:
            if cache_key in batch.keys:
                return batch
        return None

    def _fetch_alone(self, keys: dict[Hashable, Any], asker: Batch | None) -> dict[Hashable, Any]:
        """Fetches without waiting for a turn.

        A batch function's own lookups may not wait: the turn that they would wait for may be held
        by a batch function that waits for theirs.
        """
        loader = self._loader
        batches: list[Batch] = []
        for cache_key, key in keys.items():
            pending = self._cache.pending.get(cache_key)
            if pending is not None:
                check_recursion(loader.name, key, asker, pending)
            if not batches or loader.is_full(batches[-1]):
                batches.append(Batch(self))
            batches[-1].keys[cache_key] = key
        answers: dict[Hashable, Any] = {}
        for batch in batches:
            self._run(batch)
            answers |= batch.answers or {}
        return answers

    def _run(self, batch: Batch) -> None:
        loader = self._loader
        keys = loader.keys_of(batch)
        batch.parents = parents_of(batch.context, batch.other_contexts)
        context = common_context(batch.context, batch.other_contexts)
        context.run(running_batch.set, batch)
        self._cache.begin(batch)
        try:
            result = self._call(context, keys)
            self._cache.settle(batch, answers_from(loader.name, batch.keys, result))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the callers' answer
            self._cache.fail(batch, error)
        except BaseException as error:
            self._cache.abort(loader.name, batch, error)
            raise

    def _call(self, context: Context, keys: list[Any]) -> Any:  # noqa: ANN401 - what the batch function returns
        """Calls the batch function, on this stack unless it has a time limit."""
        loader = self._loader
        if loader.timeout is None:
            result = context.run(loader.batch_function, keys)
        else:
            call = workers().submit(context.run, loader.batch_function, keys)
            wait([call], loader.timeout)
            if not call.done():
                call.cancel()
                raise BatchTimeoutError(loader.name, len(keys), loader.timeout)
            result = call.result()
        if hasattr(result, "__await__"):
            if inspect.iscoroutine(result):
                result.close()  # or Python would warn that nobody awaited it
            raise AsyncOnlyError(loader.name)
        return result
