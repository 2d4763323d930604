"""Reading from replicas: which one is asked, and who answers where one cannot."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from contextlib import ExitStack, closing
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from dataloaders.errors import BatchTimeoutError, ConfigurationError
from dataloaders.sql import Replicas, Shards, replicas
from tests.sql.source_helpers import (
    ASYNC_DRIVERS,
    RUNS_THE_QUERY,
    Relay,
    Server,
    async_engine_of,
    fill,
    locked,
    many,
    names,
    names_by_query,
    notes_of,
    statements_of,
    users_on,
)
from tests.threads import SECONDS, spawn, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncEngine

    from dataloaders import DataLoader
    from tests.sql.conftest import EngineMaker

pytestmark = pytest.mark.timeout(60)

DATABASES = ("primary", "first", "second")


class Clock:
    """The time as the module sees it."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    # The module's alone: event loops and locks go by the real one.
    monkeypatch.setattr(replicas, "time", clock)
    return clock


@pytest.fixture
def engines(tmp_path: Path, make_engine: EngineMaker) -> dict[str, Engine]:
    """SQLite files with the same users, who are named after the file that answers."""
    engines = {name: make_engine(f"sqlite:///{tmp_path}/{name}.db") for name in DATABASES}
    for name, engine in engines.items():
        fill(engine, range(1, 101), name)
    return engines


class Asked:
    """Asks for one user after another; says which databases answered."""

    def __init__(self, bind: Any) -> None:  # noqa: ANN401 - of many types
        self.loader: DataLoader[Any, Any] = users_on(bind)
        self._next = 0

    def times(self, number: int) -> list[str]:
        """Asks so many times, by `get` or, where it has to be, by `load`."""
        answered = []
        for _ in range(number):
            self._next += 1
            (name,) = names(many(self.loader, [self._next]))
            assert name is not None
            database, number_in_it = name.split()
            assert int(number_in_it) == self._next
            answered.append(database)
        return answered


def unreachable_file(tmp_path: Path, make_engine: EngineMaker) -> Engine:
    return make_engine(f"sqlite:///{tmp_path}/missing/users.db")


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody else can get, and on which nobody listens."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


# -- all of them are there


def test_replicas_are_asked_in_turn_and_the_primary_never(engines: dict[str, Engine]) -> None:
    sent = statements_of(engines["primary"])
    asked = Asked(Replicas(*engines.values()))
    assert asked.times(6) == ["first", "second"] * 3
    assert names(asked.loader.get_many([50, 51, 999])) == ["first 50", "first 51", None]
    assert sent == []


def test_answers_are_those_of_one_query_for_each_key(engines: dict[str, Engine]) -> None:
    loader = users_on(Replicas(engines["primary"], engines["second"]))
    keys = [*range(1, 120, 3), 7]
    assert names(loader.get_many(keys)) == names_by_query(engines["second"], keys)


def test_loaders_take_turns_with_each_other(engines: dict[str, Engine]) -> None:
    bind = Replicas(*engines.values())
    assert [Asked(bind).times(1) for _ in range(4)] == [["first"], ["second"]] * 2


def test_async_replicas_are_asked_in_turn(engines: dict[str, Engine]) -> None:
    sent = statements_of(engines["primary"])
    asked = Asked(Replicas(*map(async_engine_of, engines.values())))
    assert asked.times(6) == ["first", "second"] * 3
    assert sent == []


def test_threads_that_ask_at_the_same_time_use_all_replicas_alike(
    engines: dict[str, Engine],
) -> None:
    bind = Replicas(*engines.values())
    together = threading.Barrier(16, timeout=SECONDS)

    def ask(number: int) -> list[str | None]:
        together.wait()
        loader = users_on(bind)
        return names([loader.get(key) for key in range(number, number + 5)])

    answers = [spawn(ask, number) for number in range(1, 17)]
    found: list[str] = []
    for number, answer in enumerate(answers, 1):
        answered = [str(name).split() for name in answer.result(SECONDS)]
        assert [int(key) for _, key in answered] == list(range(number, number + 5))
        found += [database for database, _ in answered]
    assert Counter(found) == {"first": 40, "second": 40}


# -- one of them is not


@pytest.fixture(params=["file", "psycopg", "asyncpg"])
def outage(
    request: pytest.FixtureRequest, tmp_path: Path, make_engine: EngineMaker
) -> Iterator[tuple[Any, Callable[[], None]]]:
    """A replica that cannot be reached, and what ends that."""
    if request.param == "file":
        engine = unreachable_file(tmp_path, make_engine)

        def end() -> None:
            (tmp_path / "missing").mkdir()
            fill(engine, range(1, 101), "missing")

        yield engine, end
        return
    postgresql: Engine = request.getfixturevalue("postgresql")
    fill(postgresql, range(1, 101), "missing")
    with Relay(postgresql) as relay:
        yield relay.async_engine(request.param), relay.open


def connecting(bind: Any, note: Callable[[], object]) -> None:  # noqa: ANN401 - of two types
    """Has a function called whenever an engine is about to connect."""
    watched: Engine = getattr(bind, "sync_engine", bind)
    event.listen(watched, "do_connect", lambda *_: note() and None)


