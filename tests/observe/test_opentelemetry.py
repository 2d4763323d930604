"""The OpenTelemetry exporter, read back from its SDK."""

from __future__ import annotations

import asyncio
import contextvars
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, insert

from dataloaders import DataLoader, LoaderRegistry
from dataloaders.errors import BatchAbortedError, BatchTimeoutError
from dataloaders.observe import Observer
from dataloaders.observe.opentelemetry import OpenTelemetryExporter
from dataloaders.remote import Rate, RemoteLoader, RemoteSource
from dataloaders.sql import TableLoader
from dataloaders.sql.registry import EngineRegistry
from tests.threads import SECONDS, run_green, spawn, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Span

    from dataloaders import LoaderScope

TABLE = Table("names", MetaData(), Column("id", Integer, primary_key=True), Column("name", String))


class Names(TableLoader[Any]):
    table, key, lookahead = TABLE, ("id",), "explicit"


class World:
    """Loaders that are watched, and the spans and metrics that there are."""

    def __init__(self) -> None:
        self.memory = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.memory))
        self.tracer = self.provider.get_tracer("application")
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader])
        self.loaders = LoaderRegistry()
        self.exporter = OpenTelemetryExporter(self.provider, self.meters)
        self.watch(self.loaders)

    def watch(self, registry: LoaderRegistry, **options: Any) -> None:  # noqa: ANN401 - an Observer's
        Observer([self.exporter], **options).watch(registry)

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        """The spans that have ended, by name; each name may be there once."""
        spans = self.memory.get_finished_spans()
        found = {span.name: span for span in spans}
        assert len(found) == len(spans), [span.name for span in spans]
        return found

    def close(self) -> None:
        assert self.exporter._open == {}  # nothing is kept of what is over
        self.provider.shutdown()
        self.meters.shutdown()


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


