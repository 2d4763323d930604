"""Observers: who wants to know what loaders do, how closely, and what is to be made of it."""

from __future__ import annotations

import fnmatch
import logging
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from dataloaders.errors import ConfigurationError
from dataloaders.forking import Locked
from dataloaders.scope import all_open_scopes, watch_scopes

from .by_hand import ByHand
from .record import Record
from .totals import Totals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dataloaders.batch import Batch
    from dataloaders.scope import LoaderRegistry, LoaderScope
    from dataloaders.stats import Stats

    from .batches import BatchRecord
    from .findings import Finding

logger = logging.getLogger("dataloaders.observe")

DETECT: Final = ("off", "log", "raise")

MAX_LOGGED: Final = 1_000
"""Findings of a process that are logged: each once."""


def checked_detect(name: str, value: object) -> str:
    """Returns what is made of findings.

    Args:
        name: Where it is set, for the error.
        value: What is set there.

    Raises:
        ConfigurationError: It is none of DETECT.
    """
    if value not in DETECT:
        raise ConfigurationError(name, f"one of {', '.join(DETECT)}", value)
    return str(value)


class Listener:
    """Hears of what an observer observes: override what is of interest.

    What a listener raises is logged, and harms nobody.
    """

    def scope_ended(self, record: Record) -> None:
        """Called with the record of a scope that is over, in the thread that has ended it."""

    def batch_began(self, sent: BatchRecord, batch: Batch) -> None:
        """Called with a batch that is sent, in the context of its batch function."""

    def batch_ended(self, sent: BatchRecord, batch: Batch) -> None:
        """Called with a batch that has its answers."""

    def batch_interrupted(self, sent: BatchRecord, batch: Batch) -> None:
        """Called with a batch that was cancelled or killed; it may be sent, and begin, again."""


class Observer(Locked):
    """Has the scopes of a registry, or of the whole process, recorded.

    For example::

        observer = Observer(detect="log")
        observer.watch(master)
        with master.scope() as scope:
            ...
            print(scope.stats)
        print(observer.totals.total)

    Args:
        listeners: Who hears of it.
        keeps_lookups: Whether lookups are kept one by one, each with its place.
        detect: What is made of findings: "off", "log", or "raise", which has the lookup that
            would be one too many raise an NPlusOneError, and logs the rest.
        allow: Patterns of what is not to be detected, as of `fnmatch`: the name of a loader, of a
            function, or of a file and line (`*/legacy/*`, `*/orders.py:12`).
        shows_keys: Whether short texts of keys and parameters are kept.

    Raises:
        ConfigurationError: `detect` is none of these.
    """

    def __init__(
        self,
        listeners: Iterable[Listener] = (),
        *,
        keeps_lookups: bool = False,
        detect: str = "off",
        allow: Iterable[str] = (),
        shows_keys: bool = False,
    ) -> None:
        super().__init__()
        self.listeners = list(listeners)
        self.keeps_lookups = keeps_lookups
        self.detect = checked_detect("detect", detect)
        self.allow = tuple(allow)
        self.shows_keys = shows_keys
        self._totals = Totals()
        self._logged: set[object] = set()

    def watch(self, registry: LoaderRegistry | None = None) -> None:
        """Begins to observe the scopes of a registry, or without one, of the process.

        Those of a registry that are open already are not observed; of the process, all are, from
        now on, and so are loaders that are made by hand, of which each is a scope of its own.
        """
        _attached.begin(self, registry)
        if registry is None:
            _attached.by_hand.begin(self)
            for scope in all_open_scopes():
                _observe(scope, self)

    def stop(self) -> None:
        """Ends all that `watch` has begun; scopes that are open are observed to their end."""
        _attached.end(self)
        _attached.by_hand.end(self)

    # -- what was counted

    @property
    def totals(self) -> Totals:
        """The counts of the scopes that are over."""
        _attached.by_hand.tell()
        with self._lock:
            return self._totals.copy()

    # -- what records tell it

    def take(self, record: Record) -> None:
        """Takes the record of a scope that is over."""
        loaders = record.stats_for(self)
        with self._lock:
            self._totals.add(record.group, loaders, len(record.findings))
        for finding in record.findings:
            self.found(finding)
        self._tell(lambda listener: listener.scope_ended(record))

    def take_late(self, group: str, loader: str, stats: Stats) -> None:
        """Takes what has ended in a scope that was over."""
        with self._lock:
            self._totals.add(group, {loader: stats}, findings=0, scopes=0)

    def found(self, finding: Finding) -> None:
        """Logs a finding that is not allowed, once."""
        if self.detect == "off" or self.allows(finding) or len(self._logged) >= MAX_LOGGED:
            return
        identity = (finding.kind, finding.loader, finding.place, finding.loop)
        with self._lock:
            is_new = identity not in self._logged
            self._logged.add(identity)
        if is_new:
            logger.warning("%s", finding)

    def allows(self, finding: Finding) -> bool:
        """Whether a finding is not to be detected."""
        return any(
            fnmatch.fnmatchcase(name, pattern) for name in _names(finding) for pattern in self.allow
        )

    def batch_began(self, sent: BatchRecord, batch: Batch) -> None:
        """Tells its listeners."""
        self._tell(lambda listener: listener.batch_began(sent, batch))

    def batch_ended(self, sent: BatchRecord, batch: Batch) -> None:
        """Tells its listeners."""
        self._tell(lambda listener: listener.batch_ended(sent, batch))

    def batch_interrupted(self, sent: BatchRecord, batch: Batch) -> None:
        """Tells its listeners."""
        self._tell(lambda listener: listener.batch_interrupted(sent, batch))

    def _tell(self, something: Callable[[Listener], None]) -> None:
        for listener in self.listeners:
            try:
                something(listener)
            except Exception:  # whatever it raises: those who are watched must not fail of that
                logger.exception("A listener failed.")


