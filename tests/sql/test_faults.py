"""A database that is killed, locked or full while it is being asked."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Self

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import NullPool, QueuePool

from dataloaders.errors import BatchTimeoutError
from dataloaders.sql.notes import explain
from tests import databases
from tests.killable import Killable
from tests.sql.source_helpers import fill, names, notes_of, pool_of, users_on
from tests.threads import SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dataloaders import DataLoader
    from tests.sql.conftest import EngineMaker

pytestmark = pytest.mark.timeout(180)

THREADS = 8
SHORT = 0.3
"""A time limit that is over soon, in seconds."""


def expected(keys: list[int]) -> list[str | None]:
    return [f"user {key}" if key <= 20 else None for key in keys]


# -- a server that is killed

SERVERS = {"postgresql": databases.postgresql, "mariadb": databases.mariadb}

CAUSES = (
    "The connection was lost in the middle",
    "The database cannot be reached",
    "The database is starting or stopping",
)


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Killable]:
    """A server of this module's own, with a filled table."""
    with ExitStack() as stack:
        try:
            url = stack.enter_context(SERVERS[request.param]())
        except databases.NotHereError as error:
            databases.not_tested(request.config, f"{request.param}: {error}")
        if request.param == "mariadb":
            own = create_engine(url, poolclass=NullPool)
            with own.connect() as connection:
                connection.execute(text("SET GLOBAL innodb_flush_log_at_trx_commit = 1"))
                connection.execute(text("SET GLOBAL max_connections = 30"))
                connection.execute(text("CREATE DATABASE killed"))
            url += "killed"
        server = Killable(url)
        fill(create_engine(url, poolclass=NullPool))
        stack.callback(server.stop)
        yield server