def parent_of(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def id_of(span: ReadableSpan | Span) -> int:
    context = span.get_span_context()
    assert context is not None
    return context.span_id


def linked(span: ReadableSpan) -> set[int]:
    return {link.context.span_id for link in span.links}


class Source:
    """A batch function that makes a span of its own, and may be held up."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.is_held = False
        self.under_way = threading.Event()
        self.finish = threading.Event()
        self.calls = 0

    def __call__(self, keys: list[int]) -> list[Any]:
        with self.world.tracer.start_as_current_span(f"call {self.calls}"):
            self.calls += 1
            if self.is_held:
                self.under_way.set()
                assert self.finish.wait(SECONDS)
        return [ValueError(f"not {key}") if key < 0 else 2 * key for key in keys]

    def loader_class(self, **attributes: Any) -> type[DataLoader[int, int]]:  # noqa: ANN401 - a class's
        def batch_load(_loader: object, keys: list[int]) -> list[Any]:
            return self(keys)

        return type("Doubles", (DataLoader,), {"batch_load": batch_load, **attributes})


def test_a_batch_is_within_its_callers_span_and_the_source_within_the_batch(world: World) -> None:
    source = Source(world)
    with world.tracer.start_as_current_span("request"), world.loaders.scope() as scope:
        before = trace.get_current_span()
        scope.loader(source.loader_class()).expect([2, 3]).get(1)
        assert trace.get_current_span() is before
    batch = world.spans["Doubles batch"]
    assert parent_of(batch) == id_of(world.spans["request"])
    assert parent_of(world.spans["call 0"]) == id_of(batch)
    assert linked(batch) == set()
    assert batch.status.status_code is StatusCode.UNSET
    assert dict(batch.attributes or {}) == {
        "dataloaders.loader": "Doubles",
        "dataloaders.batch.cause": "at once",
        "dataloaders.batch.keys": 3,
        "dataloaders.batch.asked": 1,
        "dataloaders.batch.expected": 2,
        "dataloaders.batch.queries": 1,
    }
    call = world.spans["call 0"]
    assert batch.start_time is not None
    assert call.start_time is not None
    assert call.end_time is not None
    assert batch.end_time is not None
    assert batch.start_time <= call.start_time <= call.end_time <= batch.end_time


def test_the_place_is_told_where_it_is_known(world: World) -> None:
    registry = LoaderRegistry()
    world.watch(registry, detect="log")
    with registry.scope() as scope:
        scope.loader(Source(world).loader_class()).get(1)
    attributes = world.spans["Doubles batch"].attributes or {}
    assert attributes["code.file.path"] == __file__
    assert attributes["code.function.name"] == "test_the_place_is_told_where_it_is_known"


def in_a_span(world: World, name: str, scope: LoaderScope, function: Callable[[], Any]) -> Any:  # noqa: ANN401 - what that returns
    def run() -> Any:  # noqa: ANN401 - as above
        with world.tracer.start_as_current_span(name):
            return scope.run(function)

    return contextvars.Context().run(run)


def test_a_batch_of_several_requests_is_linked_with_each(world: World) -> None:
    source = Source(world)
    source.is_held = True
    with world.loaders.scope() as scope:
        loader = scope.loader(source.loader_class())
        leader = spawn(in_a_span, world, "request 0", scope, lambda: loader.get(0))
        assert source.under_way.wait(SECONDS)
        others = [
            spawn(in_a_span, world, f"request {key}", scope, lambda key=key: loader.get(key))
            for key in (1, 2)
        ]
        others.append(spawn(scope.run, lambda: loader.get(3)))  # of no trace at all
        until(lambda: any(len(batch.keys) == 3 for batch in loader._turns._queue))
        first = world.memory.get_finished_spans()
        assert first == ()
        source.finish.set()
        assert [each.result(SECONDS) for each in (leader, *others)] == [0, 2, 4, 6]
    spans = world.memory.get_finished_spans()
    requests = {span.name: id_of(span) for span in spans if span.name.startswith("request")}
    alone, together = sorted(
        (span for span in spans if span.name == "Doubles batch"),
        key=lambda span: span.start_time or 0,
    )
    assert (parent_of(alone), linked(alone)) == (requests["request 0"], set())
    assert parent_of(together) is None
    assert linked(together) == {requests["request 1"], requests["request 2"]}
    (call,) = [span for span in spans if span.name == "call 1"]
    assert parent_of(call) == id_of(together)


def test_who_joins_a_batch_under_way_is_linked_too(world: World) -> None:
    source = Source(world)
    source.is_held = True
    with world.loaders.scope() as scope:
        loader = scope.loader(source.loader_class())
        leader = spawn(in_a_span, world, "leader", scope, lambda: loader.get(0))
        assert source.under_way.wait(SECONDS)
        (batch,) = loader._store.pending.batches
        follower = spawn(in_a_span, world, "follower", scope, lambda: loader.get(0))
        until(lambda: bool(batch.other_contexts))
        source.finish.set()
        assert (leader.result(SECONDS), follower.result(SECONDS)) == (0, 0)
    span = world.spans["Doubles batch"]
    assert parent_of(span) == id_of(world.spans["leader"])
    assert linked(span) == {id_of(world.spans["follower"])}


AT_EXIT = """
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader
provider = MeterProvider([PeriodicExportingMetricReader(ConsoleMetricExporter())])
from dataloaders import DataLoader
from dataloaders.observe import Observer
from dataloaders.observe.opentelemetry import OpenTelemetryExporter
class Loader(DataLoader):
    shared = True
    def batch_load(self, keys):
        return keys
Observer([OpenTelemetryExporter(meter_provider=provider)]).watch()
Loader.current().get_many([1, 2])
"""


def test_what_a_process_asks_for_last_is_exported() -> None:
    (exported,) = json.loads(run_green("none", AT_EXIT))["resource_metrics"]
    (scope,) = exported["scope_metrics"]
    counted = {metric["name"]: metric["data"]["data_points"] for metric in scope["metrics"]}
    assert [point["value"] for point in counted["dataloaders.lookups"]] == [2]


async def test_tasks_that_join_a_batch_under_way_together_are_each_linked(world: World) -> None:
    under_way = asyncio.Event()

    class Loads(DataLoader[int, int]):
        async def batch_load(self, keys: list[int]) -> list[int]:
            under_way.set()
            await asyncio.sleep(0.01)
            return keys

    async def request(name: str, *keys: int) -> None:
        with world.tracer.start_as_current_span(name):
            await asyncio.gather(*map(loader.load, keys))

    async with world.loaders.scope() as scope:
        loader = scope.loader(Loads)
        leader = asyncio.create_task(request("leader", 1))
        await under_way.wait()
        await asyncio.gather(*[request(f"follower {n}", 1) for n in range(3)], request("own", 1, 2))
        await leader
    names = {id_of(span): span.name for span in world.memory.get_finished_spans()}
    first, second = [
        ({names[each] for each in linked(span)}, names[parent_of(span) or 0])
        for span in world.memory.get_finished_spans()
        if span.name == "Loads batch"
    ]
    assert first == ({"follower 0", "follower 1", "follower 2", "own"}, "leader")
    assert second == (set(), "own")


@pytest.mark.parametrize("is_async", [True, False])
def test_tasks_of_one_trace_have_their_batch_in_it(world: World, is_async: bool) -> None:  # noqa: FBT001 - a test's parameter
    source = Source(world)

    async def batch_load(_loader: object, keys: list[int]) -> list[int]:
        await asyncio.sleep(0)
        return source(keys)

    attributes = {"batch_load": batch_load} if is_async else {}
    loader_class = source.loader_class(**attributes)

    async def task(loader: DataLoader[int, int], key: int) -> int:
        with world.tracer.start_as_current_span(f"task {key}"):
            return await loader.load(key)

    async def request() -> list[int]:
        with world.tracer.start_as_current_span("request"):
            async with world.loaders.scope() as scope:
                loader = scope.loader(loader_class)
                return await asyncio.gather(*[task(loader, key) for key in range(3)])

    assert asyncio.run(request()) == [0, 2, 4]
    spans = world.spans
    batch = spans["Doubles batch"]
    assert parent_of(batch) == id_of(spans["task 0"])
    assert linked(batch) == {id_of(spans["task 1"]), id_of(spans["task 2"])}
    assert parent_of(spans["call 0"]) == id_of(batch)


def test_one_task_is_the_parent_of_its_batches(world: World) -> None:
    source = Source(world)

    async def request() -> None:
        with world.tracer.start_as_current_span("request"):
            async with world.loaders.scope() as scope:
                await scope.loader(source.loader_class()).load(1)
                assert trace.get_current_span().is_recording()
                world.tracer.start_span("after").end()

    asyncio.run(request())
    spans = world.spans
    assert parent_of(spans["Doubles batch"]) == id_of(spans["request"])
    assert parent_of(spans["after"]) == id_of(spans["request"])
    assert parent_of(spans["call 0"]) == id_of(spans["Doubles batch"])


def test_the_batches_of_a_batch_function_are_within_its_own(world: World) -> None:
    source = Source(world)
    inner = source.loader_class()

    class Outer(DataLoader[int, int]):
        def batch_load(self, keys: list[int]) -> list[int]:
            return inner.current().get_many(keys)

    with world.loaders.scope() as scope:
        assert scope.loader(Outer).get(1) == 2
    assert parent_of(world.spans["Doubles batch"]) == id_of(world.spans["Outer batch"])


def test_errors_are_the_spans(world: World) -> None:
    with world.loaders.scope() as scope:
        loader = scope.loader(Source(world).loader_class())
        loader.get_many([1, -2, -3], return_exceptions=True)
    span = world.spans["Doubles batch"]
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "ValueError: 2 of 3 keys"
    attributes = span.attributes or {}
    assert attributes["error.type"] == "ValueError"
    assert attributes["dataloaders.batch.errors"] == 2
    (event,) = span.events
    assert event.name == "exception"
    assert (event.attributes or {})["exception.message"] == "not -2"


def test_a_batch_that_takes_too_long_ends_its_span(world: World) -> None:
    source = Source(world)
    source.is_held = True
    with world.loaders.scope() as scope:
        loader = scope.loader(source.loader_class(timeout=0.05))
        with pytest.raises(BatchTimeoutError):
            loader.get(1)
        span = world.spans["Doubles batch"]
        source.finish.set()
    assert span.status.status_code is StatusCode.ERROR
    recorded = {event.name: event.attributes or {} for event in span.events}
    assert (span.attributes or {})["error.type"] == recorded["exception"]["exception.type"]
    assert (span.attributes or {})["error.type"] == "dataloaders.errors.BatchTimeoutError"


def test_a_batch_that_is_cancelled_ends_its_span(world: World) -> None:
    async def batch_load(_loader: object, _keys: list[int]) -> list[int]:
        started.set()
        await asyncio.sleep(3_600)
        return []

    async def main() -> asyncio.Future[int]:
        async with world.loaders.scope() as scope:
            future = scope.loader(Source(world).loader_class(batch_load=batch_load)).load(1)
            await started.wait()
            return future  # what is left of tasks is cancelled now

    started = asyncio.Event()
    assert isinstance(asyncio.run(main()).exception(), BatchAbortedError)
    span = world.spans["Doubles batch"]
    assert span.end_time is not None
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "interrupted"


def test_a_batch_that_others_take_over_has_a_span_for_each_time(world: World) -> None:
    """A leader that is interrupted, by a signal say, leaves the others' keys to them."""
    started, finish = threading.Event(), threading.Event()
    calls: list[list[int]] = []

    def batch_load(_loader: object, keys: list[int]) -> list[int]:
        calls.append(keys)
        if len(calls) == 1:
            started.set()
            assert finish.wait(SECONDS)
            raise KeyboardInterrupt
        return [2 * key for key in keys]

    with world.loaders.scope() as scope:
        loader = scope.loader(Source(world).loader_class(batch_load=batch_load))
        leader = spawn(in_a_span, world, "leader", scope, lambda: loader.get_many([1, 2]))
        assert started.wait(SECONDS)
        (batch,) = loader._store.pending.batches
        follower = spawn(in_a_span, world, "follower", scope, lambda: loader.get(2))
        until(lambda: bool(batch.other_contexts))
        finish.set()
        with pytest.raises(KeyboardInterrupt):
            leader.result(SECONDS)
        assert follower.result(SECONDS) == 4
    assert calls == [[1, 2], [2]]
    first, second = [
        span for span in world.memory.get_finished_spans() if span.name == "Doubles batch"
    ]
    assert (first.status.status_code, second.status.status_code) == (
        StatusCode.ERROR,
        StatusCode.UNSET,
    )
    assert (second.attributes or {})["dataloaders.batch.keys"] == 1


@pytest.fixture
def names(tmp_path: Path) -> Iterator[EngineRegistry]:
    engine = create_engine(f"sqlite:///{tmp_path / 'names.db'}")
    TABLE.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(TABLE), [{"id": n, "name": f"secret {n}"} for n in range(10)])
    yield EngineRegistry(engine)
    engine.dispose()


