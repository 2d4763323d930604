"""Prometheus: what loaders do, as metrics of its client library (the extra `prometheus`)."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from prometheus_client import REGISTRY, Counter, Histogram

from dataloaders.forking import hold_across_forks

from .metrics import METRICS, SECONDS, MetricsListener

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from dataloaders.batch import Batch

    from .batches import BatchRecord
    from .metrics import Metric
    from .record import Record

_Kept = dict[str, Counter | Histogram]

# An application factory may run more than once in a process, and a registry takes each name once.
_kept: Final[WeakKeyDictionary[CollectorRegistry, _Kept]] = WeakKeyDictionary()
_making: Final = threading.Lock()
hold_across_forks(_making)
# The library's own locks are held under this one alone. A thread may take it again, as the garbage
# collector may end a scope while another one's metrics are added to.
_adding: Final = threading.RLock()
hold_across_forks(_adding)


class PrometheusExporter(MetricsListener):
    """Keeps counters and histograms of what an observer observes.

    For example::

        Observer([PrometheusExporter()]).watch(master)

    Exporters of one registry keep the same metrics. In the client library's multiprocess mode they
    are those of all processes.

    Args:
        registry: Where the metrics are to be found.

    Raises:
        ValueError: The registry has other metrics of these names.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        super().__init__()
        with _making:
            kept = _kept.get(registry)
            if kept is None:
                kept = {metric.name: _make(metric, registry) for metric in METRICS}
                _kept[registry] = kept
        self._metrics = kept
        self._of_labels: dict[tuple[str, ...], Counter | Histogram] = {}

    def scope_ended(self, record: Record) -> None:
        """Adds what is known once a scope is over."""
        with _adding:
            super().scope_ended(record)

    def batch_ended(self, sent: BatchRecord, batch: Batch) -> None:
        """Adds a batch."""
        with _adding:
            super().batch_ended(sent, batch)

    def add(self, metric: Metric, amount: float, *labels: str) -> None:
        """Adds to a metric."""
        found = self._of_labels.get((metric.name, *labels))
        if found is None:
            kept = self._metrics[metric.name]
            found = kept.labels(*labels) if labels else kept
            self._of_labels[(metric.name, *labels)] = found
        if isinstance(found, Counter):
            found.inc(amount)
        else:
            found.observe(amount)


def _make(metric: Metric, registry: CollectorRegistry) -> Counter | Histogram:
    name = metric.name.replace(".", "_")
    unit = "seconds" if metric.unit == SECONDS else ""
    if metric.buckets is None:
        return Counter(name, metric.description, metric.labels, unit=unit, registry=registry)
    return Histogram(
        name,
        metric.description,
        metric.labels,
        unit=unit,
        registry=registry,
        buckets=metric.buckets,
    )
