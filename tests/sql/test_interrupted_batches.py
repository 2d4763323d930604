"""Batches that are ended in the middle: the pool keeps no connection with half an answer on it.

And batches that end in any other way: its connections are as they were before.
"""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import psycopg
import pytest
from psycopg.pq import TransactionStatus
from sqlalchemy import Engine, create_engine, event, insert, text
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool, QueuePool

from dataloaders.dispatch import tick
from dataloaders.errors import BatchAbortedError, BatchTimeoutError
from dataloaders.sql import Shards
from tests.sql.source_helpers import (
    RUNS_THE_QUERY,
    Server,
    UserLoader,
    async_engine_of,
    fill,
    locked,
    names,
    pool_of,
    run,
    users,
    users_on,
)
from tests.threads import SECONDS, run_green, spawn, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dataloaders import DataLoader
    from tests.sql.conftest import EngineMaker

pytestmark = pytest.mark.timeout(60)

ONE: dict[str, Any] = {"pool_size": 1, "max_overflow": 0}
"""Whoever asks next has the connection of who asked before."""


class StrangeError(BaseException):
    """Is no Exception, as KeyboardInterrupt and a green thread's kill are none."""


def listen(engine: Engine) -> None:
    """Has statements take the long way, through SQLAlchemy's Connection."""
    event.listen(engine, "before_cursor_execute", lambda *_: None)


