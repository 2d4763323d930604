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
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from dataloaders.batch import MISSING, answers_from, call
from dataloaders.errors import AsyncOnlyError, BatchTimeoutError, RecursiveLoadError

from .context import asking_batch, common_context, note_askers, running_batch
from .workers import workers

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from contextvars import Context

    from dataloaders.batch import Batch
    from dataloaders.cache import LoaderCache
    from dataloaders.loader import DataLoader

NOTHING: Mapping[Hashable, Any] = MappingProxyType({})


class Turns:
    """Collects and runs the batches of one loader for the threads that call `get`."""

    __slots__ = ("_cache", "_gate", "_loader", "_queue", "_turn")

    def __init__(self, loader: DataLoader[Any, Any], cache: LoaderCache) -> None:
        self._loader = loader
        self._cache = cache
        self._gate = threading.Lock()  # guards _queue and what is collected in its batches
        self._turn = threading.Lock()  # held by the thread whose batch is under way
        self._queue: deque[Batch] = deque()

    def fetch(
        self, keys: dict[Hashable, Any], ahead: Mapping[Hashable, Any] = NOTHING
    ) -> list[Any]:
        """Returns the answer (value or `Failure`) for each cache key of `keys`, in their order.

        Blocks until the last of them is known.

        Args:
            keys: Cache key to key.
            ahead: The same, for keys that go along where there is room.

        Raises:
            RecursiveLoadError: A batch function asks for a key that it is to answer itself.
            BaseException: Whatever the batch function raised in this thread's own turn, if it is
                no `Exception`: a KeyboardInterrupt, a green thread's kill or time limit.
        """
        if self._loader.is_async:
            raise AsyncOnlyError(self._loader.name)
        self._loader.check_open()
        asker = asking_batch()
        if asker is not None or not self._loader.takes_turns:
            return self._fetch_alone(keys, ahead, asker)
        # Most callers find nobody ahead, and need neither the queue nor what guards it.
        if not (self._loader.max_batch_size or self._queue) and self._turn.acquire(blocking=False):
            try:
                return self._fetch_at_once(keys, ahead)
            finally:
                self._turn.release()
        batches = self._collect(keys, ahead)
        with self._turn:
            # Whatever was under way has ended with the turn before. What is not answered yet is
            # in the queue, perhaps behind keys of threads that wait for the turn after this one.
            for wanted in batches:
                while wanted.answers is None:
                    with self._gate:
                        batch = self._queue.popleft() if self._queue else wanted
                    self._run(batch, keys)
        return self._answers_to(keys, batches)

    def _fetch_at_once(self, keys: dict[Hashable, Any], ahead: Mapping[Hashable, Any]) -> list[Any]:
        """Fetches in a turn that came without waiting."""
        batch = self._loader.new_batch(self, "at once")
        batch.keys = keys
        batch.threads.append(keys)
        batch.context = copy_context()
        if ahead:
            batch.keys = keys.copy()
            self._add_ahead(batch, ahead)
        self._run(batch, keys)
        return self._answers_to(keys, [batch])

    def _collect(self, keys: dict[Hashable, Any], ahead: Mapping[Hashable, Any]) -> list[Batch]:
        """Puts keys into batches that wait for a turn; returns the batches that have them."""
        context = copy_context()
        with self._gate:
            if not (self._queue or self._cache.pending or self._loader.max_batch_size):
                batches = [self._collecting()]
                batches[0].keys = keys.copy()
            else:
                batches = []
                for cache_key, key in keys.items():
                    batch = self._pending(cache_key)
                    if batch is None:
                        batch = self._collecting()
                        batch.keys[cache_key] = key
                    self._cache.promote(batch, cache_key)
                    if not (batches and batches[-1] is batch) and batch not in batches:
                        batches.append(batch)
            for batch in batches:
                batch.threads.append(keys)
                batch.asked_from(context)
            if ahead and not batches[-1].begun:
                self._add_ahead(batches[-1], ahead)
        return batches

    def _add_ahead(self, batch: Batch, ahead: Mapping[Hashable, Any]) -> None:
        if not (self._cache.pending or len(self._queue) > 1 or self._loader.max_batch_size):
            batch.add_all_ahead(ahead)
            return
        for cache_key, key in ahead.items():
            if self._loader.is_full(batch):
                break
            if self._pending(cache_key) is None:
                batch.add_ahead(cache_key, key)

    def _collecting(self) -> Batch:
        """Returns the batch that takes the next key."""
        if not self._queue or self._loader.is_full(self._queue[-1]):
            self._queue.append(self._loader.new_batch(self, "turn"))
        return self._queue[-1]

    def _pending(self, cache_key: Hashable) -> Batch | None:
        """Returns the batch of another thread that has a key, under way or waiting."""
        prefix = self._loader.prefix_of(cache_key)
        for wanted in (cache_key,) if prefix is None else (cache_key, prefix):
            batch = self._cache.pending.get(wanted)
            if batch is not None and batch.owner is self:
                return batch
        for batch in self._queue:
            if cache_key in batch.keys:
                return batch
        return None

    def _fetch_alone(
        self, keys: dict[Hashable, Any], ahead: Mapping[Hashable, Any], asker: Batch | None
    ) -> list[Any]:
        """Fetches without waiting for a turn.

        A batch function's own lookups may not wait: the turn that they would wait for may be held
        by a batch function that waits for theirs.
        """
        loader = self._loader
        context = copy_context()
        batches: list[Batch] = []
        for cache_key, key in keys.items():
            pending = self._cache.pending.get(cache_key)
            if (
                asker is not None
                and pending is not None
                and cache_key not in pending.ahead
                and pending.waits_for(asker)
            ):
                raise RecursiveLoadError(loader.name, key)
            if not batches or loader.is_full(batches[-1]):
                batches.append(loader.new_batch(self, "alone" if asker is None else "nested"))
                batches[-1].threads.append(keys)
                batches[-1].asked_from(context)
            batches[-1].keys[cache_key] = key
        for cache_key, key in ahead.items():
            if loader.is_full(batches[-1]):
                break
            if cache_key not in self._cache.pending:
                batches[-1].add_ahead(cache_key, key)
        for batch in batches:
            self._run(batch, keys)
        return self._answers_to(keys, batches)

    def _run(self, batch: Batch, own: Mapping[Hashable, Any]) -> None:
        """Has the batch function answer a batch; `own` is what this thread has asked for."""
        loader = self._loader
        first, others = batch.context, batch.other_contexts
        assert first is not None  # noqa: S101 - who asked for the first key has left it
        context = common_context(first, others)
        if others or running_batch in first:
            note_askers(batch, first, others)
        context.run(running_batch.set, batch)
        if batch.watch is not None:
            context.run(batch.watch.began, batch)  # may refuse it: then nobody waits for it yet
        self._cache.begin(batch)
        try:
            try:
                answers = self._answers(batch, context)
                again = loader.drop_ahead(batch, answers)
            except Exception as error:
                if not loader.drop_ahead(batch, error):
                    raise
                answers, again = {}, True
            if again:
                answers = self._answers(batch, context)
            self._cache.settle(batch, answers)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the callers' answer
            self._cache.fail(batch, error)
        except BaseException as error:
            self._leave_to_others(batch, own, error)
            raise
        finally:
            if batch.watch is not None:
                batch.watch.ended(batch)

    def _answers(self, batch: Batch, context: Context) -> dict[Hashable, Any]:
        """Calls the batch function, on this stack unless it has a time limit; checks its result."""
        loader = self._loader
        keys = loader.keys_of(batch)
        if batch.watch is not None and loader.view is None:
            batch.watch.source_asked()
        if loader.timeout is None or loader.stays_on_thread:
            result = context.run(call, loader.name, loader.batch_function, keys)
        else:
            running = workers().submit(context.run, call, loader.name, loader.batch_function, keys)
            wait([running], loader.timeout)
            if not running.done():
                running.cancel()
                raise BatchTimeoutError(loader.name, len(keys), loader.timeout)
            result = running.result()
        if type(result) is not list and hasattr(result, "__await__"):
            if inspect.iscoroutine(result):
                result.close()  # or Python would warn that nobody awaited it
            raise AsyncOnlyError(loader.name)
        return answers_from(loader.name, batch.keys, result)

    def _leave_to_others(
        self, batch: Batch, own: Mapping[Hashable, Any], error: BaseException
    ) -> None:
        """Puts back what other threads asked for when this one is killed, or out of its time.

        That was no fault of theirs, and the next of them has the turn at once.
        """
        with self._gate:
            others = [keys for keys in batch.threads if keys is not own]
            wanted = {key: batch.keys[key] for key in batch.keys if any(key in o for o in others)}
            if wanted:
                self._cache.withdraw(batch)
                # Its keys stay in the order of who has left: none of the others has asked for just
                # these, as `_answers_to` takes for granted of the first.
                batch.keys, batch.threads, batch.ahead = wanted, [NOTHING, *others], set()
                self._queue.appendleft(batch)
            else:
                self._cache.abort(self._loader.name, batch, error)

    def _answers_to(self, keys: dict[Hashable, Any], batches: list[Batch]) -> list[Any]:
        """Picks the answers to `keys` out of settled batches that have them."""
        batch = batches[0]
        answers = batch.answers or {}
        if batch.threads and batch.threads[0] is keys and len(batch.keys) == len(keys):
            return list(answers.values())  # it has these keys, in this order, only
        if len(batches) > 1:
            answers = dict(chain.from_iterable((batch.answers or {}).items() for batch in batches))
        found = [answers.get(cache_key, MISSING) for cache_key in keys]
        if any(answer is MISSING for answer in found):
            # What a batch was expected to say of other keys than its own, and did not.
            found = [
                self._loader.answer_within(answers, cache_key) if answer is MISSING else answer
                for cache_key, answer in zip(keys, found, strict=True)
            ]
            left = [
                (key, keys[key])
                for key, answer in zip(keys, found, strict=True)
                if answer is MISSING
            ]
            if left:
                known = dict(zip(dict(left), self.fetch(dict(left)), strict=True))
                found = [known.get(key, answer) for key, answer in zip(keys, found, strict=True)]
        return found
