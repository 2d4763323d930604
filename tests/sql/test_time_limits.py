"""A loader's time limit, as the database keeps it: what nobody waits for does not run on."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import (
    URL,
    Column,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    insert,
    select,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool, QueuePool

from dataloaders.errors import BatchTimeoutError
from dataloaders.sql import TableLoader, plans
from dataloaders.sql.limits import limit_for
from dataloaders.sql.plan import Plan
from tests.sql.source_helpers import (
    Server,
    UserLoader,
    async_engine_of,
    fill,
    names,
    pool_of,
    users,
)
from tests.threads import SECONDS, spawn, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dataloaders import DataLoader
    from dataloaders.sql.plan import Connected, Keys

pytestmark = pytest.mark.timeout(120)

LIMIT = 0.15
"""What the tests' loaders wait, in seconds."""


def view(name: str) -> Table:
    return Table(
        name, MetaData(), Column("id", Integer, primary_key=True), Column("name", String(200))
    )


class SlowLoader(TableLoader[Any]):
    """Takes a minute for the key 1."""

    table, key = view("slow"), ("id",)


class SlowishLoader(TableLoader[Any]):
    """Takes twice the limit for the key 1."""

    table, key = view("slowish"), ("id",)


VIEWS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {})"
    " SELECT 1 AS id, count(*) AS name FROM n",
    "postgresql": "SELECT 1 AS id, CAST(pg_sleep({}) AS text) AS name",
    "mysql": "SELECT 1 AS id, CAST(SLEEP({}) AS CHAR) AS name",
}
# SQLite counts to nine million in a second.
LENGTHS: dict[str, dict[str, float]] = {
    "sqlite": {"slow": 600_000_000, "slowish": 3_000_000},
    "postgresql": {"slow": 60, "slowish": 0.3},
    "mysql": {"slow": 60, "slowish": 0.3},
}
OTHERS_RUN = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    " AND (query LIKE '%%slow%%' AND state <> 'idle' OR state LIKE 'idle in%%')",
    "mysql": "SELECT count(*) FROM information_schema.processlist"
    " WHERE info LIKE '%%slow%%' AND id <> connection_id()",
}
SETTING = {
    "sqlite": "PRAGMA busy_timeout",
    "postgresql": "SHOW statement_timeout",
    "mysql": "SELECT @@max_statement_time",
}


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    """A database of each kind in turn, with users and the slow views."""
    filled: Engine = (
        create_engine(f"sqlite:///{tmp_path}/users.db")
        if request.param == "sqlite"
        else request.getfixturevalue(request.param)
    )
    fill(filled)
    kind = filled.dialect.name
    with filled.begin() as connection:
        for name, length in LENGTHS[kind].items():
            connection.exec_driver_sql(f"CREATE VIEW {name} AS {VIEWS[kind].format(length)}")
    filled.dispose()
    return filled.url


def one_connection(url: URL, **options: Any) -> Engine:  # noqa: ANN401 - of many types
    return create_engine(
        url, poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=SECONDS, **options
    )


def have_listeners(engine: Engine) -> None:
    event.listen(engine, "before_cursor_execute", lambda *_: None)


def have_echo(engine: Engine) -> None:
    engine.echo = True


ENGINES: dict[str, dict[str, Any]] = {
    "plain": {},
    "autocommit": {"isolation_level": "AUTOCOMMIT"},
    "autocommit without rollback": {
        "isolation_level": "AUTOCOMMIT",
        "skip_autocommit_rollback": True,
    },
    "without reset": {"pool_reset_on_return": None},
    "with listeners": {"then": have_listeners},
    "with echo": {"then": have_echo},
    "autocommit with listeners": {"isolation_level": "AUTOCOMMIT", "then": have_listeners},
}


@pytest.fixture(params=ENGINES)
def fresh(request: pytest.FixtureRequest, url: URL) -> Iterator[Engine]:
    """An engine with one connection, which is not open yet."""
    options = dict(ENGINES[request.param])
    then: Callable[[Engine], None] | None = options.pop("then", None)
    engine = one_connection(url, **options)
    if then is not None:
        then(engine)
    yield engine
    end(engine)


@pytest.fixture
def plain(url: URL) -> Iterator[Engine]:
    engine = one_connection(url)
    yield engine
    end(engine)


def end(engine: Engine) -> None:
    """Disposes of an engine when those are done whose callers no longer wait for the connection.

    A connection that comes back to a pool which is no more is closed by nobody.
    """
    idle = 0

    def is_idle() -> bool:
        nonlocal idle
        time.sleep(0.01)
        idle = 0 if pool_of(engine).checkedout() else idle + 1
        return idle == 5  # one that waits takes it at once

    until(is_idle)
    engine.dispose()


def roomy(kind: type[TableLoader[Any]], bind: Any) -> DataLoader[Any, Any]:  # noqa: ANN401 - of many types
    """A loader with a limit that no batch reaches, however busy the machine is."""
    return kind(bind, timeout=float(SECONDS))


