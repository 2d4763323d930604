"""Counts are those of what a test has asked itself, and of what the database itself was sent."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import sys
import threading
import weakref
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import StaticPool

from dataloaders import DataLoader, LoaderRegistry, ScopeThreadPoolExecutor
from dataloaders.errors import (
    BatchAbortedError,
    BatchTimeoutError,
    InvalidKeyError,
    KeyNotFoundError,
)
from dataloaders.observe import Listener, Observer, Record
from dataloaders.observe.metrics import LOOKUPS, Metric, MetricsListener
from dataloaders.sql import EngineRegistry, TableLoader
from dataloaders.sql.triggers import watch_table
from dataloaders.tiers import Tiers
from dataloaders.tiers.redis import RedisTier
from tests.threads import SECONDS, run_green, spawn
from tests.tiers.world import World, loader_class_of, registry_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from dataloaders.stats import Stats

Loader: TypeAlias = DataLoader[Any, Any]

pytestmark = pytest.mark.timeout(120)

ROWS = 100
users = Table(
    "users",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False),
    Column("friend", Integer, nullable=False),
)


class UserLoader(TableLoader[Any]):
    table, key = users, ("id",)
    shared = True


class Numbers(DataLoader[int, int]):
    """Doubles keys; takes note of each call."""

    lookahead = "explicit"

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - a DataLoader's
        super().__init__(**options)
        self.calls: list[list[int]] = []

    def batch_load(self, keys: list[int]) -> list[int]:
        self.calls.append(keys)
        return [key * 2 for key in keys]


class Interrupted(BaseException):
    """What ends a thread."""


class Interrupting(Numbers):
    """Ends the thread that sends its first batch, when it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.under_way, self.goes_on = threading.Event(), threading.Event()

    def batch_load(self, keys: list[int]) -> list[int]:
        found = super().batch_load(keys)
        if len(self.calls) == 1:
            self.under_way.set()
            assert self.goes_on.wait(SECONDS)
            raise Interrupted
        return found


