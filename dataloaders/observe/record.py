"""The record of one scope: what its loaders were asked, and what was sent for that.

A record keeps numbers, places and texts of statements; no value, and of keys a short text where
they may be shown. Threads add to it at once, by single operations that need no lock.
"""

from __future__ import annotations

import logging
import time
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from dataloaders.errors import NPlusOneError, shown
from dataloaders.modes import ON
from dataloaders.stats import Stats

from .batches import BatchRecord
from .findings import find, late, repeated
from .lookups import Lookup
from .places import caller, place_at, spot_of_caller
from .repeats import LEAST, Repeats

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from dataloaders.batch import Batch
    from dataloaders.loader import DataLoader

    from .findings import Finding
    from .observer import Observer
    from .places import Caller, Place, Spot

logger = logging.getLogger(__name__)

MAX_BATCHES: Final = 500
"""Batches of one record that are kept one by one; further ones are counted."""

MAX_LOOKUPS: Final = 2_000
"""Lookups of one record that are kept one by one; further ones are counted."""

MAX_LATE: Final = 20
"""Places that ask too late of which a record takes note."""


class Record:
    """What happened in one scope.

    Attributes:
        name: What it is called: of a request, its method and path.
        group: What it is counted with: of a request, its endpoint.
        began: When it began, in seconds since 1970.
        begun: The same by `perf_counter`.
        ended_at: When it was over, by `perf_counter`; None while it is not.
        answered_at: When the response was made, by `perf_counter`, if there is one.
        is_late: Whether who asks now asks too late.
        loaders: What was asked of its loaders, by their names.
        batches: The batches, in the order of sending, as far as they are kept.
        lookups: The lookups, in their order, as far as observers want them one by one.
        late: Where loaders were asked too late, and how often.
        findings: What could be better; once it is over.
        repeats: Batches of one key that follow each other.
    """

    def __init__(self, observers: list[Observer]) -> None:
        self.name = self.group = "scope"
        self.began = time.time()
        self.begun = perf_counter()
        self.ended_at: float | None = None
        self.answered_at: float | None = None
        self.is_late = False
        self.loaders: dict[str, LoaderRecord] = {}
        self.batches: list[BatchRecord] = []
        self.lookups: list[Lookup] = []
        self.late: dict[tuple[str, Place], int] = {}
        self.findings: list[Finding] = []
        self.repeats = Repeats()
        self.observers: list[Observer] = []
        self.keeps_lookups = self.detects = self.shows_keys = False
        for observer in observers:
            self.be_observed_by(observer)

    def be_observed_by(self, observer: Observer) -> None:
        """Has one more observer hear of it."""
        self.observers.append(observer)
        self.keeps_lookups |= observer.keeps_lookups
        self.detects |= observer.detect != "off"
        self.shows_keys |= observer.shows_keys

    @property
    def seconds(self) -> float:
        """How long it took, or has taken so far, in seconds."""
        return (self.ended_at or perf_counter()) - self.begun

    @property
    def stats(self) -> Stats:
        """The counts of its loaders together."""
        total = Stats()
        for loader in list(self.loaders.values()):
            total.add(loader.stats)
        return total

    @property
    def needs_callers(self) -> bool:
        """Whether anybody wants to know who asks."""
        return self.detects or self.keeps_lookups

    def answered(self, *, is_streamed: bool) -> None:
        """Takes note that the response is made.

        Args:
            is_streamed: Whether it is made while it is sent, so that lookups may well follow.
        """
        self.answered_at = perf_counter()
        if not is_streamed:
            self._take_note_of_late()

    def _take_note_of_late(self) -> None:
        self.is_late = True
        if self.detects:
            for loader in list(self.loaders.values()):
                loader.wants_each = True

    # -- what the core tells; see `dataloaders.watching.ScopeWatch`

    def watch(self, loader: DataLoader[Any, Any]) -> LoaderRecord:
        """Begins to watch a loader."""
        found = self.loaders.get(loader.name)
        if found is None:
            found = self.loaders.setdefault(loader.name, LoaderRecord(self, loader))
        return found

    def ended(self) -> None:
        """Takes note that the scope is over, and tells the observers."""
        if self.ended_at is not None:
            return
        self.ended_at = perf_counter()
        self._take_note_of_late()
        try:
            for loader in self.loaders.values():
                loader.sum_up()
            if self.detects:
                self.findings = find(self)
                self.repeats.forget_answers()
            for observer in self.observers:
                observer.take(self)
        except Exception:  # a request must not fail of being watched
            logger.exception("What a scope did could not be summed up.")

    # -- what its parts tell it

    def add_batch(self, sent: BatchRecord) -> None:
        """Takes note of a batch that is sent."""
        if sent.number < 0 and len(self.batches) < MAX_BATCHES:
            sent.number = len(self.batches)
            self.batches.append(sent)

    def add_late(self, loader: str, spot: Spot | None) -> None:
        """Takes note of a lookup after the scope was over, or the response was made."""
        if spot is None or not self.detects:
            return
        place = (loader, place_at(spot))
        if place in self.late or len(self.late) < MAX_LATE:
            self.late[place] = self.late.get(place, 0) + 1
            if self.ended_at is not None:  # or it will be found then
                for observer in self.observers:
                    observer.found(late(*place, 1))