def limited(kind: type[TableLoader[Any]], bind: Any) -> DataLoader[Any, Any]:  # noqa: ANN401 - of many types
    return kind(bind, timeout=LIMIT)


def scalar(engine: Engine, statement: str) -> Any:  # noqa: ANN401 - of many types
    with engine.connect() as connection:
        return connection.exec_driver_sql(statement).scalar_one()


def running(engine: Engine) -> int:
    """Returns how many slow statements run, and transactions of theirs, as others see it."""
    statement = OTHERS_RUN.get(engine.dialect.name)
    if statement is None:
        # SQLite has no server: what runs in this process has the connection.
        return pool_of(engine).checkedout()
    return int(scalar(create_engine(engine.url, poolclass=NullPool), statement))


def test_the_database_ends_a_statement_that_takes_too_long(fresh: Engine) -> None:
    loader = limited(SlowLoader, fresh)

    asked = spawn(loader.get, 1)
    # On a busy machine, to look may take longer than the statement.
    until(lambda: running(fresh) == 1 or asked.done())
    with pytest.raises(BatchTimeoutError, match="A batch of 1 keys of SlowLoader did not"):
        asked.result(SECONDS)
    until(lambda: running(fresh) == 0)

    with pytest.raises(BatchTimeoutError):
        loader.get_many([1, 2, 3])
    outcomes = asyncio.run(each_outcome(loader))
    assert [type(outcome) for outcome in outcomes] == [BatchTimeoutError] * 3
    until(lambda: running(fresh) == 0)
    assert loader.size() == 0


async def each_outcome(loader: DataLoader[Any, Any]) -> list[Any]:
    asked = asyncio.gather(
        loader.load(1), loader.load(2), loader.load_many([1, 3]), return_exceptions=True
    )
    return await asyncio.wait_for(asked, SECONDS)


def test_the_connection_has_no_limit_left(fresh: Engine) -> None:
    opened: list[object] = []
    event.listen(fresh, "connect", lambda *_: opened.append(1))
    setting = SETTING[fresh.dialect.name]
    before = scalar(fresh, setting)

    assert roomy(UserLoader, fresh).get(1).name == "user 1"
    assert scalar(fresh, setting) == before
    found = roomy(UserLoader, fresh).get_many([1, 2, 30])
    assert names(found) == ["user 1", "user 2", None]
    assert scalar(fresh, setting) == before
    with pytest.raises(BatchTimeoutError):
        limited(SlowLoader, fresh).get_many([1, 2])
    assert scalar(fresh, setting) == before
    with pytest.raises(DBAPIError):
        roomy(GoneLoader, fresh).get_many([1, 2])
    assert scalar(fresh, setting) == before

    # What takes longer than the limit runs to its end on this very connection, without a
    # transaction of before.
    with fresh.connect() as connection:
        assert running(fresh) == (fresh.dialect.name == "sqlite")
        assert connection.execute(select(SlowishLoader.table)).one().id == 1
    assert len(opened) == 1


class GoneLoader(TableLoader[Any]):
    """Has no table in the database."""

    table, key = view("gone"), ("id",)


def test_a_batch_within_its_limit_is_answered(plain: Engine) -> None:
    loader = SlowishLoader(plain, timeout=float(SECONDS))
    assert [record and record.id for record in loader.get_many([1, 2])] == [1, None]
    (record,) = asyncio.run(load_many(SlowishLoader(plain, timeout=float(SECONDS)), [1]))
    assert record.id == 1


async def load_many(loader: DataLoader[Any, Any], keys: list[int]) -> list[Any]:
    return await asyncio.wait_for(loader.load_many(keys, return_exceptions=True), 2 * SECONDS)


def test_a_transaction_of_a_session_keeps_its_own_settings(plain: Engine) -> None:
    kind = plain.dialect.name
    statement, own = {
        "sqlite": ("PRAGMA busy_timeout = 7000", 7_000),
        "postgresql": ("SET LOCAL statement_timeout = '7s'", "7s"),
        "mysql": ("SET max_statement_time = 7", 7),
    }[kind]
    with Session(plain) as session:
        connection = session.connection()
        connection.exec_driver_sql(statement)
        connection.execute(insert(users).values(id=100, name="not committed"))

        found = roomy(UserLoader, session).get_many([1, 100])
        assert names(found) == ["user 1", "not committed"]
        # To end a statement would end the transaction.
        assert limited(SlowishLoader, session).get(1).id == 1

        assert connection.exec_driver_sql(SETTING[kind]).scalar_one() == own
        assert names([UserLoader(session).get(100)]) == ["not committed"]


