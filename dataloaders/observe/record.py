"""The record of one scope: what its loaders were asked, and what was sent for that.

A record keeps numbers, places and texts of statements; no value, and of keys a short text where
they may be shown. Threads add to it at once, by single operations that need no lock.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from itertools import islice
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
    from collections.abc import Hashable, Iterable, Sequence

    from dataloaders.batch import Batch
    from dataloaders.loader import DataLoader
    from dataloaders.lookahead.ledger import Ledger

    from .findings import Finding
    from .observer import Observer
    from .places import Caller, Place, Spot

logger = logging.getLogger(__name__)

MAX_BATCHES: Final = 500
"""Batches of one record that are kept one by one; further ones are counted."""

MAX_LOOKUPS: Final = 2_000
"""Lookups of one record that are kept one by one; further ones are counted."""

MAX_STATEMENTS: Final = 500
"""Statements of one record that are kept one by one; further ones are counted."""

MAX_TEXT: Final = 4_000
"""Characters of a statement that are kept."""

MAX_TEXTS: Final = 200_000
"""Characters that the different statements of one record have together."""

MAX_SHOWN_KEYS: Final = 2_000
"""Keys of one record's batches of which a short text is kept, where keys may be shown."""

MAX_OF_BATCH: Final = 50
"""Those of one batch."""

