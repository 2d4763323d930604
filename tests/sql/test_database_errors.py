"""A database that refuses or is gone: who is told what, and what goes on afterwards."""

from __future__ import annotations

import asyncio
import logging
import socket
import sqlite3
import threading
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import (
    Engine,
    create_engine,
    event,
    insert,
    text,
)
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from tests.sql.source_helpers import UserLoader, fill, notes_of, pool_of, users, users_on
from tests.threads import SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dataloaders import DataLoader
    from tests.sql.conftest import EngineMaker

pytestmark = pytest.mark.timeout(120)


def assert_everybody_is_told(
    loader: DataLoader[Any, Any], kind: type[SQLAlchemyError], said: str
) -> None:
    """Each caller, whichever way it asks, gets the error with its note, and nothing is kept."""
    single = f"UserLoader was loading 1 keys in one batch; none of them was cached. {said}"
    with pytest.raises(kind) as one:
        loader.get(1)
    assert notes_of(one.value).startswith(single)
    with pytest.raises(kind) as many:
        loader.get_many([1, 2, 3])
    assert "was loading 3 keys" in notes_of(many.value)
    assert said in notes_of(many.value)
    answers = loader.get_many([1, 2], return_exceptions=True)
    assert [type(answer) for answer in answers] == [type(many.value)] * 2

    async def gathered() -> list[Any]:
        return await asyncio.wait_for(
            asyncio.gather(
                *[loader.load(number) for number in range(1, 6)],
                loader.load_many([6, 7]),
                return_exceptions=True,
            ),
            SECONDS,
        )

    outcomes = asyncio.run(gathered())
    assert [isinstance(outcome, kind) for outcome in outcomes] == [True] * 6
    assert said in notes_of(outcomes[-1])
    assert loader.size() == 0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "users.db"


def test_a_missing_table(make_engine: EngineMaker, path: Path) -> None:
    engine = make_engine(f"sqlite:///{path}")
    loader = users_on(engine)

    assert_everybody_is_told(loader, OperationalError, "The table is not in this database")

    assert pool_of(engine).checkedout() == 0
    fill(engine)
    assert loader.get(1).name == "user 1"


def test_a_missing_table_on_postgresql(postgresql: Engine) -> None:
    loader = users_on(postgresql)

    assert_everybody_is_told(loader, ProgrammingError, "The table is not in this database")

    assert pool_of(postgresql).checkedout() == 0
    fill(postgresql)
    assert loader.get(1).name == "user 1"


@pytest.mark.parametrize("database", ["engine", "postgresql"])
def test_a_missing_column_is_no_missing_table(
    request: pytest.FixtureRequest, database: str
) -> None:
    engine: Engine = request.getfixturevalue(database)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE users (id INTEGER PRIMARY KEY)"))
    with pytest.raises(DBAPIError) as raised:
        users_on(engine).get(1)
    assert "UserLoader was loading 1 keys" in notes_of(raised.value)
    assert "The table is not in this database" not in notes_of(raised.value)


def test_an_in_memory_database_that_another_thread_has_filled(make_engine: EngineMaker) -> None:
    engine = make_engine("sqlite://", shared=False)

    def fill_there() -> None:
        fill(engine)
        engine.dispose()  # only the thread of a connection may close it

    thread = threading.Thread(target=fill_there, daemon=True)
    thread.start()
    thread.join(SECONDS)
    with pytest.raises(OperationalError) as raised:
        users_on(engine).get(1)
    assert "poolclass=StaticPool" in notes_of(raised.value)


@pytest.mark.parametrize("listened", [False, True])
def test_a_file_that_cannot_be_opened(
    make_engine: EngineMaker, tmp_path: Path, *, listened: bool
) -> None:
    directory = tmp_path / "later"
    engine = make_engine(f"sqlite:///{directory}/users.db")
    if listened:
        event.listen(engine, "before_cursor_execute", lambda *_: None)
    loader = users_on(engine)

    assert_everybody_is_told(loader, OperationalError, "The database cannot be reached")

    assert pool_of(engine).checkedout() == 0
    directory.mkdir()
    fill(engine)
    assert loader.get(1).name == "user 1"


def test_a_session_whose_database_cannot_be_opened(
    make_engine: EngineMaker, tmp_path: Path
) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/later/users.db")
    with Session(engine) as session, pytest.raises(OperationalError) as raised:
        users_on(session).get(1)
    assert "The database cannot be reached" in notes_of(raised.value)


async def test_an_async_engine_whose_database_cannot_be_opened(tmp_path: Path) -> None:
    directory = tmp_path / "later"
    engine = create_async_engine(f"sqlite+aiosqlite:///{directory}/users.db")
    loader = users_on(engine)

    outcomes = await asyncio.gather(
        loader.load(1), loader.load(2), loader.load_many([3, 4]), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes] == [OperationalError] * 3
    assert "UserLoader was loading 4 keys" in notes_of(outcomes[0])
    assert loader.size() == 0
    directory.mkdir()
    async with engine.begin() as connection:
        await connection.run_sync(users.create)
        await connection.execute(insert(users), [{"id": 1, "name": "user 1"}])
    assert (await loader.load(1)).name == "user 1"
    await engine.dispose()


