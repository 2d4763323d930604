"""The metrics that exporters keep: what there is, and how much of it scopes and batches add.

`dataloaders.batch.duration`, in seconds, is `dataloaders_batch_duration_seconds` in Prometheus,
whichever of the two exporters it comes from.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .observer import Listener
from .totals import OTHERS

if TYPE_CHECKING:
    from dataloaders.batch import Batch
    from dataloaders.stats import Stats

    from .batches import BatchRecord
    from .record import Record

MAX_LOADERS: Final = 200
"""Names of loaders that are told apart; further ones are `OTHERS`."""

SECONDS: Final = "s"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: a counter, or a histogram.

    Attributes:
        name: With dots, and without its unit.
        unit: "s", or in braces what is counted.
        description: What it says.
        labels: The names of its labels.
        buckets: Of a histogram, the upper bounds of its buckets; None of a counter.
    """

    name: str
    unit: str
    description: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...] | None = None


_OF_SECONDS: Final = (
    *(0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    30.0,  # a source that allows a call a second makes some callers wait that long
)
_OF_KEYS: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0)

SCOPES: Final = Metric("dataloaders.scopes", "{scope}", "Scopes that are over.", ())
LOOKUPS: Final = Metric(
    "dataloaders.lookups",
    "{key}",
    "Keys that callers asked for, by who had the answer.",
    ("loader", "answered_by"),
)
LOOKAHEAD: Final = Metric(
    "dataloaders.lookahead.keys",
    "{key}",
    "Keys that look-ahead had go along, by whether anybody has asked for them.",
    ("loader", "outcome"),
)
FINDINGS: Final = Metric(
    "dataloaders.findings", "{finding}", "What could be better, by its kind.", ("loader", "kind")
)
BATCHES: Final = Metric(
    "dataloaders.batches", "{batch}", "Batches, by what has sent them.", ("loader", "cause")
)
BATCH_KEYS: Final = Metric(
    "dataloaders.batch.keys", "{key}", "Keys of a batch.", ("loader",), _OF_KEYS
)
BATCH_DURATION: Final = Metric(
    "dataloaders.batch.duration",
    SECONDS,
    "What a batch took from when it was sent.",
    ("loader",),
    _OF_SECONDS,
)
BATCH_WAIT: Final = Metric(
    "dataloaders.batch.wait",
    SECONDS,
    "How long the first key of a batch waited until it was sent.",
    ("loader",),
    _OF_SECONDS,
)
QUERIES: Final = Metric(
    "dataloaders.queries",
    "{query}",
    "How often sources were asked: statements, or calls of batch functions.",
    ("loader",),
)
TIER_KEYS: Final = Metric(
    "dataloaders.tier.keys", "{key}", "Keys of batches that a tier had.", ("loader", "tier")
)
ERRORS: Final = Metric(
    "dataloaders.errors", "{key}", "Keys that were answered by an error.", ("loader",)
)

METRICS: Final = (
    *(SCOPES, LOOKUPS, LOOKAHEAD, FINDINGS, BATCHES, BATCH_KEYS, BATCH_DURATION, BATCH_WAIT),
    *(QUERIES, TIER_KEYS, ERRORS),
)


class MetricsListener(Listener, ABC):
    """Keeps the metrics, in whatever a subclass has for that."""

    def __init__(self) -> None:
        self._loaders: set[str] = set()

    @abstractmethod
    def add(self, metric: Metric, amount: float, *labels: str) -> None:
        """Adds to a counter, or one value to a histogram.

        Args:
            metric: Which.
            amount: How much; not less than 0.
            labels: The values of its labels.
        """

    def scope_ended(self, record: Record) -> None:
        """Adds what is known once a scope is over."""
        self.add(SCOPES, 1)
        for name, stats in record.stats_heard_by(self).items():
            label = self._label(name)
            for answered_by, keys in _answered_by(stats).items():
                if keys > 0:  # threads count without a lock, so that some may be missed
                    self.add(LOOKUPS, keys, label, answered_by)
            for outcome, keys in (("used", stats.used), ("wasted", stats.wasted)):
                if keys > 0:
                    self.add(LOOKAHEAD, keys, label, outcome)
        for finding in record.findings:
            if not all(observer.allows(finding) for observer in record.observers):
                self.add(FINDINGS, 1, self._label(finding.loader), finding.kind)

    def batch_ended(self, sent: BatchRecord, batch: Batch) -> None:  # noqa: ARG002 - the listener's signature
        """Adds a batch; not when its scope is over, of which the record has but some of many."""
        label = self._label(sent.loader)
        self.add(BATCHES, 1, label, sent.cause)
        self.add(BATCH_KEYS, sent.keys, label)
        self.add(BATCH_DURATION, sent.seconds, label)
        self.add(BATCH_WAIT, sent.waited, label)
        self.add(QUERIES, sent.queries, label)
        for tier, keys in sent.answered.items():
            self.add(TIER_KEYS, keys, label, tier)
        if sent.errors:
            self.add(ERRORS, sent.errors, label)

    def _label(self, loader: str) -> str:
        """Returns what a loader is called: its name, as long as there are few."""
        if loader in self._loaders:
            return loader
        if len(self._loaders) >= MAX_LOADERS:
            return OTHERS
        self._loaders.add(loader)
        return loader


def _answered_by(stats: Stats) -> dict[str, int]:
    return {
        "batch": stats.asked,
        "lookahead": min(stats.used, stats.hits - stats.from_process),
        "process": stats.from_process,
        "loader": stats.known,
    }