class LoaderRecord:
    """What happened to one loader of a scope.

    Attributes:
        name: The loader's name.
        lookups: See `LoaderWatch`.
        wants_each: See `LoaderWatch`.
        shows_keys: Whether a short text of keys is kept.
    """

    def __init__(self, record: Record, loader: DataLoader[Any, Any]) -> None:
        self.name = loader.name
        self.lookups = 0
        self.wants_each = record.keeps_lookups or (record.is_late and record.detects)
        self.shows_keys = record.shows_keys
        self._record = record
        self._ledger = loader.batched.ledger
        self._may_repeat = loader.mode == ON and loader.batch
        self._counts = Stats()
        self._went_along = 0
        self._brought: dict[Hashable, BatchRecord] = {}

    @property
    def stats(self) -> Stats:
        """What was counted so far."""
        counts = self._counts
        counts.lookups = self.lookups
        counts.expected, counts.used = self._ledger.expected, self._ledger.used
        return counts

    def sum_up(self) -> None:
        """Makes of what lookups and batches refer to what stays of it."""
        brought = self._brought
        seen: set[Hashable] = set()
        for lookup in self._record.lookups:
            key = lookup.cache_key
            if key is None or lookup.loader != self.name:
                continue
            batch = brought.get(key)
            if batch is None and type(key) is tuple:
                batch = brought.get(key[:1])  # look-ahead asks by the first part
            lookup.bring(batch, again=key in seen)
            seen.add(key)
        used = self._ledger.was_used
        for sent in self._record.batches:
            if sent.ahead and sent.loader == self.name:
                sent.wasted = sent.expected - sum(used(each) for each in sent.ahead)
                sent.ahead = set()
        brought.clear()

    # -- what the core tells; see `dataloaders.watching.LoaderWatch`

    def asked(self, cache_keys: Sequence[Hashable], keys: Sequence[Any]) -> None:
        """Takes note of lookups that a caller makes just now."""
        self.lookups += len(cache_keys)
        if self.wants_each and cache_keys:
            record, spot = self._record, spot_of_caller()
            if record.is_late:
                record.add_late(self.name, spot)
            elif len(record.lookups) < MAX_LOOKUPS:
                text = shown(keys[0]) if self.shows_keys else ""
                count = len(cache_keys)
                record.lookups.append(Lookup(self.name, spot, cache_keys[0], count, text))

    def found_in_process(self) -> None:
        """Takes note that the tier in this process had the answer to a lookup."""
        self._counts.from_process += 1

    def collecting(self, cause: str) -> BatchRecord:
        """Takes note of a batch that is opened for a key."""
        record = self._record
        asker = caller() if record.needs_callers else None
        if asker is not None and record.detects:
            self._refuse_repeats(asker)
        return BatchRecord(self, self.name, cause, asker)

    def _refuse_repeats(self, asker: Caller) -> None:
        before = self._record.repeats.of(self.name, asker)
        if len(before) >= LEAST:
            finding = repeated(before)
            observers = self._record.observers
            if any(each.detect == "raise" and not each.allows(finding) for each in observers):
                raise NPlusOneError(str(finding))

    # -- what its batches tell it; see `dataloaders.observe.batches.Owner`

    def batch_began(self, sent: BatchRecord, batch: Batch) -> None:
        """Takes note of a batch that is sent."""
        record = self._record
        if batch.ahead:
            if record.needs_callers:
                sent.origins = self._ledger.origins_of(batch.ahead)
                sent.expected = sum(sent.origins.values())
                sent.ahead = batch.ahead.copy()
            else:  # at a tenth of the time, of threads that send at once the first has them all
                sent.expected = self._ledger.expected - self._went_along
            self._went_along += sent.expected
        record.add_batch(sent)
        if record.keeps_lookups:
            self._brought.update(dict.fromkeys(batch.keys, sent))
        for observer in record.observers:
            observer.batch_began(sent, batch)

    def batch_ended(self, sent: BatchRecord, batch: Batch) -> None:
        """Takes note of a batch that has its answers."""
        record = self._record
        self._count(sent)
        if len(batch.keys) == 1 and record.detects and self._may_repeat and sent.queries:
            ((cache_key, key),) = batch.keys.items()
            record.repeats.add(sent, cache_key, key, (batch.answers or {}).get(cache_key))
        for observer in record.observers:
            observer.batch_ended(sent, batch)

    def batch_interrupted(self, sent: BatchRecord, batch: Batch) -> None:
        """Takes note of a batch that was interrupted."""
        for observer in self._record.observers:
            observer.batch_interrupted(sent, batch)

    def _count(self, sent: BatchRecord) -> None:
        counts = self._counts
        counts.batches += 1
        counts.asked += sent.asked
        counts.keys += sent.keys
        counts.queries += sent.queries
        counts.seconds += sent.seconds
        counts.waited += sent.waited
        counts.errors += sent.errors
        counts.from_redis += sent.answered.get("redis", 0)