class Callers:
    """Threads, and tasks on an event loop, that keep loading until the block is left.

    Every other request has a loader of its own, the others share one.

    Attributes:
        phase: What is going on, as far as the test knows.
        outcomes: For each caller, the phase in which each of its requests began, and its error.
    """

    def __init__(self, engine: Engine) -> None:
        self.phase = "up"
        self.outcomes: list[list[tuple[str, BaseException | None]]] = [
            [] for _ in range(THREADS + 1)
        ]
        self._engine = engine
        self._shared = users_on(engine, cache=False)
        self._over = threading.Event()
        self._executor = ThreadPoolExecutor(THREADS + 1)
        self._running = [self._executor.submit(self._ask, number) for number in range(THREADS)]
        self._running.append(self._executor.submit(asyncio.run, self._ask_on_loop()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        done = wait(self._running, SECONDS)
        assert not done.not_done
        self._executor.shutdown()
        for each in self._running:
            each.result()

    def _loader_and_keys(self, number: int) -> tuple[DataLoader[Any, Any], list[int]]:
        keys = random.sample(range(1, 26), 5)
        is_shared = len(self.outcomes[number]) % 2
        return self._shared if is_shared else users_on(self._engine), keys

    def _ask(self, number: int) -> None:
        while not self._over.wait(0.002):
            phase, error = self.phase, None
            loader, keys = self._loader_and_keys(number)
            try:
                assert names(loader.get_many(keys)) == expected(keys)
            except Exception as raised:  # noqa: BLE001 - the test looks at what it was
                error = raised
            self.outcomes[number].append((phase, error))

    async def _ask_on_loop(self) -> None:
        while not self._over.is_set():
            await asyncio.sleep(0.002)
            phase, error = self.phase, None
            loader, keys = self._loader_and_keys(THREADS)
            loading = asyncio.gather(loader.load_many(keys[:3]), *map(loader.load, keys[3:]))
            try:
                many, *single = await asyncio.wait_for(loading, SECONDS)
                assert names([*many, *single]) == expected(keys)
            except Exception as raised:  # noqa: BLE001 - as above
                error = raised
            self.outcomes[THREADS].append((phase, error))

    def errors(self, phase: str) -> list[BaseException]:
        return [error for each in self.outcomes for at, error in each if at == phase and error]

    def wait_for(self, phase: str, *, fails: bool) -> None:
        """Enters a phase, and waits until each caller had three such outcomes in it."""
        self.phase = phase

        def have_seen() -> bool:
            return all(
                sum(at == phase and (error is not None) == fails for at, error in list(each)) >= 3
                for each in self.outcomes
            )

        until(have_seen)


def test_a_server_that_is_killed_and_started_again(
    server: Killable, make_engine: EngineMaker
) -> None:
    engine = make_engine(server.url, pool_size=THREADS + 1)
    with Callers(engine) as callers:
        callers.wait_for("up", fails=False)
        callers.phase = "dying"
        server.kill()
        callers.wait_for("killed", fails=True)
        callers.phase = "starting"
        server.start()
        callers.wait_for("back", fails=False)

    assert callers.errors("back") == []
    assert len(callers.errors("up")) <= THREADS + 1
    for phase in ("up", "dying", "killed", "starting"):
        for error in callers.errors(phase):
            assert isinstance(error, SQLAlchemyError), repr(error)
            assert any(cause in notes_of(error) for cause in CAUSES), (error, notes_of(error))
    assert pool_of(engine).checkedout() == 0


@pytest.mark.parametrize("server", ["postgresql"], indirect=True)
def test_a_server_that_ends_all_connections_because_one_has_crashed(
    server: Killable, make_engine: EngineMaker
) -> None:
    engine = make_engine(server.url, pool_size=THREADS + 1)
    with engine.connect() as connection:
        backend = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    with Callers(engine) as callers:
        callers.wait_for("up", fails=False)
        os.kill(backend, signal.SIGKILL)
        until(lambda: bool(callers.errors("up")))
        until(lambda: all(each[-1][1] is None for each in callers.outcomes))
        callers.wait_for("back", fails=False)

    assert callers.errors("back") == []
    for error in callers.errors("up"):
        assert isinstance(error, SQLAlchemyError), repr(error)
        assert any(cause in notes_of(error) for cause in CAUSES), (error, notes_of(error))
    assert pool_of(engine).checkedout() == 0


def test_a_server_with_as_many_connections_as_it_allows(
    server: Killable, make_engine: EngineMaker
) -> None:
    engine = make_engine(server.url)
    loader = users_on(engine)
    others = create_engine(server.url, poolclass=NullPool)
    with ExitStack() as taken:
        taking = (taken.enter_context(others.connect()) for _ in range(1_000))
        with pytest.raises(DBAPIError):
            list(taking)
        with pytest.raises(OperationalError) as raised:
            loader.get(1)
        assert "The server has as many connections as it allows" in notes_of(raised.value)
    # A server learns a little later that a connection was closed.
    until(lambda: loader.get_many([1], return_exceptions=True)[0] == loader.get_many([1])[0])
    assert names(loader.get_many([1, 30])) == ["user 1", None]
    assert pool_of(engine).checkedout() == 0


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("FATAL:  the database system is starting up", "The database is starting or stopping"),
        ("(1053, 'Server shutdown in progress')", "The database is starting or stopping"),
        ("connection failed: FATAL:  sorry, too many clients already", "The server has as many"),
        ('too many connections for role "app"', "The server has as many"),
        ("remaining connection slots are reserved for roles with", "The server has as many"),
        ("(1226, \"User 'a' has exceeded the 'max_user_connections' resource", "The server has as"),
        ("(2003, \"Can't connect to MySQL server on 'db' ([Errno 111]", "cannot be reached"),
        ("connection failed: could not receive data", "cannot be reached"),
        ("connection is bad: connection to server on socket", "cannot be reached"),
        ("terminating connection due to unexpected postmaster exit", "The connection was lost"),
        (
            "consuming input failed: server closed the connection unexpectedly",
            "connection was lost",
        ),
        (
            "(2013, 'Lost connection to MySQL server during query ([Errno 104]",
            "connection was lost",
        ),
        ('(2006, "MySQL server has gone away (BrokenPipeError(32', "The connection was lost"),
        ("(1927, 'Connection was killed')", "The connection was lost"),
        ("(1205, 'Lock wait timeout exceeded; try restarting", "holds a lock for longer"),
        ("canceling statement due to lock timeout", "holds a lock for longer"),
    ],
)
def test_what_databases_say_is_explained(said: str, cause: str) -> None:
    error = OperationalError("SELECT 1", {}, Exception(said))
    explain(error, "UserLoader", 3)
    assert cause in notes_of(error)
    # Nothing else is said beside it.
    assert len(notes_of(error).split("none of them was cached. ")[1]) < 150