def _names(finding: Finding) -> Iterator[str]:
    yield finding.loader
    for place in (finding.place, finding.loop):
        if place is not None:
            yield from (place.function, place.file, f"{place.file}:{place.line}")


class _Attached(Locked):
    """Who observes what, in this process."""

    def __init__(self) -> None:
        super().__init__()
        self._everything: tuple[Observer, ...] = ()
        self._of: WeakKeyDictionary[LoaderRegistry, tuple[Observer, ...]] = WeakKeyDictionary()
        self.by_hand = ByHand(lambda: self._everything)

    def begin(self, observer: Observer, registry: LoaderRegistry | None) -> None:
        with self._lock:
            if registry is None:
                self._everything = (*self._everything, observer)
            else:
                self._of[registry] = (*self._of.get(registry, ()), observer)
                registry.forget_common_scope()
            watch_scopes(self.record_of)

    def end(self, observer: Observer) -> None:
        with self._lock:
            self._everything = _without(observer, self._everything)
            for registry, observers in list(self._of.items()):
                self._of[registry] = _without(observer, observers)
            if not (self._everything or any(self._of.values())):
                watch_scopes(None)

    def record_of(self, scope: LoaderScope) -> Record | None:
        """Returns the record of a new scope, if anybody observes it."""
        observers = [*self._everything, *self._of.get(scope.registry, ())]
        return Record(scope, observers) if observers else None


def _without(observer: Observer, observers: tuple[Observer, ...]) -> tuple[Observer, ...]:
    return tuple([each for each in observers if each is not observer])


_attached = _Attached()


def open_records() -> list[Record]:
    """Returns the records of what is not over, as far as somebody has asked for something."""
    of_scopes = [scope.watch for scope in all_open_scopes() if isinstance(scope.watch, Record)]
    return [*of_scopes, *_attached.by_hand.records()]


def _observe(scope: LoaderScope, observer: Observer) -> None:
    """Has a scope be observed that is open already."""
    if isinstance(scope.watch, Record):
        scope.watch.be_observed_by(observer)
        return
    record = Record(scope, [observer])
    scope.watch = record
    for loader in list(scope.loaders.values()):
        loader.watch = record.watch(loader)
