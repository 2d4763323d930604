"""The Prometheus exporter, read back from its exposition."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry, Counter
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, insert

from dataloaders import DataLoader, LoaderRegistry
from dataloaders.observe import Observer
from dataloaders.observe.metrics import MAX_LOADERS
from dataloaders.observe.prometheus import PrometheusExporter
from dataloaders.sql import TableLoader
from dataloaders.sql.registry import EngineRegistry
from dataloaders.tiers.tiers import Tiers
from tests.observe.reading import samples_in, value_of
from tests.threads import run_green

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine

TABLE = Table(
    "names",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("language", String(2), primary_key=True),
    Column("name", String(20)),
)


ROWS = [
    {"id": number, "language": language, "name": f"{number} {language}"}
    for number in range(10)
    for language in ("de", "en")
]
A, B, C, D = [(1, "de"), (2, "de"), (3, "en"), (4, "en")]


class Doubles(DataLoader[int, int]):
    def batch_load(self, keys: list[int]) -> list[Any]:
        return [ValueError(key) if key < 0 else 2 * key for key in keys]


class Other(Doubles):
    pass


class Names(TableLoader[Any]):
    table, key = TABLE, ("id", "language")


class Shared(Names):
    shared, lookahead = True, "off"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path / 'names.db'}")
    TABLE.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(TABLE), ROWS)
    yield engine
    engine.dispose()


@pytest.fixture
def metrics() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def loaders(metrics: CollectorRegistry) -> LoaderRegistry:
    return watched(metrics)


def watched(metrics: CollectorRegistry, **options: Any) -> LoaderRegistry:  # noqa: ANN401 - an Observer's
    registry = LoaderRegistry()
    Observer([PrometheusExporter(metrics)], **options).watch(registry)
    return registry


def lookups(metrics: CollectorRegistry, loader: str) -> dict[str, float]:
    """How many lookups there were, by who had the answer."""
    return {
        dict(labels)["answered_by"]: value
        for (name, labels), value in samples_in(metrics).items()
        if name == "dataloaders_lookups_total" and ("loader", loader) in labels
    }


def texts(records: list[Any]) -> list[str]:
    return [record.name for record in records]


def test_lookups_are_counted_by_who_had_the_answer(
    metrics: CollectorRegistry, loaders: LoaderRegistry
) -> None:
    with loaders.scope() as scope:
        loader = scope.loader(Doubles)
        loader.get_many([1, 2, 3])  # by a batch
        loader.get(1)  # known
        loader.get(2)
        loader.expect([7, 8, 9]).get(6)  # by a batch, with which three more go
        loader.get(7)
        scope.loader(Other).get(1)
    assert lookups(metrics, "Doubles") == {"batch": 4, "loader": 2, "lookahead": 1}
    assert lookups(metrics, "Other") == {"batch": 1}
    found = samples_in(metrics)
    went_along = "dataloaders_lookahead_keys_total"
    assert value_of(found, went_along, loader="Doubles", outcome="used") == 1
    assert value_of(found, went_along, loader="Doubles", outcome="wasted") == 2
    assert value_of(found, "dataloaders_scopes_total") == 1


def test_batches_are_counted_and_measured(
    metrics: CollectorRegistry, loaders: LoaderRegistry
) -> None:
    async def load(loader: Doubles) -> None:
        await asyncio.gather(*map(loader.load, range(100, 130)))

    with loaders.scope() as scope:
        loader = scope.loader(Doubles)
        loader.get_many([1, 2, 3])
        loader.get(4)
        asyncio.run(load(loader))
    found = samples_in(metrics)
    assert value_of(found, "dataloaders_batches_total", loader="Doubles", cause="at once") == 2
    assert value_of(found, "dataloaders_batches_total", loader="Doubles", cause="tick") == 1
    assert value_of(found, "dataloaders_queries_total", loader="Doubles") == 3
    of_size = {
        le: value_of(found, "dataloaders_batch_keys_bucket", loader="Doubles", le=le)
        for le in ("1.0", "2.0", "5.0", "20.0", "50.0", "+Inf")
    }
    assert of_size == {"1.0": 1, "2.0": 1, "5.0": 2, "20.0": 2, "50.0": 3, "+Inf": 3}
    assert value_of(found, "dataloaders_batch_keys_sum") == 34
    for name in ("dataloaders_batch_duration_seconds", "dataloaders_batch_wait_seconds"):
        assert value_of(found, f"{name}_count", loader="Doubles") == 3
        assert 0 < value_of(found, f"{name}_sum", loader="Doubles") < 60


def test_statements_are_the_queries_of_a_table(
    metrics: CollectorRegistry, database: Engine
) -> None:
    registry = EngineRegistry(database)
    Observer([PrometheusExporter(metrics)]).watch(registry)
    with registry.scope() as scope:
        loader = scope.loader(Names)
        assert texts(loader.get_many([A, B, C])) == ["1 de", "2 de", "3 en"]
        assert texts(loader.get_many([A, D])) == ["1 de", "4 en"]
    assert value_of(samples_in(metrics), "dataloaders_queries_total", loader="Names") == 2
    assert lookups(metrics, "Names") == {"batch": 4, "loader": 1}


def test_a_tier_in_the_process_has_answers(metrics: CollectorRegistry, database: Engine) -> None:
    registry = EngineRegistry(database, Tiers())
    Observer([PrometheusExporter(metrics)]).watch(registry)
    for _ in range(3):
        with registry.scope() as scope:
            loader = scope.loader(Shared)
            first = loader.get(A)
            other = loader.get(("2", "de"))  # a key that has to be cast
            assert texts([first, other, loader.get(B)]) == ["1 de", "2 de", "2 de"]
    assert lookups(metrics, "Shared") == {"batch": 2, "process": 4, "loader": 3}


def test_keys_that_fail_are_counted(metrics: CollectorRegistry, loaders: LoaderRegistry) -> None:
    with loaders.scope() as scope:
        answers = scope.loader(Doubles).get_many([1, -2, -3], return_exceptions=True)
        assert [type(answer) for answer in answers] == [int, ValueError, ValueError]
    assert value_of(samples_in(metrics), "dataloaders_errors_total", loader="Doubles") == 2


def test_findings_are_counted_by_kind_unless_they_are_allowed(metrics: CollectorRegistry) -> None:
    loaders = watched(metrics, detect="log", allow=["Other"])
    for _ in range(2):
        with loaders.scope() as scope:
            for loader in (scope.loader(Doubles), scope.loader(Other)):
                for key in range(5):
                    loader.get(key)
    found = samples_in(metrics)
    assert value_of(found, "dataloaders_findings_total", loader="Doubles", kind="n+1") == 2
    assert value_of(found, "dataloaders_findings_total") == 2


def test_exporters_of_one_registry_keep_the_same_metrics(metrics: CollectorRegistry) -> None:
    for loaders in (watched(metrics), watched(metrics)):
        with loaders.scope() as scope:
            scope.loader(Doubles).get(1)
    assert lookups(metrics, "Doubles") == {"batch": 2}


def test_other_metrics_of_these_names_are_refused_by_name(metrics: CollectorRegistry) -> None:
    Counter("dataloaders_lookups", "Another's.", registry=metrics)
    with pytest.raises(ValueError, match="dataloaders_lookups"):
        PrometheusExporter(metrics)


def test_there_are_not_more_labels_than_loaders_that_a_program_may_well_have(
    metrics: CollectorRegistry, loaders: LoaderRegistry
) -> None:
    many = MAX_LOADERS + 50
    with loaders.scope() as scope:
        for number in range(many):
            scope.loader(type(f"Loader{number}", (Doubles,), {})).get(1)
    found = samples_in(metrics)
    assert value_of(found, "dataloaders_lookups_total", loader="others", answered_by="batch") == 50
    assert value_of(found, "dataloaders_batches_total") == many
    labels = {dict(labels).get("loader") for _, labels in found} - {None}
    assert len(labels) == MAX_LOADERS + 1


@pytest.mark.parametrize("green", ["none", "gevent", "eventlet"])
def test_threads_miss_nothing(green: str) -> None:
    assert run_green(green, THREADS) == "2000.0 2000.0"


THREADS = """
from concurrent.futures import ThreadPoolExecutor
from prometheus_client import CollectorRegistry
from dataloaders import DataLoader, LoaderRegistry
from dataloaders.observe import Observer
from dataloaders.observe.prometheus import PrometheusExporter

class Doubles(DataLoader):
    def batch_load(self, keys):
        return [2 * key for key in keys]

metrics, loaders = CollectorRegistry(), LoaderRegistry()
Observer([PrometheusExporter(metrics)]).watch(loaders)

def request(number):
    with loaders.scope() as scope:
        for key in range(10):
            scope.loader(Doubles).get(10 * number + key)

with ThreadPoolExecutor(16) as executor:
    list(executor.map(request, range(200)))

def total(name, **labels):
    return sum(
        sample.value for family in metrics.collect() for sample in family.samples
        if sample.name == name
    )

print(total("dataloaders_lookups_total"), total("dataloaders_batch_keys_sum"))
"""