class Sent:
    """A database that says itself which statements it was sent: those for a table's rows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, friend INT)")
            rows = [(n, f"user {n}", n * 37 % ROWS) for n in range(ROWS)]
            connection.executemany("INSERT INTO users VALUES (?, ?, ?)", rows)
        connection.close()
        self.statements: list[str] = []

    def note(self, text: str) -> None:
        if "FROM" in text and "users" in text and "dataloaders_versions" not in text:
            self.statements.append(text)

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        engine = create_engine(f"sqlite:///{self.path}")

        @event.listens_for(engine, "connect")
        def _trace(connection: sqlite3.Connection, _record: object) -> None:
            connection.set_trace_callback(self.note)

        yield engine
        engine.dispose()


@pytest.fixture
def sent(tmp_path: Path) -> Sent:
    return Sent(tmp_path / "users.db")


@pytest.fixture
def engine(sent: Sent) -> Iterator[Engine]:
    with sent.engine() as engine:
        yield engine


class Kept(Listener):
    def __init__(self) -> None:
        self.records: list[Record] = []

    def scope_ended(self, record: Record) -> None:
        self.records.append(record)


OBSERVERS: dict[str, dict[str, Any]] = {
    "counting": {},
    "detecting": {"detect": "log"},
    "keeping": {"keeps_lookups": True, "detect": "log", "shows_keys": True},
}


@pytest.fixture(params=OBSERVERS)
def observer(request: pytest.FixtureRequest) -> Iterator[Observer]:
    observer = Observer([Kept()], **OBSERVERS[request.param])
    observer.watch()
    yield observer
    observer.stop()


def records(observer: Observer) -> list[Record]:
    (kept,) = observer.listeners
    assert isinstance(kept, Kept)
    return kept.records


# -- ways of asking: each returns how many keys it has asked for


def one_by_one(loader: Loader) -> int:
    for n in (1, 2, 3, 2, 1, ROWS + 5):
        loader.get(n)
    return 6


def many(loader: Loader) -> int:
    loader.get_many([4, 5, 4, 6])
    loader.get_many([])
    loader.get_many(range(4, 8))
    return 8


def required(loader: Loader) -> int:
    loader.require(8)
    loader.require_many([8, 9])
    return 3


def cleared(loader: Loader) -> int:
    for _ in range(3):
        loader.clear(10)
        loader.get(10)
    loader.clear_all()
    loader.get(10)
    return 4


def announced(loader: Loader) -> int:
    rows = [{"id": n} for n in range(20, 40)]
    for row in loader.over(rows, "id"):
        loader.get(row["id"])
    loader.expect([50, 51])  # which nobody asks for
    loader.get(52)
    return 21


def in_a_loop(loader: Loader) -> int:
    rows = [{"id": n} for n in range(60, 80)]
    return len([loader.get(row["id"]) for row in rows])


def of_no_key(loader: Loader) -> int:
    with pytest.raises(InvalidKeyError):
        loader.get([])
    with pytest.raises(InvalidKeyError):
        loader.get_many([1, []])
    return 0


def by_threads(loader: Loader) -> int:
    with ScopeThreadPoolExecutor(4) as pool:
        list(pool.map(loader.get, [*range(80, 90)] * 3))
    return 30


WAYS = (one_by_one, many, required, cleared, announced, in_a_loop, of_no_key, by_threads)


async def loads(loader: Loader) -> int:
    await loader.load(1)
    await asyncio.gather(*[loader.load(n) for n in (1, 2, 3, 3)])
    await loader.load_many([3, 4, 5])
    await asyncio.gather(loader.load_many([6, 7]), loader.load(7), loader.load_many([7, 8]))
    return 13


async def loads_in_tasks(loader: Loader) -> int:
    async def one(n: int) -> None:
        found = await loader.load_required(n)
        if hasattr(found, "friend"):
            await loader.load(found.friend)
            links.append(n)

    links: list[int] = []
    await asyncio.gather(*[asyncio.create_task(one(n)) for n in range(10, 20)])
    return 10 + len(links)


async def loads_in_a_row(loader: Loader) -> int:
    for n in (20, 21, 20, 22):
        await loader.load(n)
    await loader.load_many_required([20, 23])
    return 6


async def loads_that_are_given_up(loader: Loader) -> int:
    future = loader.load(30)
    future.cancel()
    assert (await asyncio.gather(future, loader.load(31), return_exceptions=True))[1] is not None
    return 2


async def gets_on_a_loop(loader: Loader) -> int:
    loader.get(40)
    await loader.load(40)
    loader.get_many([40, 41])
    return 4


ASYNC_WAYS = (loads, loads_in_tasks, loads_in_a_row, loads_that_are_given_up)


def check(stats: Stats, lookups: int, queries: int) -> None:
    assert (stats.lookups, stats.queries) == (lookups, queries)
    assert stats.saved == lookups - queries
    assert stats.hits == stats.lookups - stats.asked
    assert 0 <= stats.used <= stats.expected
    assert bool(stats.batches) == bool(queries)


@pytest.mark.parametrize("mode", ["on", "off", "shadow"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_tables_loader_counts_what_the_database_was_sent(
    engine: Engine, sent: Sent, observer: Observer, way: Callable[[Loader], int], mode: str
) -> None:
    registry = EngineRegistry(engine)
    registry.mode = mode
    with registry.scope() as scope:
        loader = scope.loader(UserLoader)
        lookups = way(loader)
        queries = len(sent.statements)
        if mode == "shadow":  # in which each key was asked for alone, and compared with batches
            queries = loader.stats.queries
            assert lookups <= queries <= len(sent.statements) or not lookups
        check(loader.stats, lookups, queries)
        check(scope.stats, lookups, queries)
    check(observer.totals.total, lookups, queries)
    if mode == "off":
        assert queries == lookups
    registry.close()


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("options", [{}, {"max_batch_size": 2}, {"cache": False}, {"batch": False}])
def test_any_loader_counts_the_calls_of_its_function(
    observer: Observer, way: Callable[[Loader], int], options: dict[str, Any]
) -> None:
    class Made(LoaderRegistry):
        def make(self, loader_class: type[Any], scope: object) -> Any:  # noqa: ANN401, ARG002 - a registry's signature
            return loader_class(**options)

    with Made().scope() as scope:
        loader = scope.loader(Numbers)
        lookups = way(loader)
        check(loader.stats, lookups, len(loader.calls))
        stats = loader.stats.copy()
    assert stats.batches == len(loader.calls)
    assert stats.keys == sum(map(len, loader.calls))
    assert stats.keys == stats.asked + stats.expected
    check(observer.totals.total, lookups, len(loader.calls))
    if options.get("batch") is False:
        assert stats.batches == stats.asked


@pytest.mark.parametrize("way", [*ASYNC_WAYS, gets_on_a_loop], ids=lambda way: way.__name__)
async def test_a_loader_on_an_event_loop(
    observer: Observer, way: Callable[[Loader], Awaitable[int]]
) -> None:
    async with LoaderRegistry().scope() as scope:
        loader = scope.loader(Numbers)
        lookups = await way(loader)
        check(loader.stats, lookups, len(loader.calls))
        assert loader.stats.keys == sum(map(len, loader.calls))
    check(observer.totals.total, lookups, len(loader.calls))


@pytest.fixture
async def async_engine(sent: Sent) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(f"sqlite+aiosqlite:///{sent.path}")

    @event.listens_for(engine.sync_engine, "connect")
    def _trace(connection: Any, _record: object) -> None:  # noqa: ANN401 - SQLAlchemy's adapter
        connection.run_async(lambda driver: driver.set_trace_callback(sent.note))

    yield engine
    await engine.dispose()


@pytest.mark.parametrize("way", ASYNC_WAYS, ids=lambda way: way.__name__)
async def test_an_async_engine(
    async_engine: AsyncEngine,
    sent: Sent,
    observer: Observer,
    way: Callable[[Loader], Awaitable[int]],
) -> None:
    registry = EngineRegistry(async_engine)
    async with registry.scope() as scope:
        lookups = await way(scope.loader(UserLoader))
        check(scope.stats, lookups, len(sent.statements))
    check(observer.totals.total, lookups, len(sent.statements))
    registry.close()


# -- tiers


@pytest.fixture(params=["process", "redis"])
def redis(request: pytest.FixtureRequest) -> Iterator[RedisTier | None]:
    """A tier in Redis, or none."""
    if request.param == "process":
        yield None
        return
    tier = RedisTier(request.getfixturevalue("redis_url"), timeout=5.0)
    yield tier
    tier.client.close()


@pytest.mark.parametrize("way", [many, required, in_a_loop], ids=lambda way: way.__name__)
def test_tiers_that_answer_are_no_queries(
    engine: Engine,
    sent: Sent,
    observer: Observer,
    redis: RedisTier | None,
    way: Callable[[Loader], int],
) -> None:
    watch_table(engine, users)  # so that other processes know its version
    sent.statements.clear()
    with_redis = redis is not None
    lookups = 0
    for _ in range(2):  # the second time, a new process
        registry = EngineRegistry(engine, Tiers(redis=redis, check_seconds=0.001))
        for _ in range(2):
            with registry.scope() as scope:
                lookups += way(scope.loader(UserLoader))
        registry.close()
    totals = observer.totals.total
    check(totals, lookups, len(sent.statements))
    per_request = [record.stats for record in records(observer)]
    assert [each.queries > 0 for each in per_request] == [True, False, not with_redis, False]
    assert per_request[1].from_process > 0
    assert (per_request[2].from_redis > 0) is with_redis


def test_what_is_known_and_found_to_be_old_is_asked_for_once(observer: Observer) -> None:
    world = World()
    loader_class = loader_class_of(world)
    registry = registry_of(world)
    with registry.scope() as scope:
        loader = scope.loader(loader_class)
        loader.get_many([1, 2])
        world.replace()
        loader.get_many([1, 2, 3])  # the third key tells that the others are too old
        assert loader.stats.lookups == 5
        assert loader.stats.queries == len(world.asked)
    assert observer.totals.total.lookups == 5


def test_versions_are_no_queries_of_a_loader(observer: Observer) -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    users.create(engine)
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    registry = EngineRegistry(engine, Tiers())
    with registry.scope() as scope:
        scope.loader(UserLoader).get_many([1, 2])
    registry.close()
    of_users = [text for text in statements if "JOIN users" in text]
    assert len(statements) > len(of_users)
    check(observer.totals.total, 2, len(of_users))
    engine.dispose()


# -- what goes wrong


def test_a_database_that_is_not_there_was_sent_nothing(observer: Observer) -> None:
    engine = create_engine("sqlite:////no/such/directory/users.db")
    registry = EngineRegistry(engine)
    with registry.scope() as scope, pytest.raises(OperationalError):
        scope.loader(UserLoader).get(1)
    registry.close()
    stats = observer.totals.total
    assert (stats.lookups, stats.batches, stats.queries, stats.errors) == (1, 1, 0, 1)


class Failing(Numbers):
    """Refuses 13, with whatever it is asked for."""

    def batch_load(self, keys: list[int]) -> list[int]:
        found = super().batch_load(keys)
        if 13 in keys:
            raise LookupError(13)
        return found


def test_errors_count_by_key(observer: Observer) -> None:
    with LoaderRegistry().scope() as scope:
        loader = scope.loader(Failing)
        with pytest.raises(LookupError):
            loader.get_many([12, 13, 14])
        with pytest.raises(LookupError):
            loader.get(13)
        loader.get(15)
        check(loader.stats, 5, 3)
        assert loader.stats.errors == 4
    assert observer.totals.total.errors == 4


def test_a_batch_that_is_sent_again_without_what_went_along_is_two_queries(
    observer: Observer,
) -> None:
    with LoaderRegistry().scope() as scope:
        loader = scope.loader(Failing)
        loader.expect([13, 14])
        assert loader.get(12) == 24
        assert loader.calls == [[12, 13, 14], [12]]
        check(loader.stats, 1, 2)
        assert loader.stats.errors == 0
    assert observer.totals.total.queries == 2


def test_what_is_not_found_is_a_query(engine: Engine, sent: Sent, observer: Observer) -> None:
    with EngineRegistry(engine).scope() as scope, pytest.raises(KeyNotFoundError):
        scope.loader(UserLoader).require(-1)
    check(observer.totals.total, 1, len(sent.statements))


def test_a_batch_that_runs_into_its_time_limit(observer: Observer) -> None:
    goes_on = threading.Event()

    class Slow(Numbers):
        timeout = 0.05

        def batch_load(self, keys: list[int]) -> list[int]:
            found = super().batch_load(keys)
            goes_on.wait(SECONDS)
            return found

    async def load(loader: Slow) -> None:
        with pytest.raises(BatchTimeoutError):
            await loader.load(3)

    with LoaderRegistry().scope() as scope:
        loader = scope.loader(Slow)
        with pytest.raises(BatchTimeoutError):
            loader.get_many([1, 2])
        asyncio.run(load(loader))
        goes_on.set()
        check(loader.stats, 3, 2)
        assert loader.stats.errors == 3
    assert observer.totals.total.queries == 2


async def test_a_batch_that_is_cancelled(observer: Observer) -> None:
    under_way = asyncio.Event()

    class Waiting(DataLoader[int, int]):
        async def batch_load(self, keys: list[int]) -> list[int]:
            under_way.set()
            await asyncio.sleep(SECONDS)
            return keys

    async with LoaderRegistry().scope() as scope:
        loader = scope.loader(Waiting)
        future = loader.load(1)
        await under_way.wait()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        with pytest.raises(BatchAbortedError):
            await future
        check(loader.stats, 1, 1)
        assert loader.stats.errors == 1
    assert observer.totals.total.queries == 1


def test_a_thread_that_is_interrupted_leaves_its_batch_to_others(observer: Observer) -> None:
    with LoaderRegistry().scope() as scope:
        loader = scope.loader(Interrupting)
        first = spawn(loader.get, 1)
        assert loader.under_way.wait(SECONDS)
        second = spawn(loader.get_many, [1, 2])
        while not loader._turns._queue:
            pass
        loader.goes_on.set()
        with pytest.raises(Interrupted):
            first.result(SECONDS)
        assert second.result(SECONDS) == [2, 4]
        assert loader.stats.lookups == 3
        assert loader.stats.queries == len(loader.calls)
    assert observer.totals.total.queries == len(loader.calls)


KILLED = """
import gevent
from dataloaders import DataLoader, LoaderRegistry
from dataloaders.observe import Observer
calls = []
class Loader(DataLoader):
    def batch_load(self, keys):
        calls.append(keys)
        if keys == [1]:
            gevent.sleep(10)
        return keys