MAX_KEY: Final = 200
"""Characters of such a text."""

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
        loaders: What was asked of its loaders, by their names.
        batches: The batches, in the order of sending, as far as they are kept.
        lookups: The lookups, in their order, as far as observers want them one by one.
        late: Where loaders were asked too late, and how often.
        findings: What could be better; once it is over, and what comes too late.
        statements_kept: How many statements its batches keep.
        repeats: Batches of one key that follow each other.
    """

    def __init__(self, observers: list[Observer]) -> None:
        self.name = self.group = "scope"
        self.began = time.time()
        self.begun = perf_counter()
        self.ended_at: float | None = None
        self.loaders: dict[str, LoaderRecord] = {}
        self.batches: list[BatchRecord] = []
        self.lookups: list[Lookup] = []
        self.late: dict[tuple[str, Place], int] = {}
        self.findings: list[Finding] = []
        self.statements_kept = 0
        self._texts: dict[str, str] = {}
        self._room_for_texts = MAX_TEXTS
        self._room_for_keys = MAX_SHOWN_KEYS
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

    # -- what the core tells; see `dataloaders.watching.ScopeWatch`

    def watch(self, loader: DataLoader[Any, Any]) -> LoaderRecord:
        """Begins to watch a loader."""
        found = self.loaders.get(loader.name)
        if found is None:
            found = self.loaders.setdefault(loader.name, LoaderRecord(self, loader))
        found.add_ledger(loader.batched.ledger)
        return found

    def ended(self) -> None:
        """Takes note that the scope is over, and tells the observers."""
        if self.ended_at is not None:
            return
        self.ended_at = perf_counter()
        if self.detects:  # who asks from now on asks too late
            for loader in list(self.loaders.values()):
                loader.wants_each = True
        try:
            self.sum_up()
            self.repeats.forget_answers()
            for loader in self.loaders.values():
                loader.forget_keys()
            for observer in self.observers:
                observer.take(self)
        except Exception:  # a request must not fail of being watched
            logger.exception("What a scope did could not be summed up.")

    def sum_up(self) -> None:
        """Makes findings of what happened so far, and has lookups know who answered them."""
        for loader in list(self.loaders.values()):
            loader.sum_up()
        if self.detects:
            self.findings = find(self)

    # -- what its parts tell it

    def add_batch(self, sent: BatchRecord) -> None:
        """Takes note of a batch that is sent."""
        if sent.number < 0 and len(self.batches) < MAX_BATCHES:
            sent.number = len(self.batches)
            self.batches.append(sent)

    def text_of_keys(self, keys: Iterable[Any]) -> list[str]:
        """Returns short texts of keys of a batch, as far as there is room for them."""
        texts = [text_of_key(key) for key in islice(keys, min(MAX_OF_BATCH, self._room_for_keys))]
        self._room_for_keys = max(self._room_for_keys - len(texts), 0)
        return texts

    def text_of_statement(self, statement: str) -> str | None:
        """Returns what is kept of one more statement; None if there is no room for it."""
        if self.statements_kept >= MAX_STATEMENTS:
            return None
        text = statement if len(statement) <= MAX_TEXT else f"{statement[:MAX_TEXT]} …"
        known = self._texts.get(text)
        if known is None:
            if len(text) > self._room_for_texts:
                return None
            self._room_for_texts -= len(text)
            known = self._texts.setdefault(text, text)
        self.statements_kept += 1
        return known

    def add_late(self, loader: str, spot: Spot | None) -> None:
        """Takes note of a lookup after the scope was over."""
        if spot is None or not self.detects:
            return
        place = (loader, place_at(spot))
        if place in self.late or len(self.late) < MAX_LATE:
            self.late[place] = count = self.late.get(place, 0) + 1
            finding = late(*place, count)
            others = [each for each in self.findings if (each.loader, each.place) != place]
            self.findings = [*others, finding]
            for observer in self.observers:
                observer.found(finding)


def text_of_key(key: object) -> str:
    """Returns a short text of a key."""
    return shown(key)[:MAX_KEY]


class LoaderRecord:
    """What happened to one loader of a scope, or to several of one name.

    Attributes:
        name: The loader's name.
        lookups: See `LoaderWatch`.
        wants_each: See `LoaderWatch`.
        shows_keys: Whether a short text of keys is kept.
    """

    def __init__(self, record: Record, loader: DataLoader[Any, Any]) -> None:
        self.name = loader.name
        self.lookups = 0
        self.wants_each = record.keeps_lookups
        self.shows_keys = record.shows_keys
        self._record = record
        self._ledgers: list[Ledger] = []
        self._before = Stats()  # what ledgers had counted that are let go of
        self._may_repeat = loader.mode == ON and loader.batch
        self._counts = Stats()
        self._went_along = 0
        self._brought: dict[Hashable, BatchRecord] = {}
        self._seen: set[Hashable] = set()

    @property
    def stats(self) -> Stats:
        """What was counted so far."""
        counts = self._counts
        counts.lookups = self.lookups
        counts.expected = self._expected
        counts.used = self._before.used + sum([ledger.used for ledger in self._ledgers])
        return counts

    @property
    def _expected(self) -> int:
        return self._before.expected + sum([ledger.expected for ledger in self._ledgers])

    def add_ledger(self, ledger: Ledger) -> None:
        """Takes note of the ledger of one more loader of this name."""
        if ledger not in self._ledgers:
            self._ledgers.append(ledger)

    def sum_up(self) -> None:
        """Has lookups know who answered them, and batches what of them was of no use, so far."""
        brought, seen = self._brought, self._seen
        for lookup in self._record.lookups:
            key = lookup.cache_key
            if key is None or lookup.loader != self.name:
                continue
            batch, brought_by = brought.get(key), key
            if batch is None and type(key) is tuple:
                brought_by = key[:1]  # look-ahead asks by the first part
                batch = brought.get(brought_by)
            # One call may ask for many keys, and its first alone was seen.
            asked_for = batch is not None and brought_by not in batch.ahead
            lookup.bring(batch, again=key in seen or asked_for)
            seen.add(key)
        stats = self.stats
        if stats.used == stats.expected:
            return
        for sent in self._record.batches:
            if sent.ahead and sent.loader == self.name:
                sent.wasted = sent.expected - sum(map(self._was_used, sent.ahead))

    def _was_used(self, cache_key: Hashable) -> bool:
        return any(ledger.was_used(cache_key) for ledger in self._ledgers)

    def forget_keys(self) -> None:
        """Lets go of what stands for keys, once lookups and batches know what came of them."""
        for sent in self._record.batches:
            if sent.loader == self.name:
                sent.ahead = set()
        self._brought.clear()
        self._seen.clear()
        self._before = self.stats.copy()
        self._ledgers = []

    # -- what the core tells; see `dataloaders.watching.LoaderWatch`

    def asked(self, cache_keys: Sequence[Hashable], keys: Sequence[Any]) -> None:
        """Takes note of lookups that a caller makes just now."""
        self.lookups += len(cache_keys)
        if self.wants_each and cache_keys:
            record, spot = self._record, spot_of_caller()
            if record.ended_at is not None:
                record.add_late(self.name, spot)
            elif len(record.lookups) < MAX_LOOKUPS:
                text = text_of_key(keys[0]) if self.shows_keys else ""
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
                sent.ahead = batch.ahead.copy()
            if record.keeps_lookups:
                sent.origins = Counter()
                for ledger in self._ledgers:
                    sent.origins.update(ledger.origins_of(batch.ahead))
                sent.expected = sum(sent.origins.values())
            else:  # at a tenth of the time, of threads that send at once the first has them all
                noted = self._expected - self._went_along
                sent.expected = min(noted, len(batch.ahead))
        self._went_along = self._expected
        record.add_batch(sent)
        if record.keeps_lookups and record.ended_at is None:
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

    def text_of_keys(self, keys: Iterable[Any]) -> list[str]:
        """Returns short texts of those keys of a batch that may be shown."""
        return self._record.text_of_keys(keys)

    def text_of_statement(self, statement: str) -> str | None:
        """Returns what is kept of one more statement; None if there is no room for it."""
        return self._record.text_of_statement(statement)

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
