"""What a table loader may be bound to, and in whose transaction and thread it works then."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import (
    Engine,
    MetaData,
    create_engine,
    event,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    scoped_session,
    sessionmaker,
)
from sqlalchemy.pool import NullPool

from dataloaders import LoaderScope
from dataloaders.errors import AsyncOnlyError, ConfigurationError
from dataloaders.sql import EngineRegistry, TableLoader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dataloaders import DataLoader
    from tests.sql.conftest import EngineMaker, SelectCounter

pytestmark = pytest.mark.timeout(60)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class UserLoader(TableLoader[Any]):
    table, key = User, ("id",)


def users_on(bind: Any, **options: Any) -> DataLoader[Any, Any]:  # noqa: ANN401 - of many types
    return UserLoader(bind, **options)


def fill(engine: Engine, number: int = 50) -> None:
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        rows = [{"id": n, "name": f"user {n}"} for n in range(1, number + 1)]
        connection.execute(insert(User), rows)


def names(records: list[Any]) -> list[str | None]:
    return [None if record is None else record.name for record in records]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "users.db"


@pytest.fixture
def file_engine(path: Path, make_engine: EngineMaker) -> Engine:
    """A SQLite database in a file, with 50 users."""
    engine = make_engine(f"sqlite:///{path}")
    fill(engine)
    return engine


@pytest.fixture
def session(file_engine: Engine) -> Iterator[Session]:
    with Session(file_engine) as session:
        yield session


# -- sessions


def test_a_session_shows_what_its_transaction_has_not_committed(
    session: Session, file_engine: Engine
) -> None:
    session.execute(insert(User).values(id=100, name="not committed"))
    session.add(User(id=101, name="pending"))

    assert names(users_on(session).get_many([1, 100, 101])) == [
        "user 1",
        "not committed",
        "pending",
    ]
    assert names(users_on(file_engine).get_many([1, 100, 101])) == ["user 1", None, None]
    session.rollback()
    assert names(users_on(session).get_many([1, 100, 101])) == ["user 1", None, None]


def test_a_single_key_is_flushed_for_as_well(session: Session) -> None:
    session.add(User(id=101, name="pending"))
    assert users_on(session).get(101).name == "pending"


def test_a_session_without_autoflush_is_not_flushed(file_engine: Engine) -> None:
    with Session(file_engine, autoflush=False) as session:
        session.add(User(id=101, name="pending"))
        assert users_on(session).get(101) is None
        assert len(session.new) == 1


def test_no_autoflush_is_honoured(session: Session) -> None:
    session.add(User(id=101, name="pending"))
    with session.no_autoflush:
        assert users_on(session).get(101) is None
    assert users_on(session).get(101).name == "pending"


def test_a_sessions_batch_uses_its_connection_and_no_other(
    session: Session, file_engine: Engine
) -> None:
    checkouts: list[object] = []
    event.listen(file_engine, "checkout", lambda *_: checkouts.append(1))
    session.execute(text("SELECT 1"))

    users_on(session).get_many(range(1, 20))
    users_on(session).get(30)

    assert len(checkouts) == 1
    assert session.in_transaction()


def test_records_outlive_their_session(session: Session) -> None:
    record = users_on(session).get(1)
    session.rollback()
    session.close()
    assert record.name == "user 1"


async def test_load_uses_a_session_in_the_thread_of_its_loop(session: Session) -> None:
    threads: list[int] = []
    event.listen(
        session.get_bind(),
        "before_cursor_execute",
        lambda *_: threads.append(threading.get_ident()),
    )
    session.add(User(id=101, name="pending"))
    loader = users_on(session)

    records = await asyncio.gather(loader.load(1), loader.load(101))

    assert names(list(records)) == ["user 1", "pending"]
    assert set(threads) == {threading.get_ident()}


def test_a_session_that_is_bound_by_table_finds_the_database(
    file_engine: Engine, engine: Engine
) -> None:
    with Session(binds={User: file_engine}) as session:
        assert names(users_on(session).get_many([1, 2])) == ["user 1", "user 2"]
    Base.metadata.create_all(engine)
    with Session(engine, binds={User: file_engine}) as session:
        assert names(users_on(session).get_many([1, 2])) == ["user 1", "user 2"]
        assert users_on(session).get(3).name == "user 3"


def test_a_session_that_is_bound_to_a_connection(file_engine: Engine) -> None:
    with file_engine.connect() as connection, Session(connection) as session:
        connection.execute(insert(User).values(id=100, name="not committed"))
        assert users_on(session).get(100).name == "not committed"


def test_a_scoped_session_is_that_of_the_calling_thread(file_engine: Engine) -> None:
    sessions = scoped_session(sessionmaker(file_engine))
    try:
        sessions.execute(insert(User).values(id=100, name="not committed"))
        loader = users_on(sessions)
        assert names(loader.get_many([1, 100])) == ["user 1", "not committed"]
        assert loader.get((100,)).name == "not committed"
    finally:
        sessions.remove()


@pytest.mark.parametrize("scoped", [False, True])
def test_a_time_limit_does_not_change_the_session(file_engine: Engine, *, scoped: bool) -> None:
    # Either the loader refuses the option, or the batch is still part of the transaction.
    sessions = scoped_session(sessionmaker(file_engine))
    threads: set[int] = set()
    event.listen(
        file_engine, "before_cursor_execute", lambda *_: threads.add(threading.get_ident())
    )
    try:
        sessions.execute(insert(User).values(id=100, name="not committed"))
        try:
            loader = users_on(sessions if scoped else sessions(), timeout=30.0)
        except ConfigurationError:
            return
        assert loader.get(100).name == "not committed"
        assert threads == {threading.get_ident()}
    finally:
        sessions.remove()


# -- an engine


async def test_load_on_an_engine_does_not_block_the_event_loop(file_engine: Engine) -> None:
    threads: list[int] = []
    event.listen(
        file_engine, "before_cursor_execute", lambda *_: threads.append(threading.get_ident())
    )
    loader = users_on(file_engine)

    assert names(await loader.load_many([1, 2, 99])) == ["user 1", "user 2", None]
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()


def test_get_stays_on_the_callers_thread(file_engine: Engine) -> None:
    threads: list[int] = []
    event.listen(
        file_engine, "before_cursor_execute", lambda *_: threads.append(threading.get_ident())
    )
    users_on(file_engine).get_many([1, 2])
    assert threads == [threading.get_ident()]


async def test_an_in_memory_database_that_is_one_for_each_thread(make_engine: EngineMaker) -> None:
    engine = make_engine("sqlite://", shared=False)
    fill(engine)
    loader = users_on(engine)

    assert names(await loader.load_many([1, 2])) == ["user 1", "user 2"]
    assert loader.get(3).name == "user 3"
    assert (await users_on(engine).load(4)).name == "user 4"


def test_a_time_limit_finds_the_same_in_memory_database(make_engine: EngineMaker) -> None:
    engine = make_engine("sqlite://", shared=False)
    fill(engine)
    try:
        loader = users_on(engine, timeout=30.0)
    except ConfigurationError:
        return
    assert loader.get(3).name == "user 3"


async def test_an_in_memory_database_that_is_one_for_all_threads(engine: Engine) -> None:
    fill(engine)
    loader = users_on(engine)

    assert names(await loader.load_many([1, 2])) == ["user 1", "user 2"]
    assert loader.get(3).name == "user 3"
    assert (await users_on(engine).load(4)).name == "user 4"


def test_threads_share_a_loader(file_engine: Engine, selects: SelectCounter) -> None:
    selects.watch(file_engine)
    loader = users_on(file_engine)
    answers: dict[int, list[str | None]] = {}
    together = threading.Barrier(8, timeout=20)

    def ask(number: int) -> None:
        together.wait()
        answers[number] = names(loader.get_many(range(number, number + 20)))

    threads = [threading.Thread(target=ask, args=(number,), daemon=True) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    for number in range(1, 9):
        assert answers[number] == [f"user {n}" for n in range(number, number + 20)]
    assert 1 <= len(selects) <= 8


def test_a_loader_that_was_used_leaves_its_engine_to_the_garbage_collector() -> None:
    # Applications with a database for each customer make engines all the time.
    import gc
    import weakref

    def used() -> Any:  # noqa: ANN401 - of many types
        engine = create_engine("sqlite://")
        fill(engine)
        assert users_on(engine).get(1).name == "user 1"
        assert names(users_on(engine).get_many([1, 2])) == ["user 1", "user 2"]
        engine.dispose()
        return weakref.ref(engine.dialect)

    dialect = used()
    gc.collect()
    assert dialect() is None


# -- an async engine


def test_an_async_engine_serves_one_event_loop_after_another(
    file_engine: Engine, path: Path
) -> None:
    assert file_engine.dialect.driver == "pysqlite"
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}", poolclass=NullPool)
    loader = users_on(engine)

    async def ask(first: int) -> list[str | None]:
        gathered = await asyncio.gather(loader.load(first), loader.load(first + 1))
        return names([*gathered, *await loader.load_many([first + 2, 99])])

    for first in (1, 11):
        expected = [f"user {first}", f"user {first + 1}", f"user {first + 2}", None]
        assert asyncio.run(ask(first)) == expected


async def test_loads_that_are_gathered_are_one_statement(file_engine: Engine, path: Path) -> None:
    assert file_engine.dialect.driver == "pysqlite"
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    sent: list[str] = []
    event.listen(engine.sync_engine, "before_cursor_execute", lambda *args: sent.append(args[2]))
    loader = users_on(engine)

    records = await asyncio.gather(*[loader.load(number) for number in range(1, 31)])

    await engine.dispose()
    assert names(list(records)) == [f"user {number}" for number in range(1, 31)]
    assert len(sent) == 1


async def test_get_on_an_async_engine_is_refused_unless_the_answer_is_known(
    file_engine: Engine, path: Path
) -> None:
    assert file_engine.dialect.driver == "pysqlite"
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    loader = users_on(engine)
    with pytest.raises(AsyncOnlyError, match="an Engine in place of an AsyncEngine"):
        loader.get(1)
    with pytest.raises(AsyncOnlyError):
        loader.get_many([1, 2])

    await loader.load(1)

    await engine.dispose()
    assert loader.get(1).name == "user 1"


# -- anything else


@pytest.mark.parametrize("bind", [None, "sqlite://", MetaData(), UserLoader])
def test_what_is_no_database_is_refused(bind: Any) -> None:  # noqa: ANN401 - of many types
    with pytest.raises(ConfigurationError, match="UserLoader's bind must be an Engine"):
        users_on(bind)


def test_a_registry_gives_its_scopes_loaders_their_database(file_engine: Engine) -> None:
    registry = EngineRegistry(file_engine)
    try:
        with registry.scope():
            first = UserLoader.current()
            assert names([first.get(1)]) == ["user 1"]
            assert first.bind is file_engine
            with LoaderScope():
                assert UserLoader.current() is first
        with registry.scope():
            assert UserLoader.current() is not first
    finally:
        registry.close()


async def test_a_registry_may_have_an_async_engine(file_engine: Engine, path: Path) -> None:
    with file_engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(User)) == 50
    engine: AsyncEngine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    registry = EngineRegistry(engine)
    async with registry.scope():
        assert names([await UserLoader.current().load(7)]) == ["user 7"]
    registry.close()
    await engine.dispose()