@pytest.mark.parametrize("listened", [False, True])
def test_a_server_that_does_not_run(make_engine: EngineMaker, *, listened: bool) -> None:
    with closing(socket.socket()) as taken:
        # Taken, but nobody listens on it: no connection can be made.
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        engine = make_engine(f"postgresql+psycopg://nobody@127.0.0.1:{port}/none")
        if listened:
            event.listen(engine, "before_cursor_execute", lambda *_: None)
        loader = users_on(engine)

        assert_everybody_is_told(loader, OperationalError, "The database cannot be reached")

        assert pool_of(engine).checkedout() == 0


def test_a_locked_database(make_engine: EngineMaker, path: Path) -> None:
    engine = make_engine(f"sqlite:///{path}", connect_args={"timeout": 0.05})
    fill(engine)
    loader = users_on(engine)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")

        assert_everybody_is_told(
            loader, OperationalError, "Another connection holds a lock for longer"
        )

        other.execute("ROLLBACK")
    assert loader.get(1).name == "user 1"
    assert pool_of(engine).checkedout() == 0


def test_a_pool_without_a_free_connection(make_engine: EngineMaker, path: Path) -> None:
    engine = make_engine(
        f"sqlite:///{path}", poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0.05
    )
    fill(engine)
    loader = users_on(engine)
    with engine.connect():
        assert_everybody_is_told(
            loader, PoolTimeoutError, "All pooled connections are in use: raise pool_size"
        )
    assert loader.get(1).name == "user 1"
    assert pool_of(engine).checkedout() == 0


def test_threads_that_wait_for_another_threads_batch_are_told_as_well(
    make_engine: EngineMaker, path: Path
) -> None:
    engine = make_engine(f"sqlite:///{path}")
    leader_is_in, followers_wait = threading.Event(), threading.Event()

    def hold(*_: object) -> None:
        leader_is_in.set()
        assert followers_wait.wait(SECONDS)

    event.listen(engine, "before_cursor_execute", hold, once=True)
    loader = users_on(engine)
    outcomes: dict[int, BaseException] = {}

    def ask(number: int) -> None:
        try:
            loader.get_many([1, number])
        except SQLAlchemyError as error:
            outcomes[number] = error

    threads = [threading.Thread(target=ask, args=(number,), daemon=True) for number in range(2, 8)]
    threads[0].start()
    assert leader_is_in.wait(SECONDS)
    for thread in threads[1:]:
        thread.start()
    until(lambda: sum(len(batch.keys) for batch in loader._turns._queue) >= 5)
    followers_wait.set()
    for thread in threads:
        thread.join(SECONDS)

    assert sorted(outcomes) == [2, 3, 4, 5, 6, 7]
    for error in outcomes.values():
        assert isinstance(error, OperationalError)
        assert "The table is not in this database" in notes_of(error)
    assert loader.size() == 0
    fill(engine)
    assert loader.get(7).name == "user 7"


# -- everything that watches an engine goes on seeing it


def test_listeners_see_every_statement(engine: Engine) -> None:
    fill(engine)
    loader = users_on(engine)
    loader.get(1)
    sent: list[tuple[str, Any]] = []
    event.listen(engine, "before_cursor_execute", lambda *args: sent.append((args[2], args[3])))

    loader.get(2)
    loader.get_many([3, 4])

    assert len(sent) == 2
    assert sent[0][1] == (2,)
    assert "users" in sent[1][0]