@dataclass
class Returned:
    """How a pool's connections are when they come back."""

    autocommit: list[bool] = field(default_factory=list)
    status: list[TransactionStatus | None] = field(default_factory=list)
    invalid: int = 0

    def watch(self, engine: Engine) -> Returned:
        event.listen(engine, "checkin", self._note)
        return self

    def _note(self, connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's
        if connection is None:
            self.invalid += 1
            return
        self.autocommit.append(connection.autocommit)
        info = getattr(connection, "info", None)
        self.status.append(info.transaction_status if info is not None else None)

    def is_as_it_was(self, *, autocommit: bool = False) -> bool:
        return set(self.autocommit) <= {autocommit} and set(self.status) <= {
            TransactionStatus.IDLE,
            None,
        }


# -- on an event loop


@pytest.fixture(params=["asyncpg", "psycopg"])
def async_engine(postgresql: Engine, request: pytest.FixtureRequest) -> AsyncEngine:
    fill(postgresql)
    if request.param == "psycopg":
        return create_async_engine(postgresql.url, **ONE)
    return async_engine_of(postgresql, **ONE)


def pool_here(engine: AsyncEngine) -> QueuePool:
    """The pool that loaders have on the running loop."""
    source = vars(engine.sync_engine)["_dataloaders_async_source"]._sources.known_here()
    pool: QueuePool = source._own_pool
    return pool


async def until_asked(server: Server, number: int = 1) -> None:
    while server.number_of(RUNS_THE_QUERY) < number:  # noqa: ASYNC110 - it is the server's event
        await asyncio.sleep(0.01)


def cancel_batches() -> None:
    """Cancels the batches of this loop, as a loop does that ends."""
    for task in [task for task in tick._tasks if task.get_loop() is asyncio.get_running_loop()]:
        task.cancel()


async def outcome_of(future: asyncio.Future[Any]) -> Any:  # noqa: ANN401 - a value or an exception
    outcomes = await asyncio.gather(future, return_exceptions=True)
    return outcomes[0]


@pytest.mark.parametrize("limit", [None, 0.3])
@pytest.mark.parametrize("listened", [False, True])
def test_a_cancelled_batch_leaves_a_pool_that_works(
    postgresql: Engine, async_engine: AsyncEngine, limit: float | None, *, listened: bool
) -> None:
    if listened:
        listen(async_engine.sync_engine)
    returned = Returned().watch(async_engine.sync_engine)
    server = Server(postgresql)

    async def main() -> Any:  # noqa: ANN401 - an outcome
        loader = users_on(async_engine, timeout=limit)
        assert names([await loader.load(9)]) == ["user 9"]
        with locked(postgresql):
            future = loader.load(1)
            await until_asked(server)
            if limit is None:
                cancel_batches()
            outcome = await outcome_of(future)
            while pool_here(async_engine).checkedout():  # noqa: ASYNC110 - the pool tells nobody
                await asyncio.sleep(0.01)
        # Now the answer to the first batch might come.
        assert names(await loader.load_many([2, 3])) == ["user 2", "user 3"]
        assert names([await loader.load(4), await loader.load(1)]) == ["user 4", "user 1"]
        assert pool_here(async_engine).checkedout() == 0
        return outcome

    outcome = run(main())
    assert isinstance(outcome, BatchAbortedError if limit is None else BatchTimeoutError)
    assert returned.is_as_it_was()
    assert server.number_of(RUNS_THE_QUERY) == 0


def test_batches_that_are_cancelled_again_and_again(
    postgresql: Engine, async_engine: AsyncEngine
) -> None:
    server = Server(postgresql)

    async def main() -> None:
        loader = users_on(async_engine, cache=False)
        for key in range(1, 9):
            with locked(postgresql):
                future = loader.load(key)
                if key % 2:
                    await until_asked(server)
                else:  # anywhere between the start of the batch and its statement
                    for _ in range(key):
                        await asyncio.sleep(0)
                cancel_batches()
                outcome = await outcome_of(future)
                assert isinstance(outcome, BatchAbortedError)
            other = key + 10
            assert names(await loader.load_many([other, 99])) == [f"user {other}", None]
        assert pool_here(async_engine).checkedout() == 0

    run(main())


def test_a_cancelled_batch_of_several_shards(
    postgresql: Engine, async_engine: AsyncEngine, tmp_path: Path, make_engine: EngineMaker
) -> None:
    other = make_engine(f"sqlite:///{tmp_path}/other.db")
    fill(other, name="other")
    shards = Shards({0: async_engine_of(other), 1: async_engine}, by=lambda key: key[0] % 2)
    server = Server(postgresql)

    async def main() -> None:
        loader = users_on(shards)
        with locked(postgresql):
            future = loader.load_many([1, 2, 3, 4])
            await until_asked(server)
            cancel_batches()
            with pytest.raises(BatchAbortedError):
                await future
        assert names(await loader.load_many([4, 5])) == ["other 4", "user 5"]
        assert pool_here(async_engine).checkedout() == 0

    run(main())


@pytest.mark.parametrize("listened", [False, True])
def test_every_other_end_on_a_loop_leaves_connections_as_they_were(
    postgresql: Engine, async_engine: AsyncEngine, *, listened: bool
) -> None:
    class Broken(UserLoader):
        columns = ("name",)
        record = int  # of a name

    if listened:
        listen(async_engine.sync_engine)
    returned = Returned().watch(async_engine.sync_engine)
    server = Server(postgresql)

    async def main() -> None:
        loader = users_on(async_engine)
        assert names(await loader.load_many([1, 99])) == ["user 1", None]
        with pytest.raises(ValueError, match="user 1"):
            await Broken(async_engine).load(1)
        server.run("ALTER TABLE emptied.users RENAME TO gone")
        with pytest.raises(DBAPIError):
            await loader.load(2)
        server.run("ALTER TABLE emptied.gone RENAME TO users")
        assert names(await loader.load_many([2])) == ["user 2"]
        with locked(postgresql):
            future = loader.load(3)
            await until_asked(server)
            server.end(RUNS_THE_QUERY)
            lost = await outcome_of(future)
        assert isinstance(lost, DBAPIError)
        assert lost.connection_invalidated
        assert names(await loader.load_many([3, 4])) == ["user 3", "user 4"]
        assert pool_here(async_engine).checkedout() == 0

    run(main())
    assert len(returned.autocommit) >= 5
    assert returned.is_as_it_was()


# -- green threads

GREEN = """
import sys
import gevent, psycopg
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, event
from dataloaders.sql import TableLoader

url, ending, way = sys.argv[1:]
engine = create_engine(url, pool_size=1, max_overflow=0)
if way == "listened":
    event.listen(engine, "before_cursor_execute", lambda *_: None)

class UserLoader(TableLoader):
    key = ("id",)
    table = Table(
        "users", MetaData(), Column("id", Integer, primary_key=True), Column("name", String)
    )

loader = UserLoader(engine)
assert loader.get(9).name == "user 9"
driver_url = url.replace("+psycopg", "")
other = psycopg.connect(driver_url, autocommit=True)
lock = psycopg.connect(driver_url)
lock.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")

def asked():
    query = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%users%'"
    return other.execute(query + " AND pid <> pg_backend_pid()").fetchone()[0]

outcomes = []

def ask():
    try:
        if ending == "kill":
            loader.get(1)
        else:
            with gevent.Timeout(0.3):
                loader.get_many([1, 5])
    except gevent.Timeout:
        outcomes.append("limited")

job = gevent.spawn(ask)
with gevent.Timeout(20):
    while not asked():
        gevent.sleep(0.01)
    if ending == "kill":
        job.kill()
        outcomes.append(type(job.value).__name__)
    job.join()
    lock.rollback()
    while asked():
        gevent.sleep(0.01)
    print(*outcomes, loader.get(2).name, [user.name for user in loader.get_many([3, 4])], end=" ")
    print(loader.get(1).name, engine.pool.checkedout(), end=" ")
    connection = engine.raw_connection()
    print(connection.dbapi_connection.autocommit)
    connection.close()
lock.close()
other.close()
engine.dispose()
"""


@pytest.mark.parametrize("way", ["quick", "listened"])
@pytest.mark.parametrize(("ending", "outcome"), [("kill", "GreenletExit"), ("timeout", "limited")])
def test_a_green_thread_that_is_ended_leaves_a_pool_that_works(
    postgresql: Engine, ending: str, outcome: str, way: str
) -> None:
    fill(postgresql)
    url = postgresql.url.render_as_string(hide_password=False)
    printed = run_green("gevent", GREEN, url, ending, way)
    assert printed == f"{outcome} user 2 ['user 3', 'user 4'] user 1 0 False"


# -- interrupts


class Interrupted:
    """Has the next statement, or the reading of its answer, end in an exception."""

    where: ClassVar[str] = ""
    error: ClassVar[type[BaseException]] = KeyboardInterrupt

    @classmethod
    def maybe(cls, where: str, before: Callable[[], object] = lambda: None) -> None:
        if cls.where == where:
            cls.where = ""
            before()
            raise cls.error


class PsycopgCursor(psycopg.Cursor[Any]):
    def execute(self, *args: Any, **options: Any) -> PsycopgCursor:  # noqa: ANN401 - as its base
        # The statement is under way, and nobody reads what it brings.
        Interrupted.maybe(
            "execute", lambda: self.connection.pgconn.send_query(b"SELECT 0, 2, 'stale'")
        )
        super().execute(*args, **options)
        Interrupted.maybe("executed")
        return self

    def fetchall(self) -> list[Any]:
        Interrupted.maybe("fetchall")
        return super().fetchall()


class SQLiteCursor(sqlite3.Cursor):
    def execute(self, *args: Any) -> SQLiteCursor:  # noqa: ANN401 - as its base
        Interrupted.maybe("execute")
        super().execute(*args)
        Interrupted.maybe("executed")
        return self

    def fetchall(self) -> list[Any]:
        Interrupted.maybe("fetchall")
        return super().fetchall()


class SQLiteConnection(sqlite3.Connection):
    def cursor(self, factory: Any = SQLiteCursor) -> Any:  # noqa: ANN401 - as its base
        return super().cursor(factory)


@pytest.fixture(params=["psycopg", "sqlite"])
def interruptible(
    request: pytest.FixtureRequest, tmp_path: Path, make_engine: EngineMaker
) -> Engine:
    """An engine with one connection, whose cursors can be interrupted."""
    if request.param == "sqlite":
        plain = make_engine(f"sqlite:///{tmp_path}/users.db")
        fill(plain)
        arguments: dict[str, Any] = {"factory": SQLiteConnection, "check_same_thread": False}
    else:
        plain = request.getfixturevalue("postgresql")
        fill(plain)
        arguments = {"cursor_factory": PsycopgCursor}
    url = plain.url.render_as_string(hide_password=False)
    return make_engine(url, poolclass=QueuePool, connect_args=arguments, **ONE)


@pytest.fixture(autouse=True)
def _not_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Interrupted, "where", "")
    monkeypatch.setattr(Interrupted, "error", KeyboardInterrupt)


