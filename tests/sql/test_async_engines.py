"""An AsyncEngine on any number of event loops: each has connections of its own, and closes them."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import warnings
from typing import TYPE_CHECKING, Any
from weakref import WeakSet, ref

import pytest
from flask import Flask
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool, StaticPool
from sqlalchemy.util import await_only

import dataloaders.scope
from dataloaders.dispatch import loops
from dataloaders.errors import AsyncOnlyError
from flask_dataloaders import DataLoaders
from tests.sql.source_helpers import (
    RUNS_THE_QUERY,
    Relay,
    Server,
    UserLoader,
    async_engine_of,
    fill,
    locked,
    names,
    names_by_query,
    notes_of,
    run,
    users,
    users_on,
)
from tests.threads import SECONDS, spawn, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dataloaders import DataLoader
    from tests.sql.conftest import EngineMaker

pytestmark = pytest.mark.timeout(60)

NAME = "loaders"
"""The application's name, by which the server tells its connections."""


@pytest.fixture(params=["aiosqlite", "asyncpg", "psycopg"])
def database(request: pytest.FixtureRequest, tmp_path: Path, make_engine: EngineMaker) -> Engine:
    """A database that is to be asked through each of the async drivers."""
    if request.param == "aiosqlite":
        engine = make_engine(f"sqlite:///{tmp_path}/users.db")
    else:
        engine = request.getfixturevalue("postgresql")
    fill(engine, range(1, 101))
    return engine


@pytest.fixture
def make_async(database: Engine, request: pytest.FixtureRequest) -> Callable[..., AsyncEngine]:
    """Makes async engines for it."""
    driver: str = request.node.callspec.params["database"]

    def make(**options: Any) -> AsyncEngine:  # noqa: ANN401 - of many types
        if driver == "psycopg":
            url = database.url.update_query_dict({"application_name": NAME})
            return create_async_engine(url, **options)
        return async_engine_of(database, name=NAME, **options)

    return make


@pytest.fixture
def connections(database: Engine) -> Callable[[], int]:
    """Says how many connections the server has from such engines, if there is a server."""
    if database.dialect.name == "sqlite":
        return lambda: sum("connection_worker" in t.name for t in threading.enumerate())
    server = Server(database)
    return lambda: server.number_of("application_name = :name", name=NAME)


