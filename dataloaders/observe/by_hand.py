"""Loaders that are made by hand: each is a scope of its own.

It begins when the loader is asked for the first time, and is over when the loader is freed, when
its observer stops, or when the process exits.
"""

from __future__ import annotations

import atexit
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import finalize, ref

from dataloaders.forking import Locked
from dataloaders.loader import loaders_by_hand
from dataloaders.scope import watch_by_hand
from dataloaders.stats import Stats

from .record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from dataloaders.loader import DataLoader
    from dataloaders.watching import BatchWatch, LoaderWatch

    from .observer import Observer


class ByHand(Locked):
    """The records of such loaders.

    Args:
        observers: Returns who observes them.
    """

    def __init__(self, observers: Callable[[], Sequence[Observer]]) -> None:
        super().__init__()
        self._observers = observers
        self._open: dict[Record, None] = {}
        self._over: deque[Record] = deque()
        self._ends_at_exit = False

    def begin(self, observer: Observer) -> None:
        """Has one more observer hear of them, also of those that are there already."""
        watch_by_hand(partial(_Unasked, self))
        for record in self.records():
            record.be_observed_by(observer)
        for loader in loaders_by_hand():
            if loader.watch is None:
                loader.watch = _Unasked(self, loader)

    def end(self, observer: Observer) -> None:
        """Has an observer hear of them no more."""
        for record in self.records():
            record.be_left_by(observer)
        if not self._observers():
            watch_by_hand(None)

    def records(self) -> list[Record]:
        """Returns those of loaders that are there."""
        self.tell()
        return list(self._open)

    def tell(self) -> None:
        """Ends the records of loaders that were freed."""
        while self._over:
            record = self._over.popleft()
            self._open.pop(record, None)
            record.ended()

    def begins(self, loader: DataLoader[Any, Any]) -> LoaderWatch:
        """Begins the record of a loader that is asked for the first time."""
        self.tell()
        with self._lock:
            if type(loader.watch) is _Unasked:  # or another thread was faster
                record = Record(None, list(self._observers()))
                self._open[record] = None
                # Not ended there: a loader may be freed wherever memory is asked for.
                finalize(loader, self._over.append, record).atexit = False
                loader.watch = record.watch(loader)
                if not self._ends_at_exit:
                    self._ends_at_exit = True
                    atexit.register(self._end_all)
        assert loader.watch is not None  # noqa: S101 - nobody takes it away
        return loader.watch

    def _end_all(self) -> None:
        self._over.extend(self._open)
        self.tell()


class _Unasked:
    """Watches a loader that nobody has asked yet: a scope may take it, which watches its own."""

    __slots__ = ("_by_hand", "_loader", "lookups")

    wants_each = True

    def __init__(self, by_hand: ByHand, loader: DataLoader[Any, Any]) -> None:
        self._by_hand = by_hand
        self._loader = ref(loader)
        self.lookups = 0

    @property
    def stats(self) -> Stats:
        return Stats()

    def _begun(self) -> LoaderWatch:
        loader = self._loader()
        assert loader is not None  # noqa: S101 - it is what calls
        return self._by_hand.begins(loader)

    def asked(self, cache_keys: Sequence[Hashable], keys: Sequence[Any]) -> None:
        self._begun().asked(cache_keys, keys)

    def found_in_process(self) -> None:
        self._begun().found_in_process()

    def collecting(self, cause: str) -> BatchWatch:
        return self._begun().collecting(cause)
