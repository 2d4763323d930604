"""What one loader knows (its cache) and what it has asked for and not yet got."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from .batch import MISSING, Batch, Failure
from .errors import BatchAbortedError

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, MutableMapping


logger = logging.getLogger(__name__)


class LoaderCache:
    """The values of one loader and its pending keys, consistent across threads.

    Single reads and writes of a dict need no lock. What needs one is that clearing a key and
    keeping the answer of a batch that was under way do not interleave: an answer older than the
    clear must not come back.

    Attributes:
        values: Cache key to value, or to the `Failure` that stands for it.
        ahead: Answers that nobody has asked for yet, by cache key: look-ahead brought them. They
            are apart from `values`, so that finding one there costs no lookup more than before.
        taken: The cache keys of those that were asked for since, as far as nobody has counted them.
        pending: The batches that are under way, by the cache keys that they will answer.
        closed: Whether the scope that this belongs to is over.
    """

    def __init__(
        self, values: MutableMapping[Any, Any] | None, *, enabled: bool, keep_errors: bool
    ) -> None:
        self.values: dict[Any, Any] | _LockedMapping = (
            {} if values is None else _LockedMapping(values)
        )
        self.ahead: dict[Hashable, Any] = {}
        self.taken: list[Hashable] = []
        self.pending = UnderWay()
        self.closed = False
        self._enabled = enabled
        self._keep_errors = keep_errors
        # Safe even if gevent or eventlet patches locks after this one was made: nothing under it
        # can switch to another green thread.
        self._lock = threading.Lock()

    def prime(self, cache_key: Hashable, value: Any) -> None:  # noqa: ANN401 - any value may be loaded
        """Keeps a value, unless its key is known or asked for already."""
        if self._enabled and not self.closed:
            with self._lock:
                batch = self.pending.get(cache_key)
                if (batch is None or cache_key in batch.ahead) and self.values.get(
                    cache_key, MISSING
                ) is MISSING:
                    self.values[cache_key] = value

    def take(self, cache_key: Hashable) -> Any:  # noqa: ANN401 - any value may be loaded
        """Returns an answer that look-ahead brought and that is asked for now, or MISSING.

        From then on it is a value like any other.
        """
        answer = self.ahead.get(cache_key, MISSING)
        if answer is not MISSING:
            # Without the lock, of which a loop over many rows would feel the weight: if the key
            # is not there any more to be taken away, it was cleared, or somebody else was faster.
            self.values[cache_key] = answer
            if self.ahead.pop(cache_key, MISSING) is MISSING:
                self.values.pop(cache_key, None)
                return MISSING
            self.taken.append(cache_key)
        return answer

    def promote(self, batch: Batch, cache_key: Hashable) -> None:
        """Takes note that somebody asks for a key of a batch that look-ahead may have put there."""
        if cache_key in batch.ahead:
            batch.ahead.discard(cache_key)
            batch.promoted += 1
            self.taken.append(cache_key)

    def keep(self, cache_key: Hashable, answer: Any, source: Hashable) -> bool:  # noqa: ANN401 - any value may be loaded
        """Keeps an answer that follows from another one, unless that was forgotten meanwhile."""
        with self._lock:
            if source not in self.ahead:
                return False
            self.values[cache_key] = answer
        return True

    def clear(self, cache_key: Hashable) -> None:
        """Forgets one key, and the answer to it that is under way."""
        with self._lock:
            self.values.pop(cache_key, None)
            self.ahead.pop(cache_key, None)
            self.pending.forget((cache_key,))

    def clear_all(self) -> None:
        """Forgets every key, and every answer that is under way."""
        with self._lock:
            self.values.clear()
            self.ahead.clear()
            self.pending.forget()

    def close(self) -> None:
        """Forgets everything and keeps nothing from now on."""
        self.closed = True
        self._enabled = False
        self.clear_all()

    def begin(self, batch: Batch) -> None:
        """Notes that a batch is under way, so that others may wait for its keys."""
        with self._lock:
            # What others ask for again, who cannot wait for the first answer, is from now on the
            # second's to keep: of two answers only the newer one is.
            self.pending.forget(batch.keys)
            self.pending.add(batch)
            batch.begun = True

    def settle(self, batch: Batch, answers: dict[Hashable, Any]) -> None:
        """Keeps a batch's answers and gives them to its callers."""
        if batch.answers is None:  # it may have run into its time limit
            self._end(batch, answers)
            batch.settle(answers)

    def fail(self, batch: Batch, error: Exception) -> None:
        """Gives every caller of a batch the error and keeps nothing."""
        if batch.answers is None:
            self._end(batch, {})
            batch.settle(dict.fromkeys(batch.keys, Failure(error)))

    def withdraw(self, batch: Batch) -> None:
        """Takes back `begin`: the batch is to be run again."""
        self._end(batch, {})
        batch.begun = False
        batch.forgotten.clear()

    def drop_ahead(self, batch: Batch) -> bool:
        """Takes what nobody has asked for out of a batch; returns whether there was anything."""
        with self._lock:
            dropped = batch.without_ahead()
        return bool(dropped)

    def abort(self, loader: str, batch: Batch, cause: BaseException) -> None:
        """Fails a batch whose runner was cancelled, killed or interrupted."""
        error = BatchAbortedError(loader, len(batch.keys), cause)
        error.__cause__ = cause
        self.fail(batch, error)

    def _end(self, batch: Batch, answers: dict[Hashable, Any]) -> None:
        if not batch.begun:
            return
        with self._lock:
            self.pending.remove(batch)
            if not self._enabled:
                return
            if batch.forgotten or not self._keep_errors:
                answers = {
                    cache_key: answer
                    for cache_key, answer in answers.items()
                    if cache_key not in batch.forgotten
                    and (self._keep_errors or type(answer) is not Failure)
                }
            if batch.ahead:
                answers = self._without_ahead(batch, answers)
            try:
                self.values.update(answers)
            except Exception:  # whatever a user's mapping raises: the callers have their answers
                logger.exception("The cache_map refused the answers of a batch.")

    def _without_ahead(self, batch: Batch, answers: dict[Hashable, Any]) -> dict[Hashable, Any]:
        """Puts aside what nobody has asked for, errors excepted; returns the rest."""
        added = batch.ahead.copy()  # another thread may ask for one of them just now
        self.ahead.update(
            {
                cache_key: answer
                for cache_key, answer in answers.items()
                if cache_key in added and type(answer) is not Failure
            }
        )
        return {each: answer for each, answer in answers.items() if each not in added}