@pytest.fixture(autouse=True)
def _nothing_is_complained_of(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Neither by a warning, which is an error here, nor in a log."""
    yield
    gc.collect()  # what is unclosed warns when it is freed
    assert [r for r in caplog.get_records("call") if r.levelno >= logging.WARNING] == []


class Strays:
    """Notes each connection that is taken on another loop than it was opened on."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.opened = 0
        self.found: list[object] = []
        event.listen(engine.sync_engine, "connect", self._connect)
        event.listen(engine.sync_engine, "checkout", self._checkout)

    def _connect(self, _connection: object, record: Any) -> None:  # noqa: ANN401 - the pool's
        self.opened += 1
        record.info["loop"] = asyncio.get_running_loop()

    def _checkout(self, _connection: object, record: Any, _proxy: object) -> None:  # noqa: ANN401 - the pool's
        if record.info["loop"] is not asyncio.get_running_loop():
            self.found.append(record)


async def ask(loader: DataLoader[Any, Any], first: int) -> list[str | None]:
    """Asks at the same time for two users, and for two more together."""
    gathered = await asyncio.wait_for(
        asyncio.gather(
            loader.load(first), loader.load(first + 1), loader.load_many([first + 2, 999])
        ),
        SECONDS,
    )
    return names([*gathered[:2], *gathered[2]])


def expected(database: Engine, first: int) -> list[str | None]:
    return names_by_query(database, [first, first + 1, first + 2, 999])


# -- one loop after another


@pytest.mark.parametrize("listened", [False, True])
def test_loops_one_after_another_leave_no_connection_behind(
    database: Engine,
    make_async: Callable[..., AsyncEngine],
    connections: Callable[[], int],
    *,
    listened: bool,
) -> None:
    engine = make_async()
    if listened:
        event.listen(engine.sync_engine, "before_cursor_execute", lambda *_: None)
    strays = Strays(engine)
    loader = users_on(engine)
    for first in range(1, 25, 4):
        assert asyncio.run(ask(loader, first)) == expected(database, first)
        until(lambda: connections() == 0)
    assert strays.opened == 6
    assert strays.found == []


def test_a_loop_that_goes_on_keeps_its_connection(
    database: Engine, make_async: Callable[..., AsyncEngine], connections: Callable[[], int]
) -> None:
    engine = make_async()
    strays = Strays(engine)
    loader = users_on(engine)
    with asyncio.Runner() as runner:
        for first in (1, 5, 9):
            assert runner.run(ask(loader, first)) == expected(database, first)
        assert connections() == 1
    assert strays.opened == 1
    until(lambda: connections() == 0)


def test_a_loop_that_ends_in_the_middle_of_a_batch(
    postgresql: Engine,
) -> None:
    fill(postgresql)
    engine = async_engine_of(postgresql, name=NAME)
    server = Server(postgresql)
    loader = users_on(engine)
    futures = []

    async def leave() -> None:
        futures.append(loader.load(1))
        while server.number_of(RUNS_THE_QUERY) == 0:  # noqa: ASYNC110 - it is the server's event
            await asyncio.sleep(0.01)

    with locked(postgresql):
        run(leave())
        until(lambda: server.number_of("application_name = :name", name=NAME) == 0)
    assert futures[0].done()
    futures[0].cancelled() or futures[0].exception()
    assert run(ask(loader, 2)) == expected(postgresql, 2)


# aiosqlite's thread outlives such a loop, and then complains of it.
@pytest.mark.parametrize("database", ["asyncpg", "psycopg"], indirect=True)
def test_a_loop_that_is_closed_without_further_ado(
    database: Engine, make_async: Callable[..., AsyncEngine], connections: Callable[[], int]
) -> None:
    engine = make_async()
    strays = Strays(engine)
    loader = users_on(engine)
    closed = WeakSet[asyncio.AbstractEventLoop]()
    with warnings.catch_warnings():
        # Its connections cannot be closed any more: that is what its owner has left undone.
        warnings.simplefilter("ignore", ResourceWarning)
        for first in (1, 5, 9):
            loop = asyncio.new_event_loop()
            closed.add(loop)
            assert loop.run_until_complete(ask(loader, first)) == expected(database, first)
            loop.close()
            del loop
        assert run(ask(loader, 20)) == expected(database, 20)
        loader.close()
        del loader
        gc.collect()
        assert strays.found == []
        assert len(closed) <= 1  # the last one that a loop's policy knows
        until(lambda: connections() == 0)


def test_uvloop(database: Engine, make_async: Callable[..., AsyncEngine]) -> None:
    uvloop = pytest.importorskip("uvloop")
    engine = make_async()
    strays = Strays(engine)
    loader = users_on(engine)
    for first in (1, 5):
        answers = uvloop.run(ask(loader, first))
        assert answers == expected(database, first)
        assert asyncio.run(ask(loader, first + 50)) == expected(database, first + 50)
    assert strays.found == []


# -- several at the same time


def test_loops_in_several_threads_at_the_same_time(
    database: Engine, make_async: Callable[..., AsyncEngine], connections: Callable[[], int]
) -> None:
    engine = make_async()
    strays = Strays(engine)
    shared = users_on(engine)
    together = threading.Barrier(8, timeout=SECONDS)

    def work(number: int) -> list[list[str | None]]:
        answers = []
        for turn in range(3):
            together.wait()
            loader = shared if turn == 1 else users_on(engine)
            answers.append(asyncio.run(ask(loader, number + 10 * turn)))
        return answers

    calls = {number: spawn(work, number) for number in range(1, 9)}
    for number, call in calls.items():
        assert call.result(SECONDS) == [expected(database, number + 10 * n) for n in range(3)]
    assert strays.found == []
    until(lambda: connections() == 0)


def test_loops_whose_first_connections_take_their_time(
    database: Engine, make_async: Callable[..., AsyncEngine]
) -> None:
    # SQLAlchemy has others wait while an engine's first connection is made.
    engine = make_async()
    event.listen(
        engine.sync_engine, "connect", lambda *_: await_only(asyncio.sleep(0.05)), insert=True
    )
    together = threading.Barrier(6, timeout=SECONDS)

    def work(number: int) -> list[str | None]:
        together.wait()
        return asyncio.run(ask(users_on(engine), number))

    calls = {number: spawn(work, number) for number in range(1, 7)}
    for number, call in calls.items():
        assert call.result(SECONDS) == expected(database, number)


# -- Flask


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Flask:
    """An application, which no other test hears of."""
    for name in ("_identify_request", "_open_for_request"):
        monkeypatch.setattr(dataloaders.scope, name, getattr(dataloaders.scope, name))
    monkeypatch.setattr(dataloaders.scope, "_registries", WeakSet())
    return Flask("async_app")


def view_of(app: Flask, engine: AsyncEngine) -> None:
    DataLoaders(app, engine=engine)

    @app.get("/<int:first>")
    async def view(first: int) -> list[str | None]:
        return await ask(UserLoader.current(), first)


def test_async_views_one_after_another(
    app: Flask,
    database: Engine,
    make_async: Callable[..., AsyncEngine],
    connections: Callable[[], int],
) -> None:
    engine = make_async()
    strays = Strays(engine)
    view_of(app, engine)
    client = app.test_client()
    for first in range(1, 21, 4):
        assert client.get(f"/{first}").json == expected(database, first)
        until(lambda: connections() == 0)
    assert strays.found == []


def test_async_views_at_the_same_time(
    app: Flask,
    database: Engine,
    make_async: Callable[..., AsyncEngine],
    connections: Callable[[], int],
) -> None:
    engine = make_async()
    strays = Strays(engine)
    view_of(app, engine)
    together = threading.Barrier(6, timeout=SECONDS)

    def request(first: int) -> list[Any]:
        together.wait()
        return [app.test_client().get(f"/{n}").json for n in (first, first + 30)]

    calls = {first: spawn(request, first) for first in range(1, 7)}
    for first, call in calls.items():
        assert call.result(SECONDS) == [expected(database, n) for n in (first, first + 30)]
    assert strays.found == []
    until(lambda: connections() == 0)


# -- what the application does with its engine


async def count_users(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM users")) == 100


def test_the_applications_own_connections_are_not_touched(
    database: Engine, make_async: Callable[..., AsyncEngine]
) -> None:
    engine = make_async()
    pool: Any = engine.pool

    with warnings.catch_warnings():
        # The application has left its connection to a loop that is dead.
        warnings.simplefilter("ignore", ResourceWarning)
        run(count_users(engine))
        assert pool.checkedin() == 1
        loader = users_on(engine)
        for number in range(1, 13, 4):
            assert run(ask(loader, number)) == expected(database, number)
        assert pool.checkedin() == 1
        engine.sync_engine.dispose(close=False)
        del engine, pool, loader
        gc.collect()


def test_the_application_may_dispose_of_its_engine(
    database: Engine, make_async: Callable[..., AsyncEngine], connections: Callable[[], int]
) -> None:
    engine = make_async()
    strays = Strays(engine)
    loader = users_on(engine)

    async def main() -> list[list[str | None]]:
        answers = [await ask(loader, 1)]
        assert connections() == 1
        await engine.dispose()
        while connections():  # noqa: ASYNC110 - it is the server's event
            await asyncio.sleep(0.01)
        answers += [await ask(loader, 5), await ask(users_on(engine), 1)]
        assert connections() == 1
        return answers

    assert run(main()) == [expected(database, first) for first in (1, 5, 1)]
    assert strays.opened == 2
    until(lambda: connections() == 0)


def test_other_loops_keep_theirs_when_one_disposes_of_the_engine(
    database: Engine, make_async: Callable[..., AsyncEngine]
) -> None:
    engine = make_async()
    strays = Strays(engine)
    asked, disposed = threading.Event(), threading.Event()

    async def stay() -> list[list[str | None]]:
        loader = users_on(engine)
        answers = [await ask(loader, 1)]
        asked.set()
        while not disposed.is_set():  # noqa: ASYNC110 - it is another thread's
            await asyncio.sleep(0.01)
        return [*answers, await ask(loader, 5)]

    async def dispose() -> None:
        await ask(users_on(engine), 9)
        await engine.dispose()

    staying = spawn(run, stay())
    assert asked.wait(SECONDS)
    run(dispose())
    disposed.set()
    assert staying.result(SECONDS) == [expected(database, first) for first in (1, 5)]
    assert strays.opened == 2
    assert strays.found == []


def test_an_engine_that_was_used_is_left_to_the_garbage_collector(
    database: Engine, make_async: Callable[..., AsyncEngine]
) -> None:
    def used() -> Any:  # noqa: ANN401 - a weak reference
        engine = make_async()
        assert run(ask(users_on(engine), 1)) == expected(database, 1)
        return ref(engine.sync_engine.dialect)

    dialect = used()
    gc.collect()
    assert dialect() is None


# -- pools


@pytest.mark.parametrize("listened", [False, True])
def test_an_engine_without_a_pool(
    database: Engine,
    make_async: Callable[..., AsyncEngine],
    connections: Callable[[], int],
    *,
    listened: bool,
) -> None:
    engine = make_async(poolclass=NullPool)
    if listened:
        event.listen(engine.sync_engine, "before_cursor_execute", lambda *_: None)
    strays = Strays(engine)
    loader = users_on(engine)

    async def main(first: int) -> list[str | None]:
        answers = await ask(loader, first)
        while connections():  # noqa: ASYNC110 - it is the server's event
            await asyncio.sleep(0.01)
        return answers

    for first in (1, 5):
        assert run(main(first)) == expected(database, first)
    assert strays.found == []


def test_an_in_memory_database_is_one_for_all_loops() -> None:
    engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)

    async def prepare() -> None:
        async with engine.begin() as connection:
            await connection.run_sync(users.create)
            rows = [{"id": n, "name": f"user {n}"} for n in range(1, 51)]
            await connection.execute(users.insert(), rows)

    run(prepare())
    loader = users_on(engine)
    for first in (1, 5):
        assert run(ask(loader, first)) == [f"user {first + n}" for n in range(3)] + [None]
    calls = {first: spawn(run, ask(users_on(engine), first)) for first in range(1, 7)}
    for first, call in calls.items():
        assert call.result(SECONDS) == [f"user {first + n}" for n in range(3)] + [None]
    run(engine.dispose())


def test_the_pools_limits_hold_within_a_loop(
    database: Engine, make_async: Callable[..., AsyncEngine]
) -> None:
    engine = make_async(pool_size=2, max_overflow=0)
    strays = Strays(engine)

    async def main() -> list[str | None]:
        loaders = [users_on(engine) for _ in range(12)]
        calls = [loader.load(number) for number, loader in enumerate(loaders, 1)]
        return names(await asyncio.wait_for(asyncio.gather(*calls), SECONDS))

    assert run(main()) == names_by_query(database, range(1, 13))
    assert 1 <= strays.opened <= 2


def test_who_waits_too_long_for_a_connection_is_told(postgresql: Engine) -> None:
    fill(postgresql)
    engine = async_engine_of(postgresql, pool_size=1, max_overflow=0, pool_timeout=0.1)

    async def main() -> list[Any]:
        with locked(postgresql):
            holds = users_on(engine).load(1)
            waits = await asyncio.gather(users_on(engine).load(2), return_exceptions=True)
        return [await asyncio.wait_for(holds, SECONDS), *waits]

    held, told = run(main())
    assert held.name == "user 1"
    assert isinstance(told, PoolTimeoutError)
    assert "All pooled connections are in use: raise pool_size" in notes_of(told)


# -- what cannot be had


def test_get_says_that_it_has_to_be_load(
    make_async: Callable[..., AsyncEngine], connections: Callable[[], int]
) -> None:
    loader = users_on(make_async())
    for ask_at_once in (lambda: loader.get(1), lambda: loader.get_many([1, 2])):
        with pytest.raises(AsyncOnlyError, match=r"UserLoader.*load"):
            ask_at_once()
    assert connections() == 0


@pytest.mark.parametrize("listened", [False, True])
@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_a_server_that_cannot_be_reached_is_told_of_in_the_same_way(
    postgresql: Engine, driver: str, *, listened: bool
) -> None:
    fill(postgresql)
    with Relay(postgresql) as relay:
        engine = relay.async_engine(driver)
        if listened:
            event.listen(engine.sync_engine, "before_cursor_execute", lambda *_: None)
        loader = users_on(engine)
        # asyncpg leaves the errors of its socket as they are, and so does SQLAlchemy.
        with pytest.raises((OperationalError, OSError)) as raised:
            run(ask(loader, 1))
        assert "The database cannot be reached" in notes_of(raised.value)
        relay.open()
        assert run(ask(loader, 1)) == expected(postgresql, 1)


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_a_network_that_is_down_does_not_hold_up_the_end_of_a_loop(
    postgresql: Engine,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    driver: str,
) -> None:
    fill(postgresql)
    monkeypatch.setattr(loops, "END_SECONDS", 0.2)
    with Relay(postgresql) as relay:
        relay.open()
        engine = relay.async_engine(driver)

        async def main() -> list[str | None]:
            answers = await ask(users_on(engine), 1)
            relay.freeze()
            return answers

        assert spawn(run, main()).result(SECONDS) == expected(postgresql, 1)
    # The pool says that asyncpg's connection could not be closed properly.
    assert {record.name.split(".")[1] for record in caplog.records} <= {"pool"}
    caplog.clear()