def test_statements_are_told_without_parameters(world: World, names: EngineRegistry) -> None:
    world.watch(names)
    with names.scope() as scope:
        scope.loader(Names).get_many([1, 2, 77])
    span = world.spans["Names batch"]
    attributes = span.attributes or {}
    text = str(attributes["db.query.text"])
    assert "SELECT" in text
    assert "names" in text
    assert "77" not in text
    assert attributes["db.system.name"] == "sqlite"
    assert attributes["db.response.returned_rows"] == 2
    assert "db.operation.batch.size" not in attributes


def test_a_call_of_a_remote_source_is_within_its_batch(world: World) -> None:
    source = Source(world)

    class Numbers(RemoteSource):
        max_batch_size, rates = 10, (Rate(100, 1.0),)

        def fetch(self, keys: list[int], _account: object) -> dict[int, int]:
            return dict(zip(keys, source(keys), strict=True))

    class NumberLoader(RemoteLoader[int, int]):
        shared = True

    NumberLoader.source = Numbers()
    try:
        with world.tracer.start_as_current_span("request"), world.loaders.scope() as scope:
            assert scope.loader(NumberLoader).get_many([1, 2]) == [2, 4]
    finally:
        NumberLoader.source.close()
    batch = world.spans["NumberLoader batch"]
    assert parent_of(batch) == id_of(world.spans["request"])
    assert parent_of(world.spans["call 0"]) == id_of(batch)
    attributes = batch.attributes or {}
    assert attributes["dataloaders.batch.queries"] == 1
    assert not [name for name in attributes if name.startswith("db.")]


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning:opentelemetry.instrumentation")
def test_what_sqlalchemys_instrumentation_makes_is_within_the_batch(
    world: World, names: EngineRegistry
) -> None:
    world.watch(names)
    instrumentor = SQLAlchemyInstrumentor()
    # It checks SQLAlchemy's version before it knows of a new one.
    instrumentor.instrument(skip_dep_check=True, engine=names.bind, tracer_provider=world.provider)
    try:
        with names.scope() as scope:
            scope.loader(Names).get_many([1, 2])
    finally:
        instrumentor.uninstrument()
    spans = world.memory.get_finished_spans()
    (batch,) = [span for span in spans if span.name == "Names batch"]
    (statement,) = [span for span in spans if span.name.startswith("SELECT")]
    assert parent_of(statement) == id_of(batch)


