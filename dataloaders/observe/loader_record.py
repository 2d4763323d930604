"""The record of one loader in a scope: what it was asked, and what its batches brought."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final
from weakref import ref

from dataloaders.batch import MISSING
from dataloaders.dispatch.flows import flow_here
from dataloaders.modes import ON
from dataloaders.stats import Stats

from .batches import BatchRecord
from .judging import Judge
from .lookups import Lookup
from .places import caller, spot_of_caller
from .texts import text_of_key

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from dataloaders.batch import Batch
    from dataloaders.loader import DataLoader
    from dataloaders.lookahead.ledger import Ledger

    from .record import Record

MAX_LOOKUPS: Final = 2_000
"""Lookups of one record that are kept one by one; further ones are counted."""


class LoaderRecord:
    """What happened to one loader of a scope, or to several of one name.

    Attributes:
        name: The loader's name.
        lookups: See `LoaderWatch`.
        wants_each: See `LoaderWatch`.
        shows_keys: Whether a short text of keys is kept.
        is_stated: Whether each statement, or each call, of its source is told of.
        texts: What is kept of statements and keys.
        may_repeat: Whether it batches, so that batches of one key are worth a look.
    """

    def __init__(self, record: Record, loader: DataLoader[Any, Any]) -> None:
        self.name = loader.name
        self.lookups = 0
        self.wants_each = record.keeps_lookups or (record.detects and record.repeats.needs_lookups)
        self.shows_keys = record.shows_keys
        self.is_stated = loader.is_stated
        self.texts = record.texts
        self._full_at = loader.max_batch_size if loader.batch else None
        self._record = record
        self.may_repeat = loader.mode == ON and loader.batch and loader.max_batch_size != 1
        self._loaders: list[ref[DataLoader[Any, Any]]] = []
        self._ledgers: list[tuple[Ledger, list[Hashable]]] = []
        # What ledgers had counted that are let go of.
        self._expected_before = self._used_before = 0
        self._counts = Stats()
        self._went_along = 0
        self._brought: dict[Hashable, BatchRecord] = {}
        self._seen: set[Hashable] = set()
        self._judge = Judge(
            record, self._are_of_use, may_repeat=self.may_repeat, has_cache=loader.cache
        )

    @property
    def stats(self) -> Stats:
        """What was counted so far."""
        counts = self._counts
        counts.lookups = self.lookups
        self._count_used()
        counts.expected = self._expected()
        counts.used = self._used_before
        for ledger, _ in self._ledgers:
            counts.used += ledger.used
        return counts

    def _count_used(self) -> None:
        for ledger, taken in self._ledgers:
            if taken:
                ledger.use(taken)

    def _expected(self) -> int:
        expected = self._expected_before
        for ledger, _ in self._ledgers:
            expected += ledger.expected
        return expected

    def add(self, loader: DataLoader[Any, Any]) -> None:
        """Takes note of one more loader of this name."""
        ledger = loader.batched.ledger
        if all(each is not ledger for each, _ in self._ledgers):
            self._loaders.append(ref(loader))
            self._ledgers.append((ledger, loader.batched.taken))
            self._count_used()  # of a loader that was asked before anybody watched it
            self._expected_before -= ledger.used
            self._used_before -= ledger.used
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
        return any(ledger.was_used(cache_key) for ledger, _ in self._ledgers)

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
            text = text_of_key(keys[0]) if self.shows_keys else ""
            spot = spot_of_caller()
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
        asker = caller()
        if record.is_by_hand and not asker.in_loop:
            asker = asker._replace(works=True)
        return BatchRecord(self, self.name, cause, asker, flow)

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
        sent.ahead, sent.expected, sent.origins = set(), 0, None  # it may be sent once more
        if batch.ahead:
            if record.needs_callers:
                sent.ahead = batch.ahead.copy()
            if record.keeps_lookups:
                sent.origins = Counter()
                for ledger, _ in self._ledgers:
                    sent.expected += ledger.went_along(batch.ahead)
                    for origin, count in ledger.take_origins():
                        sent.origins[origin] += count
            else:  # at a tenth of the time, of threads that send at once the first has them all
                sent.expected = min(expected - self._went_along, len(batch.ahead))
        self._went_along = expected

    def batch_refused(self, sent: BatchRecord) -> None:
        """Counts a lookup that has an error in the place of a query."""
        self._counts.asked += sent.asked - sent.foreseen
        self._counts.errors += sent.asked

    def batch_ended(self, sent: BatchRecord, batch: Batch) -> None:
        """Takes note of a batch that has its answers."""
        record = self._record
        before = None if record.ended_at is None else self._counts.copy()
        self._count(sent)
        if before is not None:
            record.add_to_totals(self.name, self._counts.copy().without(before))
        if record.detects:
            self._judge.ended(sent, batch)
        for observer in record.observers:
            observer.batch_ended(sent, batch)

    def batch_interrupted(self, sent: BatchRecord, batch: Batch) -> None:
        """Takes note of a batch that was interrupted; what it still has are keys of others."""
        own = len(batch.keys) - batch.promoted
        self._counts.asked += sent.asked - sent.foreseen - own
        self._counts.keys += sent.keys - len(batch.keys)
        self._judge.interrupted(sent)
        for observer in self._record.observers:
            observer.batch_interrupted(sent, batch)

    def asked_late(self) -> None:
        """Counts a query that has ended after its batch."""
        self._counts.queries += 1
        if self._record.ended_at is not None:
            self._record.add_to_totals(self.name, Stats(queries=1))

    def _are_of_use(self, ahead: set[Hashable]) -> bool:
        """Whether somebody has asked for any of some keys that went along."""
        self._count_used()
        return any(map(self._was_used, ahead))

    def _count(self, sent: BatchRecord) -> None:
        counts, queries, seconds = self._counts, sent.queries, sent.seconds
        keys, waited = sent.keys, sent.waited
        from_redis = sent.answered.get("redis", 0)
        # Without a call in between, in which another thread could go on.
        counts.batches += 1
        counts.asked += sent.asked - sent.foreseen
        counts.keys += keys
        counts.queries += queries
        counts.seconds += seconds
        counts.waited += waited
        counts.errors += sent.errors
        counts.from_redis += from_redis
