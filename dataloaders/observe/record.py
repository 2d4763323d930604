"""The record of one scope: what its loaders were asked, and what was sent for that.

A record keeps numbers, places and texts of statements; no value, and of keys a short text where
they may be shown. Threads add to it at once, by single operations that need no lock.
"""

from __future__ import annotations

import logging
import time
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from dataloaders.stats import Stats

from .findings import find, late
from .loader_record import LoaderRecord
from .places import place_at
from .repeats import Repeats
from .texts import Texts

if TYPE_CHECKING:
    from dataloaders.loader import DataLoader
    from dataloaders.scope import LoaderScope

    from .batches import BatchRecord
    from .findings import Finding
    from .lookups import Lookup
    from .observer import Listener, Observer
    from .places import Place, Spot

logger = logging.getLogger(__name__)

MAX_BATCHES: Final = 500
"""Batches of one record that are kept one by one; further ones are counted."""

MAX_LATE: Final = 20
"""Places that ask too late of which a record takes note."""


class Record:
    """What happened in one scope.

    Args:
        scope: The scope; None of a loader that was made by hand.
        observers: Who hears of it.

    Attributes:
        name: What it is called: of a request, its method and path.
        group: What it is counted with: of a request, its endpoint.
        began: When it began, in seconds since 1970.
        begun: The same by `perf_counter`.
        ended_at: When it was over, by `perf_counter`; None while it is not.
        is_common: Whether it is of no request: then nobody can say what should go together.
        is_by_hand: Whether it is of a loader that was made by hand, which may serve many requests:
            then only what a loop asks for should go together.
        loaders: What was asked of its loaders, by their names.
        batches: The batches, in the order of sending, as far as they are kept.
        lookups: The lookups, in their order, as far as observers want them one by one.
        late: Where loaders were asked too late, and how often.
        findings: What could be better; once it is over, and what comes too late.
        texts: What is kept of statements and keys.
        repeats: Batches of one key that follow each other, if somebody wants to know of them.
    """

    def __init__(self, scope: LoaderScope | None, observers: list[Observer]) -> None:
        self.is_common = scope is not None and scope.is_common
        self.is_by_hand = scope is None
        self.name = self.group = "by hand" if scope is None else "scope"
        self.began = time.time()
        self.begun = perf_counter()
        self.ended_at: float | None = None
        self.loaders: dict[str, LoaderRecord] = {}
        self.batches: list[BatchRecord] = []
        self.lookups: list[Lookup] = []
        self.late: dict[tuple[str, Place], int] = {}
        self.findings: list[Finding] = []
        self.texts = Texts()
        self.repeats = Repeats()
        self._before: dict[Observer, dict[str, Stats]] = {}
        self.observers: list[Observer] = []
        self.keeps_lookups = self.detects = self.shows_keys = False
        for observer in observers:
            self.be_observed_by(observer)

    def be_observed_by(self, observer: Observer) -> None:
        """Has one more observer hear of it, from now on."""
        if self.loaders:
            before = {name: loader.stats.copy() for name, loader in self.loaders.items()}
            for each in before.values():  # what nobody has asked for yet, somebody still may
                each.expected = each.used
            self._before[observer] = before
        self.observers.append(observer)
        self.keeps_lookups |= observer.keeps_lookups
        self.detects |= observer.detect != "off" and not self.is_common
        self.shows_keys |= observer.shows_keys
        self.texts.keeps_statements |= observer.keeps_lookups or bool(observer.listeners)
        for loader in list(self.loaders.values()):
            loader.wants_each |= self.keeps_lookups
            loader.shows_keys = self.shows_keys

    def be_left_by(self, observer: Observer) -> None:
        """Tells an observer what there is until now, and no more from now on."""
        if observer in self.observers:
            if self.needs_callers:
                self.sum_up()
            observer.take(self)
            self.observers.remove(observer)

    def stats_heard_by(self, listener: Listener) -> dict[str, Stats]:
        """Returns the counts of each loader since a listener's observer hears of them."""
        observers = [each for each in self.observers if listener in each.listeners]
        return self.stats_for(observers[0] if observers else None)

    def stats_for(self, observer: Observer | None) -> dict[str, Stats]:
        """Returns the counts of each loader since an observer hears of them; without one, all."""
        stats = {name: loader.stats for name, loader in list(self.loaders.items())}
        before = None if observer is None else self._before.get(observer)
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
        return Stats.sum_of(loader.stats for loader in list(self.loaders.values()))

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

    def add_to_totals(self, loader: str, stats: Stats) -> None:
        """Has observers count what was under way when the scope was over, and has ended since."""
        for observer in self.observers:
            observer.take_late(self.group, loader, stats)

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