def is_free(path: str) -> bool:
    """Whether nobody holds a lock on a SQLite file.

    A traceback keeps a cursor, which has a lock for what of an answer nobody has read.
    """
    gc.collect()
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as connection:
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            return False
        return True


def assert_works(engine: Engine, loader: DataLoader[Any, Any]) -> None:
    if engine.dialect.name == "sqlite":
        until(lambda: is_free(str(engine.url.database)))
    assert pool_of(engine).checkedout() == 0
    assert names(loader.get_many([2, 3])) == ["user 2", "user 3"]
    assert names([loader.get(4), loader.get(1)]) == ["user 4", "user 1"]
    assert pool_of(engine).checkedout() == 0
    assert_transactions_work(engine)


def assert_transactions_work(engine: Engine) -> None:
    other = create_engine(engine.url, poolclass=NullPool)
    count = text("SELECT count(*) FROM users WHERE id > 900")
    for commits in (False, True):
        with engine.connect() as connection, other.connect() as beside:
            connection.execute(insert(users), {"id": 901, "name": "of the application"})
            assert beside.scalar(count) == 0
            beside.rollback()
            if commits:
                connection.commit()
            else:
                connection.rollback()
            assert beside.scalar(count) == int(commits)
    with other.begin() as connection:
        connection.execute(users.delete().where(users.c.id > 900))