observer = Observer(detect="log")
observer.watch()
with LoaderRegistry().scope() as scope:
    loader = scope.loader(Loader)
    one = gevent.spawn(loader.get, 1)
    gevent.sleep(0.01)
    others = [gevent.spawn(loader.get, number) for number in (2, 3)]
    gevent.sleep(0.01)
    one.kill()
    gevent.joinall(others)
    assert [other.value for other in others] == [2, 3]
stats = observer.totals.total
print(stats.lookups, stats.queries, len(calls), stats.errors)
"""


def test_a_green_thread_that_is_killed() -> None:
    lookups, queries, calls, errors = run_green("gevent", KILLED).split()
    assert (lookups, queries, errors) == ("3", calls, "1")


# -- who asks


@pytest.mark.usefixtures("observer")
def test_a_batch_function_that_asks_counts_for_both() -> None:
    class Outer(Numbers):
        def batch_load(self, keys: list[int]) -> list[int]:
            super().batch_load(keys)
            inner = Numbers.current()
            return [inner.get(keys[0]), *inner.get_many(keys[1:])]

    with LoaderRegistry().scope() as scope:
        outer, inner = scope.loader(Outer), scope.loader(Numbers)
        outer.get_many([1, 2, 3])
        inner.get(3)
        check(outer.stats, 3, 1)
        check(inner.stats, 4, 2)
        assert len(inner.calls) == 2
        check(scope.stats, 7, 3)


def test_threads_that_ask_at_once_are_all_counted(observer: Observer) -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with LoaderRegistry().scope() as scope:
            loader = scope.loader(Numbers)

            def ask(number: int) -> None:
                for n in range(300):
                    loader.get((n * number) % 97)
                    loader.get_many([n, n + 1])

            threads = [spawn(ask, number) for number in range(1, 9)]
            for thread in threads:
                thread.result(SECONDS)
            check(loader.stats, 8 * 300 * 3, len(loader.calls))
            assert loader.stats.keys == sum(map(len, loader.calls))
    finally:
        sys.setswitchinterval(interval)
    check(observer.totals.total, 8 * 300 * 3, len(loader.calls))


def test_an_observer_that_comes_later_counts_from_then_on() -> None:
    first, second = Observer(), Observer(keeps_lookups=True, detect="log")
    first.watch()
    with LoaderRegistry().scope() as scope:
        loader = scope.loader(Numbers)
        loader.get_many([1, 2])
        second.watch()
        loader.get_many([2, 3, 4])
        loader.get(5)
    first.stop()
    second.stop()
    check(first.totals.total, 6, 3)
    check(second.totals.total, 4, 2)


def test_groups_are_counted_apart() -> None:
    observer = Observer()
    registry = LoaderRegistry()
    observer.watch(registry)
    for group, times in (("a", 1), ("b", 3)):
        for _ in range(times):
            with registry.scope() as scope:
                assert isinstance(scope.watch, Record)
                scope.watch.group = group
                scope.loader(Numbers).get_many([1, 2])
    with LoaderRegistry().scope() as other:
        other.loader(Numbers).get(1)
    totals = observer.totals
    assert totals.scopes == {"a": 1, "b": 3}
    assert {group: totals.of(group).lookups for group in totals.loaders} == {"a": 2, "b": 6}
    observer.stop()


# -- what observing keeps


class Value:
    """A value, or a key, that can be referred to weakly."""


@pytest.mark.parametrize("asks", ["get", "load"])
def test_neither_keys_nor_values_nor_loaders_outlive_their_scope(
    observer: Observer, asks: str
) -> None:
    class Values(DataLoader[Any, Any]):
        lookahead = "explicit"

        def batch_load(self, keys: list[Any]) -> list[Any]:
            return [Value() for _ in keys]

    async def load(loader: Values, keys: list[Value]) -> list[Any]:
        return [*(await loader.load_many(keys[5:])), *[await loader.load(key) for key in keys[:5]]]

    def one() -> list[weakref.ref[Any]]:
        with LoaderRegistry().scope() as scope:
            loader = scope.loader(Values)
            keys = [Value() for _ in range(10)]
            loader.expect([Value()])
            if asks == "load":
                found = asyncio.run(load(loader, keys))
            else:
                found = [*loader.get_many(keys[5:]), *[loader.get(key) for key in keys[:5]]]
            return [*map(weakref.ref, keys), *map(weakref.ref, found), weakref.ref(loader)]

    references = one()
    assert len(records(observer)) == 1
    if asks == "load":
        gc.collect()  # an event loop's tasks refer to themselves
    assert [reference() for reference in references] == [None] * 21


def test_a_record_is_bounded(observer: Observer) -> None:
    def ask(loader: Numbers, numbers: range) -> None:
        for number in numbers:
            loader.get(number)
            if number % 100 == 0:
                loader.clear_all()

    with LoaderRegistry().scope() as scope:
        loader = scope.loader(Numbers)
        ask(loader, range(10_000))
        loader.clear_all()
        loader.calls.clear()
        gc.collect()
        before = Counter(map(type, gc.get_objects()))
        ask(loader, range(10_000, 100_000))
        loader.clear_all()
        calls = len(loader.calls)
        loader.calls.clear()
        gc.collect()
        after = Counter(map(type, gc.get_objects()))
    grown = {kind: count for kind, count in (after - before).items() if count > 1_000}
    assert not grown
    check(observer.totals.total, 100_000, 10_000 + calls)


def test_an_observer_that_fails_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Listener):
        def scope_ended(self, record: Record) -> None:
            raise RuntimeError(record.name)

        def batch_began(self, sent: object, batch: object) -> None:
            raise RuntimeError(sent, batch)

        def batch_ended(self, sent: object, batch: object) -> None:
            raise RuntimeError(sent, batch)

    kept = Kept()
    observer = Observer([Broken(), kept], detect="log")
    observer.watch()
    with LoaderRegistry().scope() as scope:
        assert scope.loader(Numbers).get(1) == 2
    observer.stop()
    assert [record.stats.queries for record in kept.records] == [1]
    assert len(caplog.records) == 3


# -- the parts of a whole


def add_up(stats: Stats) -> None:
    """Each lookup was answered by one of these, and each key of a batch asked for or foreseen."""
    answered = (stats.asked, stats.used, stats.from_process, stats.known)
    assert stats.lookups == sum(answered), stats
    assert min(answered) >= 0
    assert stats.keys == stats.asked + stats.expected
    assert 0 <= stats.used <= stats.expected


class Loads(DataLoader[int, int]):
    """Doubles keys, on an event loop."""

    async def batch_load(self, keys: list[int]) -> list[int]:
        await asyncio.sleep(0)
        return [key * 2 for key in keys]


async def test_what_is_announced_and_asked_for_before_it_is_sent_is_counted_once(
    observer: Observer,
) -> None:
    async with LoaderRegistry().scope() as scope:
        loader = scope.loader(Loads)
        loader.expect([2, 3, 4])
        assert await asyncio.gather(*map(loader.load, [1, 2, 3])) == [2, 4, 6]
        stats = scope.stats
        assert (stats.lookups, stats.asked, stats.expected, stats.used) == (3, 1, 3, 2)
        add_up(stats)
    (record,) = records(observer)
    assert [(sent.asked, sent.keys) for sent in record.batches] == [(3, 4)]
    add_up(observer.totals.total)


@pytest.mark.usefixtures("observer")
def test_a_scope_knows_what_was_of_use_while_it_is_open() -> None:
    with LoaderRegistry().scope() as scope:
        loader = scope.loader(Numbers)
        loader.expect(range(5))
        for number in range(4):
            loader.get(number)
        assert (scope.stats.used, scope.stats.wasted) == (3, 1)
        assert scope.stats.copy() == loader.stats.copy()


async def test_a_batch_whose_time_is_up_before_it_is_sent(observer: Observer) -> None:
    class OneByOne(DataLoader[int, int]):
        max_batch_size = max_concurrency = 1
        timeout = 0.05

        async def batch_load(self, keys: list[int]) -> list[int]:
            return await asyncio.sleep(SECONDS, keys)

    async with LoaderRegistry().scope() as scope:
        loader = scope.loader(OneByOne)
        outcomes = await asyncio.gather(*map(loader.load, range(3)), return_exceptions=True)
        assert [type(each) for each in outcomes] == [BatchTimeoutError] * 3
        await asyncio.sleep(0)  # for their tasks to end
        stats = loader.stats
        assert (stats.hits, stats.errors, stats.batches, stats.queries) == (0, 3, 3, 1)
        assert stats.waited > 0.05
        add_up(stats)
    (record,) = records(observer)
    assert [sent.error for sent in record.batches] == ["BatchTimeoutError"] * 3


async def test_a_batch_that_is_cancelled_before_it_is_sent(observer: Observer) -> None:
    async with LoaderRegistry().scope() as scope:
        loader = scope.loader(Loads)
        future = loader.load(1)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        with pytest.raises(BatchAbortedError):
            await future
        stats = loader.stats
        assert (stats.hits, stats.errors, stats.queries) == (0, 1, 0)
    add_up(observer.totals.total)


def test_a_batch_that_is_sent_again_for_others_tells_of_what_is_in_it(observer: Observer) -> None:
    with LoaderRegistry().scope() as scope:
        loader = scope.loader(Interrupting)
        loader.expect([5, 6])
        first = spawn(loader.get_many, [1, 2])
        assert loader.under_way.wait(SECONDS)
        others = [spawn(loader.get, 2), spawn(loader.get, 5)]
        while len(loader._store.pending.batches[0].threads) < 3:
            pass
        loader.goes_on.set()
        with pytest.raises(Interrupted):
            first.result(SECONDS)
        assert [other.result(SECONDS) for other in others] == [4, 10]
        assert [*map(sorted, loader.calls)] == [[1, 2, 5, 6], [2, 5]]
        stats = loader.stats
        # Two of the first call were asked for, and 2 once more: the answer to it was to come.
        assert (stats.lookups, stats.asked, stats.used, stats.known) == (4, 2, 1, 1)
        add_up(stats)
    (record,) = records(observer)
    (sent,) = record.batches
    assert (sent.asked, sent.expected, sent.keys) == (2, 0, 2)


def test_what_went_along_before_somebody_watched_adds_up() -> None:
    first, late = Observer(), Observer()
    registry = LoaderRegistry()

    def ask(loader: Numbers) -> None:
        loader.expect(range(5))
        for number in range(3):
            loader.get(number)
        late.watch()
        loader.get(3)

    with registry.scope() as scope:
        ask(scope.loader(Numbers))
    late.stop()
    first.watch(registry)
    with registry.scope() as scope:
        ask(scope.loader(Numbers))
    late.stop()
    stats = late.totals.total
    # Each time one of the two keys that nobody had asked for yet.
    assert (stats.lookups, stats.expected, stats.used, stats.known) == (2, 4, 2, 0)
    add_up(first.totals.total)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_answers_of_loaders_that_are_compared_are_counted_once(
    way: Callable[[Loader], int], observer: Observer
) -> None:
    registry = LoaderRegistry()
    registry.mode = "shadow"
    with registry.scope() as scope:
        lookups = way(scope.loader(Numbers))
    answered = metrics_of(records(observer))
    assert sum(answered.values()) == lookups
    assert min(answered.values(), default=0) >= 0


def metrics_of(ended: list[Record]) -> Counter[str]:
    class Metrics(MetricsListener):
        def add(self, metric: Metric, amount: float, *labels: str) -> None:
            if metric is LOOKUPS:
                answered[labels[-1]] += int(amount)

    answered: Counter[str] = Counter()
    for record in ended:
        Metrics().scope_ended(record)
    return answered


def test_a_batch_that_ends_when_its_scope_is_over_is_in_the_totals(observer: Observer) -> None:
    under_way, goes_on = threading.Event(), threading.Event()

    class Waiting(Numbers):
        def batch_load(self, keys: list[int]) -> list[int]:
            under_way.set()
            assert goes_on.wait(SECONDS)
            return super().batch_load(keys)

    with LoaderRegistry().scope() as scope:
        loader = scope.loader(Waiting)
        asked = spawn(loader.get_many, [1, 2])
        assert under_way.wait(SECONDS)
    goes_on.set()
    assert asked.result(SECONDS) == [2, 4]
    total = observer.totals.total
    check(total, 2, 1)
    assert (total.asked, total.keys, total.hits) == (2, 2, 0)
    add_up(total)
    assert observer.totals.scopes == {"scope": 1}


FORKED = """
import os, signal, sys, threading
from dataloaders import DataLoader, LoaderRegistry
from dataloaders.observe import Observer
class Loader(DataLoader):
    def batch_load(self, keys):
        return keys
observer = Observer()
observer.watch()
registry = LoaderRegistry()
def work():
    with registry.scope() as scope:
        scope.loader(Loader).get(1)
sys.setswitchinterval(1e-6)
over = threading.Event()
def always():
    while not over.is_set():
        work()
        observer.totals
threads = [threading.Thread(target=always) for _ in range(4)]
for thread in threads:
    thread.start()
hung = 0
for _ in range(100):
    child = os.fork()
    if not child:
        signal.alarm(5)
        work()
        os._exit(0)
    hung = os.waitpid(child, 0)[1]
    if hung:
        break
over.set()
print(hung)
"""


def test_a_fork_while_others_are_counted() -> None:
    assert run_green("none", FORKED) == "0"