def test_a_replica_that_cannot_be_reached_is_left_alone_for_a_while(
    engines: dict[str, Engine], clock: Clock, outage: tuple[Any, Callable[[], None]]
) -> None:
    missing, end_outage = outage
    tries: list[float] = []
    connecting(missing, lambda: tries.append(clock.now))
    as_bind = as_binds_of(missing)
    asked = Asked(Replicas(as_bind(engines["primary"]), missing, as_bind(engines["second"])))

    assert asked.times(4) == ["second"] * 4
    assert tries == [1_000.0]
    clock.now += 4.99
    assert asked.times(4) == ["second"] * 4
    assert tries == [1_000.0]
    clock.now += 0.02
    assert asked.times(4) == ["second"] * 4
    assert tries == [1_000.0, clock.now]

    end_outage()
    assert asked.times(4) == ["second"] * 4
    clock.now += 5.01
    assert sorted(asked.times(4)) == ["missing", "missing", "second", "second"]


def as_binds_of(bind: object) -> Callable[[Engine], Any]:
    """Returns what makes engines of the same kind, sync or async, of sync ones."""
    return (lambda engine: engine) if isinstance(bind, Engine) else async_engine_of


def test_for_how_long_is_for_the_application_to_say(
    engines: dict[str, Engine], clock: Clock, tmp_path: Path, make_engine: EngineMaker
) -> None:
    missing = unreachable_file(tmp_path, make_engine)
    tries: list[float] = []
    event.listen(missing, "do_connect", lambda *_: tries.append(clock.now))
    asked = Asked(Replicas(engines["primary"], missing, retry_after=60.0))
    for seconds in (0.0, 59.0, 61.0):
        clock.now = 1_000.0 + seconds
        assert asked.times(2) == ["primary"] * 2
    assert tries == [1_000.0, 1_061.0]


@pytest.mark.parametrize("driver", ["psycopg", "psycopg async", "asyncpg"])
def test_the_primary_answers_for_a_server_that_does_not_run(
    postgresql: Engine, closed_port: int, make_engine: EngineMaker, driver: str
) -> None:
    fill(postgresql, range(1, 101), "primary")
    name = driver.removesuffix(" async")
    url = f"postgresql+{name}://nobody@127.0.0.1:{closed_port}/none"
    if driver == "psycopg":
        asked = Asked(Replicas(postgresql, make_engine(url)))
    else:
        asked = Asked(Replicas(async_engine_of(postgresql), create_async_engine(url)))
    assert asked.times(3) == ["primary"] * 3


@pytest.mark.parametrize("is_async", [False, True])
def test_a_replica_that_refuses_to_connect(postgresql: Engine, *, is_async: bool) -> None:
    fill(postgresql, range(1, 101), "primary")
    no_such_database = postgresql.url.set(database="nowhere")
    if is_async:
        url = no_such_database.set(drivername=ASYNC_DRIVERS["postgresql"])
        url = url.difference_update_query(["options"])
        asked = Asked(Replicas(async_engine_of(postgresql), create_async_engine(url)))
    else:
        asked = Asked(Replicas(postgresql, create_engine(no_such_database)))
    assert asked.times(2) == ["primary"] * 2


def test_a_replica_whose_pool_is_used_up(
    engines: dict[str, Engine], clock: Clock, make_engine: EngineMaker
) -> None:
    busy = make_engine(
        engines["first"].url.render_as_string(),
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=0.05,
    )
    asked = Asked(Replicas(engines["primary"], busy))
    with busy.connect():
        assert asked.times(2) == ["primary"] * 2
    clock.now += 10
    assert asked.times(2) == ["first"] * 2


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_a_replica_that_loses_its_connections_while_it_is_asked(
    postgresql: Engine, engines: dict[str, Engine], clock: Clock, driver: str
) -> None:
    fill(postgresql, range(1, 101), "replica")
    server = Server(postgresql)
    if driver == "psycopg":
        asked = Asked(Replicas(engines["primary"], postgresql))
    else:
        primary = async_engine_of(engines["primary"])
        asked = Asked(Replicas(primary, async_engine_of(postgresql)))

    with locked(postgresql):
        answer = spawn(asked.times, 3)
        until(lambda: server.number_of(RUNS_THE_QUERY) == 1)
        assert server.end(RUNS_THE_QUERY) == 1
        assert answer.result(SECONDS) == ["primary"] * 3
    clock.now += 10
    assert asked.times(2) == ["replica"] * 2


def test_a_replica_that_has_to_give_way_to_its_primarys_changes(
    postgresql: Engine, engines: dict[str, Engine]
) -> None:
    # What a standby says when a query is in the way of what it has to do as its primary did.
    fill(postgresql)
    Server(postgresql).run(
        "ALTER TABLE users RENAME TO quick_users",
        "CREATE FUNCTION conflict() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION"
        " 'canceling statement due to conflict with recovery' USING ERRCODE = '40001'; END $$",
        "CREATE VIEW users AS SELECT conflict() AS id, name FROM quick_users",
    )
    assert Asked(Replicas(engines["primary"], postgresql)).times(2) == ["primary"] * 2
    asynchronous = Replicas(async_engine_of(engines["primary"]), async_engine_of(postgresql))
    assert Asked(asynchronous).times(2) == ["primary"] * 2