@pytest.mark.parametrize("where", ["execute", "executed", "fetchall"])
@pytest.mark.parametrize("listened", [False, True])
@pytest.mark.parametrize("size", [1, 2])
def test_an_interrupt_in_a_cursor_leaves_a_pool_that_works(
    interruptible: Engine, where: str, size: int, *, listened: bool
) -> None:
    if listened:
        listen(interruptible)
    loader = users_on(interruptible)
    loader.get(9)
    Interrupted.where = where
    with pytest.raises(KeyboardInterrupt):
        loader.get_many([1, 5][:size])
    assert Interrupted.where == ""
    assert_works(interruptible, loader)


@pytest.mark.parametrize("where", ["execute", "executed", "fetchall"])
@pytest.mark.parametrize("listened", [False, True])
def test_so_does_what_ends_a_batch_in_a_worker_thread(
    interruptible: Engine, where: str, *, listened: bool
) -> None:
    if listened:
        listen(interruptible)
    loader = users_on(interruptible)
    Interrupted.error = StrangeError

    async def main() -> Any:  # noqa: ANN401 - an outcome
        await loader.load(9)
        Interrupted.where = where
        return await outcome_of(loader.load(1))

    assert isinstance(run(main()), BatchAbortedError | StrangeError)
    assert Interrupted.where == ""
    assert_works(interruptible, loader)


def test_a_thread_that_waits_behind_an_interrupted_one_has_its_answer(
    interruptible: Engine,
) -> None:
    loader = users_on(interruptible)
    followers = []

    def hold_and_interrupt() -> None:
        followers.append(spawn(loader.get_many, [2, 3]))
        until(lambda: len(loader._turns._queue) == 1)

    def end(*_: object) -> None:
        hold_and_interrupt()
        raise KeyboardInterrupt

    event.listen(interruptible, "before_cursor_execute", end, once=True)
    with pytest.raises(KeyboardInterrupt):
        loader.get(1)
    assert names(followers[0].result(SECONDS)) == ["user 2", "user 3"]
    assert_works(interruptible, loader)


# -- every end of a batch, in threads


@pytest.fixture
def one(postgresql: Engine, make_engine: EngineMaker) -> Engine:
    """PostgreSQL through a pool of one connection."""
    fill(postgresql)
    return make_engine(postgresql.url.render_as_string(hide_password=False), **ONE)


def answered(engine: Engine) -> None:
    assert names(users_on(engine).get_many([1, 99])) == ["user 1", None]


def answered_alone(engine: Engine) -> None:
    assert names([users_on(engine).get(1)]) == ["user 1"]


def answered_in_time(engine: Engine) -> None:
    assert names(users_on(engine, timeout=30.0).get_many([1, 99])) == ["user 1", None]


def refused(engine: Engine) -> None:
    Server(engine).run("ALTER TABLE emptied.users RENAME TO gone")
    for options in ({}, {"timeout": 30.0}):
        with pytest.raises(ProgrammingError):
            users_on(engine, **options).get(1)
    Server(engine).run("ALTER TABLE emptied.gone RENAME TO users")


def not_made(engine: Engine) -> None:
    class Broken(UserLoader):
        columns = ("name",)
        record = int  # of a name

    with pytest.raises(ValueError, match="user 1"):
        Broken(engine).get(1)