# -- a table that is locked


class Locking:
    """A filled database, whose table another connection locks.

    Args:
        engine: The database.
        other: A connection that only locks.
    """

    def __init__(self, engine: Engine, lock: list[str], unlock: str, waiting: str | None) -> None:
        self.engine = engine
        self._lock = lock
        self._unlock = unlock
        self._waiting = waiting
        self._watching = create_engine(engine.url, poolclass=NullPool)

    @contextmanager
    def locked(self) -> Iterator[None]:
        with self._watching.connect() as other:
            for statement in self._lock:
                other.exec_driver_sql(statement)
            try:
                yield
            finally:
                other.exec_driver_sql(self._unlock)

    def waiting(self) -> int | None:
        """Returns how many statements the server has that wait for the lock, if it can tell."""
        if self._waiting is None:
            return None
        with self._watching.connect() as watching:
            return int(watching.exec_driver_sql(self._waiting).scalar_one())


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def locking(request: pytest.FixtureRequest, make_engine: EngineMaker, tmp_path: Path) -> Locking:
    if request.param == "sqlite":
        engine = make_engine(
            f"sqlite:///{tmp_path}/users.db", connect_args={"timeout": 10 * SECONDS}
        )
        fill(engine)
        return Locking(engine, ["BEGIN EXCLUSIVE"], "ROLLBACK", None)
    engine = request.getfixturevalue(request.param)
    fill(engine)
    if request.param == "postgresql":
        return Locking(
            engine,
            ["LOCK TABLE users IN ACCESS EXCLUSIVE MODE"],
            "ROLLBACK",
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
        )
    return Locking(
        engine,
        ["LOCK TABLES users WRITE"],
        "UNLOCK TABLES",
        "SELECT count(*) FROM information_schema.processlist WHERE state LIKE 'Waiting for %%'",
    )


def test_a_caller_waits_for_a_lock_and_is_answered_when_it_goes(locking: Locking) -> None:
    with ThreadPoolExecutor(1) as executor:
        with locking.locked():
            answer = executor.submit(users_on(locking.engine).get_many, [1, 2, 30])
            if locking.waiting() is None:
                assert wait([answer], SHORT).not_done
            else:
                until(lambda: locking.waiting() == 1)
            assert not answer.done()
        assert names(answer.result(SECONDS)) == ["user 1", "user 2", None]
    assert pool_of(locking.engine).checkedout() == 0


async def each_outcome(loader: DataLoader[Any, Any]) -> list[Any]:
    return await asyncio.wait_for(
        asyncio.gather(
            *[loader.load(number) for number in range(1, 6)],
            loader.load_many([6, 7]),
            return_exceptions=True,
        ),
        SECONDS,
    )