def test_metrics_are_those_of_prometheus(world: World) -> None:
    with world.loaders.scope() as scope:
        loader = scope.loader(Source(world).loader_class())
        loader.get_many([1, 2, 3])
        loader.get(1)
        loader.expect([7, 8, 9]).get(6)
        loader.get(7)
        loader.get_many([-1], return_exceptions=True)
    points: dict[tuple[str, frozenset[Any]], float] = {}
    units = {}
    data = world.reader.get_metrics_data()
    assert data is not None
    for metric in data.resource_metrics[0].scope_metrics[0].metrics:
        units[metric.name] = metric.unit
        for point in metric.data.data_points:
            labels = frozenset((point.attributes or {}).items())
            kind = "count" if isinstance(point, HistogramDataPoint) else "value"
            points[metric.name, labels] = getattr(point, kind)
            if metric.name == "dataloaders.batch.keys":
                assert isinstance(point, HistogramDataPoint)
                assert (point.sum, point.bucket_counts[:3]) == (8, (1, 0, 2))

    def amount(name: str, **labels: str) -> float:
        return points[name, frozenset(labels.items())]

    assert amount("dataloaders.lookups", loader="Doubles", answered_by="batch") == 5
    assert amount("dataloaders.lookups", loader="Doubles", answered_by="loader") == 1
    assert amount("dataloaders.lookups", loader="Doubles", answered_by="lookahead") == 1
    assert amount("dataloaders.lookahead.keys", loader="Doubles", outcome="wasted") == 2
    assert amount("dataloaders.batches", loader="Doubles", cause="at once") == 3
    assert amount("dataloaders.batch.duration", loader="Doubles") == 3
    assert amount("dataloaders.queries", loader="Doubles") == 3
    assert amount("dataloaders.errors", loader="Doubles") == 1
    assert amount("dataloaders.scopes") == 1
    assert units["dataloaders.batch.duration"] == units["dataloaders.batch.wait"] == "s"


def test_without_an_sdk_nothing_is_harmed() -> None:
    loaders = LoaderRegistry()
    Observer([OpenTelemetryExporter()]).watch(loaders)

    class Doubles(DataLoader[int, int]):
        def batch_load(self, keys: list[int]) -> list[int]:
            return [2 * key for key in keys]

    with loaders.scope() as scope:
        assert scope.loader(Doubles).get(1) == 2
