"""Reads what Prometheus' exposition says, by its client library's own parser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples_of(exposition: str) -> Samples:
    """Returns the value of each sample, by its name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def samples_in(registry: CollectorRegistry) -> Samples:
    return samples_of(generate_latest(registry).decode())


def value_of(samples: Samples, name: str, **labels: str) -> float:
    """Returns the sum of the samples of a name that have these labels."""
    wanted = set(labels.items())
    return sum(
        value for (its_name, its), value in samples.items() if its_name == name and wanted <= its
    )
