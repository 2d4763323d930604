"""The record of one scope: what its loaders were asked, and what was sent for that.

A record keeps numbers, places and texts of statements; no value, and of keys a short text where
they may be shown. Threads add to it at once, by single operations that need no lock.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from functools import cached_property
from itertools import islice
from sys import _getframe
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final
from weakref import ref

from dataloaders.batch import MISSING
from dataloaders.dispatch.flows import flow_here
from dataloaders.errors import shown
from dataloaders.lookahead.frames import first_frame_outside
from dataloaders.modes import ON
from dataloaders.stats import Stats

from .batches import BatchRecord
from .findings import find, late
from .judging import Judge
from .lookups import Lookup
from .places import caller, place_at, spot_of_caller
from .repeats import Repeats

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from dataloaders.batch import Batch
    from dataloaders.loader import DataLoader
    from dataloaders.lookahead.ledger import Ledger
    from dataloaders.scope import LoaderScope

    from .findings import Finding
    from .observer import Observer
    from .places import Place, Spot

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

    Args:
        scope: The scope.
        observers: Who hears of it.

    Attributes:
        name: What it is called: of a request, its method and path.
        group: What it is counted with: of a request, its endpoint.
        began: When it began, in seconds since 1970.
        begun: The same by `perf_counter`.
        ended_at: When it was over, by `perf_counter`; None while it is not.
        is_common: Whether it is of no request: then nobody can say what should go together.
        loaders: What was asked of its loaders, by their names.
        batches: The batches, in the order of sending, as far as they are kept.
        lookups: The lookups, in their order, as far as observers want them one by one.
        late: Where loaders were asked too late, and how often.
        findings: What could be better; once it is over, and what comes too late.
        statements_kept: How many statements its batches keep.
    """

    def __init__(self, scope: LoaderScope, observers: list[Observer]) -> None:
        self.is_common = scope.is_common
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
        self._before: dict[Observer, dict[str, Stats]] = {}
        self.observers: list[Observer] = []
        self.keeps_lookups = self.detects = self.shows_keys = self._keeps_statements = False
        for observer in observers:
            self.be_observed_by(observer)

    def be_observed_by(self, observer: Observer) -> None:
        """Has one more observer hear of it, from now on."""
        if self.loaders:
            before = {name: loader.stats.copy() for name, loader in self.loaders.items()}
            self._before[observer] = before
        self.observers.append(observer)
        self.keeps_lookups |= observer.keeps_lookups
        self.detects |= observer.detect != "off" and not self.is_common
        self.shows_keys |= observer.shows_keys
        self._keeps_statements |= observer.keeps_lookups or bool(observer.listeners)
        for loader in list(self.loaders.values()):
            loader.wants_each |= self.keeps_lookups
            loader.shows_keys = self.shows_keys

    def stats_for(self, observer: Observer) -> dict[str, Stats]:
        """Returns the counts of each loader since an observer hears of them."""
        stats = {name: loader.stats for name, loader in list(self.loaders.items())}
        before = self._before.get(observer)
        if before is None:
            return stats
        return {
            name: each.copy().without(before.get(name, Stats())) for name, each in stats.items()
        }

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

    @cached_property
    def repeats(self) -> Repeats:
        """Batches of one key that follow each other: made if somebody wants to know of them."""
        return Repeats()

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
        found.add(loader)
        return found

    def ended(self) -> None:
        """Takes note that the scope is over, and tells the observers."""
        if self.ended_at is not None:
            return
        self.ended_at = perf_counter()
        if self.detects:  # who asks from now on asks too late
            self.tell_of_each_lookup()
        try:
            if self.needs_callers:
                self.sum_up()
                self.repeats.forget_answers()
                for loader in list(self.loaders.values()):
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

    def tell_of_each_lookup(self) -> None:
        """Has its loaders tell of each lookup from now on, also of one that is answered at once."""
        for loader in list(self.loaders.values()):
            loader.wants_each = True

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
        if not self._keeps_statements or self.statements_kept >= MAX_STATEMENTS:
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
        is_stated: Whether each statement, or each call, of its source is told of.
        may_repeat: Whether it batches, so that batches of one key are worth a look.
    """

    def __init__(self, record: Record, loader: DataLoader[Any, Any]) -> None:
        self.name = loader.name
        self.lookups = 0
        self.wants_each = record.keeps_lookups or (record.detects and record.repeats.needs_lookups)
        self.shows_keys = record.shows_keys
        self.is_stated = loader.is_stated
        self._full_at = loader.max_batch_size if loader.batch else None
        self._record = record
        self.may_repeat = loader.mode == ON and loader.batch and loader.max_batch_size != 1
        self._has_cache = loader.cache
        self._loaders: list[ref[DataLoader[Any, Any]]] = []
        self._ledgers: list[Ledger] = []
        # What ledgers had counted that are let go of.
        self._expected_before = self._used_before = 0
        self._counts = Stats()
        self._went_along = 0
        self._brought: dict[Hashable, BatchRecord] = {}
        self._seen: set[Hashable] = set()

    @property
    def stats(self) -> Stats:
        """What was counted so far."""
        counts = self._counts
        counts.lookups = self.lookups
        counts.expected = self._expected()
        counts.used = self._used_before
        for ledger in self._ledgers:
            counts.used += ledger.used
        return counts

    def _expected(self) -> int:
        expected = self._expected_before
        for ledger in self._ledgers:
            expected += ledger.expected
        return expected

    @cached_property
    def _judge(self) -> Judge:
        return Judge(
            self._record, self._are_of_use, may_repeat=self.may_repeat, has_cache=self._has_cache
        )

    def add(self, loader: DataLoader[Any, Any]) -> None:
        """Takes note of one more loader of this name."""
        if loader.batched.ledger not in self._ledgers:
            self._loaders.append(ref(loader))
            self._ledgers.append(loader.batched.ledger)
            self.is_stated &= loader.is_stated
            self._went_along = self._expected()

    def _alive(self) -> list[DataLoader[Any, Any]]:
        return [loader for each in self._loaders if (loader := each()) is not None]

    def known(self, cache_key: Hashable) -> Any:  # noqa: ANN401 - any value may be loaded
        """Returns what is known of a key that was asked for; None if nothing is."""
        found = [loader.peek(cache_key) for loader in self._alive()]
        return next((each for each in found if each is not MISSING), None)

    def sum_up(self) -> None:
        """Has lookups know who answered them, and batches what of them was of no use, so far."""
        self._resolve_lookups()
        for loader in self._alive():
            loader.batched.count_used()
        stats = self.stats
        if stats.used == stats.expected:
            return
        for sent in self._record.batches:
            if sent.ahead and sent.loader == self.name:
                sent.wasted = sent.expected - sum(map(self._was_used, sent.ahead))

    def _resolve_lookups(self) -> None:
        brought, seen, name = self._brought, self._seen, self.name
        for lookup in self._record.lookups:
            key = lookup.cache_key
            if key is None or lookup.loader != name:
                continue
            batch, brought_by = brought.get(key), key
            if batch is None and type(key) is tuple:
                brought_by = key[:1]  # look-ahead asks by the first part
                batch = brought.get(brought_by)
            lookup.cache_key, lookup.batch = None, batch
            if batch is None:
                lookup.answered_by = "loader" if key in seen else "elsewhere"
            elif batch.ended_at is None or lookup.at < batch.ended_at:
                lookup.answered_by = "batch"
            else:  # one call may ask for many keys, and its first alone was seen
                known = key in seen or brought_by not in batch.ahead
                lookup.answered_by = "loader" if known else "lookahead"
            seen.add(key)

    def _was_used(self, cache_key: Hashable) -> bool:
        return any(ledger.was_used(cache_key) for ledger in self._ledgers)

    def forget_keys(self) -> None:
        """Lets go of what stands for keys, once lookups and batches know what came of them."""
        for sent in self._record.batches:
            if sent.loader == self.name:
                sent.ahead = set()
        self._brought.clear()
        self._seen.clear()
        stats = self.stats
        self._expected_before, self._used_before = stats.expected, stats.used
        self._ledgers = []

    # -- what the core tells; see `dataloaders.watching.LoaderWatch`

    def asked(self, cache_keys: Sequence[Hashable], keys: Sequence[Any]) -> None:
        """Takes note of lookups that a caller makes just now."""
        count = len(cache_keys)
        self.lookups += count  # without a call in between, in which another thread could go on
        if not (self.wants_each and count):
            return
        record = self._record
        if record.ended_at is not None:
            record.add_late(self.name, spot_of_caller())
            return
        if record.detects and record.repeats.needs_lookups:
            record.repeats.asked(self.known, cache_keys)
        if record.keeps_lookups and len(record.lookups) < MAX_LOOKUPS:
            frame = first_frame_outside(_getframe(1))  # spot_of_caller, but for the call
            spot = None if frame is None else (frame.f_code, frame.f_lasti)
            text = text_of_key(keys[0]) if self.shows_keys else ""
            record.lookups.append(Lookup(self.name, spot, cache_keys[0], count, text))

    def found_in_process(self) -> None:
        """Takes note that the tier in this process had the answer to a lookup."""
        self._counts.from_process += 1

    def collecting(self, cause: str) -> BatchRecord:
        """Takes note of a batch that is opened for a key."""
        record = self._record
        if cause == "in step":  # who asks for its first key is not known
            return BatchRecord(self, self.name, "tick", None, None)
        if not record.needs_callers:
            return BatchRecord(self, self.name, cause, None, None)
        flow = flow_here(on_loop=cause == "tick") if record.detects else None
        return BatchRecord(self, self.name, cause, caller(), flow)

    # -- what its batches tell it; see `dataloaders.observe.batches.Owner`

    def batch_began(self, sent: BatchRecord, batch: Batch) -> None:
        """Takes note of a batch that is sent.

        Raises:
            NPlusOneError: It would be one too many, and somebody wants such to fail.
        """
        record = self._record
        if len(batch.keys) == self._full_at:
            sent.cause = "full"
        self._note_ahead(sent, batch)
        if record.detects:
            self._judge.begins(sent, batch)
            if record.repeats.needs_lookups:
                record.tell_of_each_lookup()
        record.add_batch(sent)
        if record.keeps_lookups and record.ended_at is None and sent.number >= 0:
            self._brought.update(dict.fromkeys(batch.keys, sent))
        for observer in record.observers:
            observer.batch_began(sent, batch)

    def _note_ahead(self, sent: BatchRecord, batch: Batch) -> None:
        """Takes note of what goes along in a batch."""
        record, expected = self._record, self._expected()
        if batch.ahead:
            if record.needs_callers:
                sent.ahead = batch.ahead.copy()
            if record.keeps_lookups:
                sent.origins = Counter()
                for ledger in self._ledgers:
                    sent.expected += ledger.went_along(batch.ahead)
                    for origin, count in ledger.take_origins():
                        sent.origins[origin] += count
            else:  # at a tenth of the time, of threads that send at once the first has them all
                sent.expected = min(expected - self._went_along, len(batch.ahead))
        self._went_along = expected

    def batch_ended(self, sent: BatchRecord, batch: Batch) -> None:
        """Takes note of a batch that has its answers."""
        record = self._record
        self._count(sent)
        if record.detects:
            self._judge.ended(sent, batch)
        for observer in record.observers:
            observer.batch_ended(sent, batch)

    def batch_interrupted(self, sent: BatchRecord, batch: Batch) -> None:
        """Takes note of a batch that was interrupted."""
        self._judge.interrupted(sent)
        for observer in self._record.observers:
            observer.batch_interrupted(sent, batch)

    def text_of_keys(self, keys: Iterable[Any]) -> list[str]:
        """Returns short texts of those keys of a batch that may be shown."""
        return self._record.text_of_keys(keys)

    def text_of_statement(self, statement: str) -> str | None:
        """Returns what is kept of one more statement; None if there is no room for it."""
        return self._record.text_of_statement(statement)

    def asked_late(self) -> None:
        """Counts a query that has ended after its batch."""
        self._counts.queries += 1

    def _are_of_use(self, ahead: set[Hashable]) -> bool:
        """Whether somebody has asked for any of some keys that went along."""
        for loader in self._alive():
            loader.batched.count_used()
        return any(map(self._was_used, ahead))

    def _count(self, sent: BatchRecord) -> None:
        counts, queries, seconds = self._counts, sent.queries, sent.seconds
        keys, waited = sent.keys, sent.waited
        from_redis = sent.answered.get("redis", 0)
        # Without a call in between, in which another thread could go on.
        counts.batches += 1
        counts.asked += sent.asked
        counts.keys += keys
        counts.queries += queries
        counts.seconds += seconds
        counts.waited += waited
        counts.errors += sent.errors
        counts.from_redis += from_redis