def test_a_time_limit_ends_the_wait_for_a_lock_for_callers_and_server_alike(
    locking: Locking,
) -> None:
    loader = users_on(locking.engine, timeout=SHORT)
    with locking.locked():
        with pytest.raises(BatchTimeoutError):
            loader.get(1)
        with pytest.raises(BatchTimeoutError):
            loader.get_many([1, 2])
        outcomes = asyncio.run(each_outcome(loader))
        assert [type(outcome) for outcome in outcomes] == [BatchTimeoutError] * 6
        # While the lock is still held: nothing waits for it any more, and no connection either.
        until(lambda: not locking.waiting())
        until(lambda: pool_of(locking.engine).checkedout() == 0)
    assert loader.size() == 0
    assert names(loader.get_many([1, 2, 30])) == ["user 1", "user 2", None]


def test_sqlite_waits_for_a_lock_as_long_as_before_once_a_batch_with_a_limit_is_over(
    make_engine: EngineMaker, tmp_path: Path
) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/users.db", connect_args={"timeout": 12.5})
    fill(engine)
    assert users_on(engine, timeout=SHORT).get(1).name == "user 1"
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 12_500


def test_sqlite_says_that_it_is_locked_if_it_gives_up_before_the_time_limit_is_over(
    make_engine: EngineMaker, tmp_path: Path
) -> None:
    path = tmp_path / "users.db"
    engine = make_engine(f"sqlite:///{path}", connect_args={"timeout": 0.05})
    fill(engine)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(OperationalError) as raised:
        users_on(engine, timeout=float(SECONDS)).get(1)
    other.close()
    assert "Another connection holds a lock" in notes_of(raised.value)


# -- a pool that is used up


def small_pool(any_database: Engine, tmp_path: Path, **options: Any) -> Engine:  # noqa: ANN401 - of many types
    """Returns another engine for the same kind of database, which is filled."""
    url = any_database.url
    if url.drivername == "sqlite":
        url = url.set(database=str(tmp_path / "users.db"))
    engine = create_engine(url, poolclass=QueuePool, max_overflow=0, **options)
    fill(engine)
    return engine


def test_a_pool_whose_only_connection_the_application_has(
    any_database: Engine, tmp_path: Path
) -> None:
    engine = small_pool(any_database, tmp_path, pool_size=1, pool_timeout=0.1)
    loader = users_on(engine)
    with engine.connect():
        with pytest.raises(PoolTimeoutError) as raised:
            loader.get_many([1, 2])
        assert "All pooled connections are in use: raise pool_size" in notes_of(raised.value)
        outcomes = asyncio.run(each_outcome(loader))
        assert [type(outcome) for outcome in outcomes] == [PoolTimeoutError] * 6
    assert names(loader.get_many([1, 2, 30])) == ["user 1", "user 2", None]
    assert pool_of(engine).checkedout() == 0
    engine.dispose()


def test_a_caller_gets_the_connection_that_the_application_gives_back(
    any_database: Engine, tmp_path: Path
) -> None:
    engine = small_pool(any_database, tmp_path, pool_size=1, pool_timeout=SECONDS)
    with ThreadPoolExecutor(1) as executor:
        with engine.connect():
            answer = executor.submit(users_on(engine).get_many, [1, 2, 30])
            assert wait([answer], SHORT).not_done
        assert names(answer.result(SECONDS)) == ["user 1", "user 2", None]
    assert pool_of(engine).checkedout() == 0
    engine.dispose()


def test_fifty_threads_on_a_pool_of_two(any_database: Engine, tmp_path: Path) -> None:
    engine = small_pool(any_database, tmp_path, pool_size=2, pool_timeout=SECONDS)
    together = threading.Barrier(50, timeout=SECONDS)

    def ask(number: int) -> list[str | None]:
        together.wait()
        return names(users_on(engine).get_many([number % 20 + 1, 30]))

    with ThreadPoolExecutor(50) as executor:
        asked: Callable[[int], list[str | None]] = ask
        answers = list(executor.map(asked, range(50), timeout=SECONDS))
    assert answers == [[f"user {number % 20 + 1}", None] for number in range(50)]
    assert pool_of(engine).checkedout() == 0
    engine.dispose()