def test_listeners_on_all_engines_do(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    # SQLAlchemy goes on looking for listeners when the last is gone; no other test shall.
    monkeypatch.setattr(Engine, "_has_events", Engine._has_events)
    fill(engine)
    sent: list[str] = []

    def note(*args: Any) -> None:  # noqa: ANN401 - of many types
        sent.append(args[2])

    event.listen(Engine, "after_cursor_execute", note)
    try:
        users_on(engine).get(2)
    finally:
        event.remove(Engine, "after_cursor_execute", note)
    assert len(sent) == 1


@pytest.mark.parametrize("name", ["do_execute", "handle_error"])
def test_so_do_listeners_that_sqlalchemy_keeps_with_the_dialect(engine: Engine, name: str) -> None:
    seen: list[object] = []
    event.listen(engine, name, lambda *_: seen.append(1))
    if name == "do_execute":
        fill(engine)
        seen.clear()
        assert users_on(engine).get(2).name == "user 2"
    else:
        with pytest.raises(OperationalError):
            users_on(engine).get(2)
    assert len(seen) == 1


def test_echo_shows_every_statement(
    make_engine: EngineMaker, caplog: pytest.LogCaptureFixture
) -> None:
    engine = make_engine(logging_name="loud", echo=True)
    logging.getLogger("sqlalchemy.engine").propagate = True
    fill(engine)
    caplog.clear()
    users_on(engine).get(2)
    users_on(engine).get_many([3, 4])
    statements = [record.message for record in caplog.records if "users" in record.message]
    assert len(statements) == 2


def test_so_does_the_log_once_it_is_switched_on(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    fill(engine)
    loader = users_on(engine)
    loader.get(1)
    with caplog.at_level(logging.INFO, logger="sqlalchemy.engine"):
        loader.get(2)
    assert len([record for record in caplog.records if "FROM users" in record.message]) == 1


def test_an_engine_with_options_is_heard_by_its_own_listeners(engine: Engine) -> None:
    fill(engine)
    optioned = engine.execution_options(logging_token="loader")
    sent: list[str] = []
    event.listen(optioned, "before_cursor_execute", lambda *args: sent.append(args[2]))
    assert users_on(optioned).get(2).name == "user 2"
    assert len(sent) == 1


def test_an_engines_options_reach_its_statements(engine: Engine) -> None:
    fill(engine)
    seen: list[object] = []

    def note(connection: Any, *_: object) -> None:  # noqa: ANN401 - of many types
        seen.append(connection.get_execution_options().get("color"))

    event.listen(engine, "before_cursor_execute", note)
    users_on(engine.execution_options(color="red")).get(2)
    assert seen == ["red"]


@pytest.mark.parametrize("listened", [False, True])
def test_the_pools_events_fire_and_every_connection_comes_back(
    make_engine: EngineMaker, path: Path, *, listened: bool
) -> None:
    engine = make_engine(f"sqlite:///{path}")
    events: Counter[str] = Counter()

    def count(name: str) -> None:
        event.listen(engine, name, lambda *_: events.update([name]))

    for name in ("connect", "checkout", "checkin", "reset"):
        count(name)
    if listened:
        event.listen(engine, "before_cursor_execute", lambda *_: None)
    loader = users_on(engine)

    with pytest.raises(OperationalError):
        loader.get(1)
    assert pool_of(engine).checkedout() == 0
    assert events == {"connect": 1, "checkout": 1, "checkin": 1, "reset": 1}

    fill(engine)
    events.clear()
    loader.get(1)
    loader.get_many([2, 3])
    asyncio.run(asyncio.wait_for(ask(loader, 4), SECONDS))
    assert events == {"checkout": 3, "checkin": 3, "reset": 3}
    assert pool_of(engine).checkedout() == 0


async def ask(loader: DataLoader[Any, Any], key: int) -> None:
    assert (await loader.load(key)).name == f"user {key}"


def test_a_record_that_cannot_be_made_gives_the_connection_back(
    make_engine: EngineMaker, path: Path
) -> None:
    class BrokenLoader(UserLoader):
        columns = ("name",)
        record = int  # of a name

    engine = make_engine(f"sqlite:///{path}")
    fill(engine)
    for keys in ([1], [1, 2]):
        with pytest.raises(ValueError, match="user 1"):
            BrokenLoader(engine).get_many(keys)
    assert pool_of(engine).checkedout() == 0


# -- a server that ends connections


@pytest.fixture
def restarting(postgresql: Engine) -> Iterator[Callable[[], None]]:
    """Fills the database; what it gives ends all connections but its own, as a restart does."""
    fill(postgresql)
    postgresql.dispose()
    own = create_engine(postgresql.url)

    def end_all() -> None:
        with own.connect() as connection:
            ended = connection.scalars(
                text(
                    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                    " WHERE pid <> pg_backend_pid() AND datname = current_database()"
                    " AND backend_type = 'client backend'"
                )
            ).all()
        assert set(ended) == {True}

    yield end_all
    own.dispose()


@pytest.mark.parametrize("listened", [False, True])
@pytest.mark.parametrize("connections", [1, 3])
def test_one_call_at_most_fails_when_the_server_has_ended_all_connections(
    postgresql: Engine, restarting: Callable[[], None], connections: int, *, listened: bool
) -> None:
    if listened:
        event.listen(postgresql, "before_cursor_execute", lambda *_: None)
    opened = [postgresql.connect() for _ in range(connections)]
    for connection in opened:
        connection.close()
    loader = users_on(postgresql)
    loader.get(1)
    restarting()

    try:
        loader.get(2)
    except OperationalError as error:
        lost = error.connection_invalidated
    else:
        lost = True
    assert lost
    for number in range(3, 3 + connections):
        assert loader.get(number).name == f"user {number}"
    assert loader.get_many([1, 2])[1].name == "user 2"
    assert pool_of(postgresql).checkedout() == 0


def test_a_pool_that_pings_hides_it_all(
    postgresql: Engine, restarting: Callable[[], None], make_engine: EngineMaker
) -> None:
    engine = make_engine(postgresql.url.render_as_string(hide_password=False), pool_pre_ping=True)
    loader = users_on(engine)
    loader.get(1)
    restarting()
    assert loader.get(2).name == "user 2"
    engine.dispose()