def lost(engine: Engine) -> None:
    server = Server(engine)
    with locked(create_engine(engine.url, poolclass=NullPool)):
        asking = spawn(users_on(engine).get, 1)
        until(lambda: server.number_of(RUNS_THE_QUERY) == 1)
        server.end(RUNS_THE_QUERY)
        with pytest.raises(OperationalError) as raised:
            asking.result(SECONDS)
    assert raised.value.connection_invalidated


def lost_before(engine: Engine) -> None:
    answered(engine)
    Server(engine).end("datname = current_database() AND backend_type = 'client backend'")
    with pytest.raises(OperationalError):
        users_on(engine).get(1)


def out_of_time(engine: Engine) -> None:
    with (
        locked(create_engine(engine.url, poolclass=NullPool)),
        pytest.raises(BatchTimeoutError),
    ):
        users_on(engine, timeout=0.2).get(1)
    until(lambda: pool_of(engine).checkedout() == 0)


ENDS = [
    answered,
    answered_alone,
    answered_in_time,
    refused,
    not_made,
    lost,
    lost_before,
    out_of_time,
]


@pytest.mark.parametrize("listened", [False, True])
@pytest.mark.parametrize("end", ENDS)
def test_however_a_batch_ends_its_connection_is_as_it_was(
    one: Engine, end: Callable[[Engine], None], *, listened: bool
) -> None:
    if listened:
        listen(one)
    returned = Returned().watch(one)
    end(one)
    assert len(returned.autocommit) + returned.invalid >= 1
    assert returned.is_as_it_was()
    assert_works(one, users_on(one))
    assert returned.is_as_it_was()
    with one.connect() as connection:
        # No limit of a batch has stayed with the connection.
        assert connection.scalar(text("SHOW statement_timeout")) == "0"


class Noting(UserLoader):
    """Notes what a setting of the server is for the statements of its batches."""

    setting: ClassVar[str]
    seen: ClassVar[list[str]]

    def fetch(self, execute: Any, keys: Any) -> list[Any]:  # noqa: ANN401 - as its base
        rows, _ = execute(f"SHOW {self.setting}", (), describe=False)
        self.seen.append(rows[0][0])
        return super().fetch(execute, keys)


@pytest.mark.parametrize("level", ["AUTOCOMMIT", "REPEATABLE READ"])
def test_an_engines_isolation_level_stays(
    postgresql: Engine, make_engine: EngineMaker, level: str
) -> None:
    fill(postgresql)
    engine = make_engine(
        postgresql.url.render_as_string(hide_password=False), isolation_level=level, **ONE
    )
    returned = Returned().watch(engine)
    loader = users_on(engine)
    answered(engine)
    assert names(loader.get_many([2, 3])) == ["user 2", "user 3"]
    Noting.setting, Noting.seen = "transaction_isolation", []
    assert names([Noting(engine).get(1)]) == ["user 1"]
    assert Noting.seen == ["read committed" if level == "AUTOCOMMIT" else "repeatable read"]
    with engine.connect() as connection:
        if level != "AUTOCOMMIT":  # which the server does not know of
            assert connection.get_isolation_level() == level
        assert connection.scalar(text("SELECT name FROM users WHERE id = 4")) == "user 4"
    assert returned.is_as_it_was(autocommit=level == "AUTOCOMMIT")


def test_a_transaction_that_a_listener_of_the_pool_begins_is_the_batchs(one: Engine) -> None:
    # As applications do that have a server's row security go by a setting.
    def begin(connection: Any, _record: object, _proxy: object) -> None:  # noqa: ANN401 - the driver's
        connection.execute("SET LOCAL statement_timeout = '7s'")

    returned = Returned().watch(one)
    event.listen(one, "checkout", begin)
    Noting.setting, Noting.seen = "statement_timeout", []

    assert names(Noting(one).get_many([1, 2])) == ["user 1", "user 2"]
    assert Noting.seen == ["7s"]
    assert returned.is_as_it_was()
    event.remove(one, "checkout", begin)
    assert_works(one, users_on(one))


def test_an_applications_transactions_between_batches_are_its_own(one: Engine) -> None:
    loader = users_on(one, cache=False)
    for key in range(1, 6):
        assert names([loader.get(key)]) == [f"user {key}"]
        assert_transactions_work(one)
        assert names(loader.get_many([key, key + 1])) == [f"user {key}", f"user {key + 1}"]
    assert pool_of(one).checkedout() == 0