@pytest.mark.parametrize("number", [1, 8])
def test_threads_that_meet_a_replica_that_is_gone_notice_nothing(
    engines: dict[str, Engine], tmp_path: Path, make_engine: EngineMaker, number: int
) -> None:
    bind = Replicas(engines["primary"], unreachable_file(tmp_path, make_engine), engines["second"])
    together = threading.Barrier(number, timeout=SECONDS)

    def ask(first: int) -> list[str | None]:
        together.wait()
        return names(users_on(bind).get_many(range(first, first + 5)))

    answers = {first: spawn(ask, first) for first in range(1, number + 1)}
    for first, answer in answers.items():
        expected = names_by_query(engines["second"], range(first, first + 5))
        assert answer.result(SECONDS) == expected


# -- errors that another database would have as well


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_missing_column_is_no_reason_to_ask_another_database(
    request: pytest.FixtureRequest, engines: dict[str, Engine], database: str, *, is_async: bool
) -> None:
    name = "engine_without_names" if database == "sqlite" else "postgresql"
    broken: Engine = request.getfixturevalue(name)
    with broken.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE users (id INTEGER PRIMARY KEY)")
    if is_async:
        primary = async_engine_of(engines["primary"])
        sent = statements_of(primary.sync_engine)
        loader = users_on(Replicas(primary, async_engine_of(broken)))
    else:
        sent = statements_of(engines["primary"])
        loader = users_on(Replicas(engines["primary"], broken))

    for key in (1, 2):
        with pytest.raises(DBAPIError, match="name") as raised:
            many(loader, [key])
        assert isinstance(raised.value, OperationalError | ProgrammingError)
        assert "UserLoader was loading 1 keys" in notes_of(raised.value)
    assert sent == []


@pytest.fixture
def engine_without_names(tmp_path: Path, make_engine: EngineMaker) -> Engine:
    return make_engine(f"sqlite:///{tmp_path}/nameless.db")


def test_a_batch_that_took_too_long_is_not_begun_again_elsewhere(
    postgresql: Engine, engines: dict[str, Engine]
) -> None:
    fill(postgresql)
    sent = statements_of(engines["primary"])
    loader = users_on(Replicas(engines["primary"], postgresql), timeout=0.2)
    with locked(postgresql), pytest.raises(BatchTimeoutError):
        loader.batch_load([(1,)])  # in this thread, where the server's limit is the only one
    assert names(loader.get_many([1, 2])) == ["user 1", "user 2"]
    assert sent == []


# -- none of them is there


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("driver", ["sync", "psycopg", "asyncpg"])
def test_when_all_are_gone_the_primary_says_so(postgresql: Engine, driver: str) -> None:
    fill(postgresql, range(1, 21), "primary")
    with ExitStack() as relaying:
        relays = [relaying.enter_context(Relay(postgresql)) for _ in DATABASES]
        binds: list[Any] = [
            relay.engine() if driver == "sync" else relay.async_engine(driver) for relay in relays
        ]
        loader = users_on(Replicas(*binds))
        tries: list[str] = []
        for bind, name in zip(binds, DATABASES, strict=True):
            connecting(bind, partial(tries.append, name))

        for _ in range(2):
            with pytest.raises((OperationalError, OSError)) as raised:
                many(loader, [1, 2])
            assert str(port_of(binds[0])) in str(raised.value)
            assert notes_of(raised.value) == (
                "UserLoader was loading 2 keys in one batch; none of them was cached. The database"
                " cannot be reached: check that it runs, and the engine's URL."
            )
        assert tries == ["first", "second", "primary", "primary"]
        assert loader.size() == 0

        relays[0].open()
        assert names(many(loader, [1, 2])) == ["primary 1", "primary 2"]
        if driver == "sync":
            binds[0].dispose()


def port_of(bind: Any) -> int:  # noqa: ANN401 - of two types
    port: int = bind.url.port
    return port


# -- what it may be made of


def test_it_is_made_of_engines_of_one_kind(engines: dict[str, Engine]) -> None:
    primary, first, _ = engines.values()
    asynchronous: AsyncEngine = async_engine_of(first)
    with pytest.raises(ConfigurationError, match="a primary and at least one replica"):
        Replicas(primary)
    with pytest.raises(ConfigurationError, match="sync engines only, or of async ones only"):
        Replicas(primary, asynchronous)
    with Session(first) as session, pytest.raises(ConfigurationError, match="made of engines"):
        Replicas(primary, session)
    for nothing in (None, SimpleNamespace(), first.url):
        with pytest.raises(ConfigurationError, match="made of engines"):
            Replicas(primary, nothing)  # type: ignore[arg-type]  # that is the mistake
    shards = Shards({"all": first}, by="id")
    with pytest.raises(ConfigurationError, match="of one database"):
        Replicas(primary, shards)