def test_a_statement_that_somebody_else_ends_is_no_timeout(plain: Engine) -> None:
    drivers: list[Any] = []
    event.listen(plain, "connect", lambda driver, _: drivers.append(driver))
    scalar(plain, "SELECT 1")
    asked = spawn(SlowLoader(plain, timeout=float(SECONDS)).get, 1)
    until(lambda: running(plain) == 1)
    time.sleep(LIMIT)  # SQLite's connection is taken a moment before its statement begins
    if plain.dialect.name == "mysql":
        # For a sleep, to be ended is no error: the connection is.
        with create_engine(plain.url, poolclass=NullPool).connect() as other:
            other.exec_driver_sql(f"KILL CONNECTION {drivers[0].thread_id()}")
    else:
        end = drivers[0].interrupt if plain.dialect.name == "sqlite" else drivers[0].cancel
        until(lambda: end() or asked.done())
    assert isinstance(asked.exception(SECONDS), OperationalError)


@pytest.mark.parametrize("fresh", ENGINES, indirect=True)
@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_connection_that_is_lost_when_the_rows_are_there_costs_nobody_an_answer(
    fresh: Engine,
) -> None:
    server = Server(fresh)

    class LosingLoader(UserLoader):
        def fetch(self, execute: Connected, keys: Keys) -> list[Any]:
            answers = super().fetch(execute, keys)
            assert server.end("datname = current_database() AND backend_type = 'client backend'")
            return answers

    assert names(roomy(LosingLoader, fresh).get_many([1, 30])) == ["user 1", None]
    assert pool_of(fresh).checkedout() == 0
    assert names(roomy(UserLoader, fresh).get_many([1, 30])) == ["user 1", None]


@pytest.mark.parametrize("has_listeners", [False, True])
def test_no_statement_of_a_batch_begins_when_its_time_is_over(
    plain: Engine, monkeypatch: pytest.MonkeyPatch, *, has_listeners: bool
) -> None:
    monkeypatch.setattr(plans, "PLANS", {})
    if has_listeners:
        have_listeners(plain)
    ended: list[str] = []

    class CountingLoader(UserLoader):
        def fetch(self, execute: Connected, keys: Keys) -> list[Any]:
            return super().fetch(Counting(execute, ended), keys)

    # A hundred statements, none of which takes long.
    with pytest.raises(BatchTimeoutError):
        limited(CountingLoader, plain).get_many(range(3_200))
    until(lambda: pool_of(plain).checkedout() == 0)
    assert len(ended) <= 11  # on a machine with much else to do, it may be over before the first
    ended.clear()
    assert names(roomy(CountingLoader, plain).get_many([1, 30])) == ["user 1", None]
    assert len(ended) == 1


class Counting:
    """A connection on which each statement takes a tenth of the limit."""

    def __init__(self, execute: Connected, ended: list[str]) -> None:
        self.engine = execute.engine
        self.inquire = execute.inquire
        self._execute = execute
        self._ended = ended

    def __call__(self, text: str, parameters: Any, *, describe: bool) -> Any:  # noqa: ANN401 - as Connected
        fetched = self._execute(text, parameters, describe=describe)
        self._ended.append(text)
        time.sleep(LIMIT / 10)
        return fetched


# -- async engines


@pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("options", [{}, {"isolation_level": "AUTOCOMMIT"}])
@pytest.mark.parametrize("has_listeners", [False, True])
async def test_so_do_async_engines(
    plain: Engine, options: dict[str, Any], *, has_listeners: bool
) -> None:
    threads = set(threading.enumerate())
    engine = async_engine_of(plain, pool_size=1, max_overflow=0, **options)
    if has_listeners:
        have_listeners(engine.sync_engine)
    slow, quick = limited(SlowLoader, engine), roomy(UserLoader, engine)

    assert names(await load_many(quick, [1, 30])) == ["user 1", None]
    if plain.dialect.name == "postgresql":
        assert running(plain) == 0
    outcomes = await each_outcome(slow)
    assert [type(outcome) for outcome in outcomes] == [BatchTimeoutError] * 3
    assert names(await load_many(quick, [2, 30])) == ["user 2", None]
    (record,) = await load_many(SlowishLoader(engine), [1])
    assert record.id == 1

    await engine.dispose()
    if plain.dialect.name == "postgresql":
        until(lambda: running(plain) == 0)
    # SQLite's statements run in threads, one for each connection.
    until(lambda: set(threading.enumerate()) <= threads)


# -- MySQL's hint


def test_mysql_is_told_by_a_hint_where_it_looks_for_one() -> None:
    dialect = mysql.dialect()
    plan = Plan(UserLoader.definition(), dialect, None)
    for arms in (1, 4):
        text = plan._compile((False,), arms).text
        limit = limit_for(dialect, 1.2345)
        assert limit.limited(text) == "SELECT /*+ MAX_EXECUTION_TIME(1235) */" + text[6:]
        assert limit.limited(text).count("MAX_EXECUTION_TIME") == 1


def test_mariadb_is_told_before_the_statement() -> None:
    dialect = mysql.dialect(is_mariadb=True)
    limited = limit_for(dialect, 1.2345).limited("SELECT 1")
    assert limited == "SET STATEMENT max_statement_time=1.235 FOR SELECT 1"