class UnderWay:
    """Batches that are under way: few, and so looked through for a key in turn.

    Whoever changes it holds the cache's lock; whoever reads it need not.

    Attributes:
        batches: The batches, in the order in which they began.
    """

    __slots__ = ("batches",)

    def __init__(self) -> None:
        self.batches: tuple[Batch, ...] = ()  # replaced as a whole, for its readers

    def __bool__(self) -> bool:
        return bool(self.batches)

    def __contains__(self, cache_key: Hashable) -> bool:
        return self.get(cache_key) is not None

    def get(self, cache_key: Hashable) -> Batch | None:
        """Returns the batch that will answer a key, if there is one."""
        for batch in self.batches:
            if cache_key in batch.keys and cache_key not in batch.forgotten:
                return batch
        return None

    def add(self, batch: Batch) -> None:
        """Takes note that a batch is under way."""
        self.batches = (*self.batches, batch)

    def remove(self, batch: Batch) -> None:
        """Takes note that a batch has ended."""
        self.batches = tuple([each for each in self.batches if each is not batch])

    def forget(self, cache_keys: Collection[Hashable] | None = None) -> None:
        """Has the batches keep no answer to some keys, or to any."""
        for batch in self.batches:
            if cache_keys is None:
                batch.forgotten.update(batch.keys)
            else:
                batch.forgotten.update(batch.keys.keys() & cache_keys)


class _LockedMapping:
    """Makes a user's mapping safe to share: a bounded one reorders itself when it is read."""

    def __init__(self, mapping: MutableMapping[Any, Any]) -> None:
        self._mapping = mapping
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._mapping)

    def get(self, key: Hashable, default: Any) -> Any:  # noqa: ANN401 - any value may be loaded
        with self._lock:
            return self._mapping.get(key, default)

    def __setitem__(self, key: Hashable, value: Any) -> None:  # noqa: ANN401 - any value may be loaded
        with self._lock:
            self._mapping[key] = value

    def update(self, items: dict[Any, Any]) -> None:
        with self._lock:
            self._mapping.update(items)

    def pop(self, key: Hashable, default: Any) -> Any:  # noqa: ANN401 - any value may be loaded
        with self._lock:
            return self._mapping.pop(key, default)

    def clear(self) -> None:
        with self._lock:
            self._mapping.clear()
