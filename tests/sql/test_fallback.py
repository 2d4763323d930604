"""Batches that are too large, or take too long, for the database: answered in parts."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import (
    Column,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    insert,
    text,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import SingletonThreadPool

from dataloaders.errors import BatchTimeoutError
from dataloaders.sql import TableLoader, fallback
from tests.databases import not_tested
from tests.sql.source_helpers import (
    UserLoader,
    async_engine_of,
    fill,
    many,
    names,
    names_by_query,
    statements_of,
    users_on,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncEngine


@pytest.fixture(autouse=True)
def counted() -> Iterator[None]:
    fallback.fallbacks.clear()
    yield
    fallback.fallbacks.clear()


KEYS = [*range(1, 21), 99, *range(1_000, 1_100)]


def test_a_batch_that_is_too_large_is_halved_until_it_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'limited.db'}")
    fill(engine)
    expected = names_by_query(engine, KEYS)
    limited = limited_connections(engine)
    assert names(users_on(limited).get_many(KEYS)) == expected
    assert fallback.fallbacks["UserLoader"] > 0
    assert "answered in parts" in caplog.text
    limited.dispose()
    engine.dispose()


def limited_connections(engine: Engine) -> Engine:
    limited = create_engine(engine.url)

    @event.listens_for(limited, "connect")
    def limit(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 500)

    return limited


def test_a_key_that_is_too_large_alone_fails_alone(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'limited.db'}")
    places = Table("places", MetaData(), Column("name", String(1_000), primary_key=True))
    places.create(engine)
    with engine.begin() as connection:
        connection.execute(insert(places), [{"name": name} for name in "abc"])

    class PlaceLoader(TableLoader[Any]):
        table, key = places, ("name",)

    limited = limited_connections(engine)
    loader = PlaceLoader(limited)
    found = loader.get_many(["a", "b", "x" * 600, "c", "d"], return_exceptions=True)
    assert [getattr(each, "name", None) for each in found] == ["a", "b", None, "c", None]
    assert [isinstance(each, DBAPIError) for each in found] == [False, False, True, False, False]
    with pytest.raises(DBAPIError, match="too big"):
        loader.get("x" * 600)
    limited.dispose()
    engine.dispose()


def slow_view(engine: Engine, seconds: str) -> None:
    """Has the table be one of which each row takes some time: an expression of `n`, its id."""
    fill(engine)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE users RENAME TO all_users"))
        connection.execute(
            text(
                "CREATE FUNCTION slowly(n integer) RETURNS boolean LANGUAGE plpgsql AS "
                f"$$ BEGIN PERFORM pg_sleep({seconds}); RETURN true; END $$"
            )
        )
        connection.execute(
            text("CREATE VIEW users AS SELECT id, name FROM all_users WHERE slowly(id)")
        )


@pytest.fixture
def limited(postgresql: Engine) -> Iterator[Engine]:
    """An engine whose statements the server ends after 300 ms."""
    options = f"{postgresql.url.query['options']} -c statement_timeout=300"
    engine = create_engine(postgresql.url, connect_args={"options": options})
    yield engine
    engine.dispose()


def test_a_batch_that_the_server_ends_is_asked_for_key_by_key(
    postgresql: Engine, limited: Engine
) -> None:
    slow_view(postgresql, "0.02")
    assert names(users_on(limited).get_many([1, 2])) == ["user 1", "user 2"]
    assert not fallback.fallbacks
    found = names(users_on(limited).get_many(range(1, 21)))
    assert found == [f"user {n}" for n in range(1, 21)]
    assert fallback.fallbacks == {"UserLoader": 1}


def test_a_key_that_the_server_ends_alone_fails_alone_and_is_not_kept(
    postgresql: Engine, limited: Engine
) -> None:
    slow_view(postgresql, "CASE WHEN n = 2 THEN 5 ELSE 0 END")
    loader = users_on(limited)
    found = loader.get_many([1, 2, 3, 99], return_exceptions=True)
    assert isinstance(found.pop(1), DBAPIError)
    assert names(found) == ["user 1", "user 3", None]
    with postgresql.begin() as connection:
        connection.execute(text("CREATE OR REPLACE VIEW users AS SELECT id, name FROM all_users"))
    assert loader.get(2).name == "user 2"


def test_where_single_keys_are_too_slow_as_well_the_rest_is_not_asked_for(
    postgresql: Engine, limited: Engine
) -> None:
    slow_view(postgresql, "CASE WHEN n = 1 THEN 0 ELSE 5 END")
    sent = statements_of(limited)
    found = users_on(limited).get_many(range(1, 21), return_exceptions=True)
    assert found.pop(0).name == "user 1"
    assert len(found) == 19
    assert all("statement timeout" in str(each) for each in found)
    assert len(sent) == 1 + 1 + fallback.MAX_SLOW


@pytest.mark.parametrize("code", ["53200", "54000", "54001"])
@pytest.mark.parametrize("is_async", [False, True])
def test_what_postgresql_calls_too_large_is_halved(
    postgresql: Engine,
    code: str,
    is_async: bool,  # noqa: FBT001 - a parameter
) -> None:
    fill(postgresql)
    expected = names_by_query(postgresql, [1, 2, 3, 99])
    with postgresql.begin() as connection:
        connection.execute(text("ALTER TABLE users RENAME TO all_users"))
        connection.execute(
            text(
                "CREATE FUNCTION refuse() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN "
                f"IF current_query() LIKE '%unnest%' THEN RAISE EXCEPTION USING ERRCODE='{code}'; "
                "END IF; RETURN true; END $$"
            )
        )
        connection.execute(text("CREATE VIEW users AS SELECT * FROM all_users WHERE refuse()"))
    bind = async_engine_of(postgresql) if is_async else postgresql
    assert names(many(UserLoader(bind), [1, 2, 3, 99])) == expected
    assert fallback.fallbacks["UserLoader"] > 0


def test_parts_take_no_longer_than_the_loader_may(tmp_path: Path) -> None:
    path = tmp_path / "slow.db"
    writer = create_engine(f"sqlite:///{path}")
    fill(writer)
    with writer.begin() as connection:
        connection.execute(text("ALTER TABLE users RENAME TO all_users"))
        connection.execute(
            text("CREATE VIEW users AS SELECT id, name FROM all_users WHERE slowly(id)")
        )
    writer.dispose()
    # A pool whose loaders stay on the thread that asks, which waits for the parts to end.
    engine = create_engine(f"sqlite:///{path}", poolclass=SingletonThreadPool)
    asked: list[int] = []

    def slowly(number: int) -> bool:
        asked.append(number)
        time.sleep(0.1)
        return True

    @event.listens_for(engine, "connect")
    def limit(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's
        connection.create_function("slowly", 1, slowly)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 250)

    # A part has few enough keys for the limit, and takes less than half of the time.
    keys = [key for n in range(1, 21) for key in (n, *range(1_000 * n, 1_000 * n + 6))]
    found = users_on(engine, timeout=1).get_many(keys, return_exceptions=True)
    assert found[0].name == "user 1"
    assert isinstance(found[-1], BatchTimeoutError)
    assert 20 not in asked
    engine.dispose()


def test_a_sessions_transaction_is_left_alone(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'session.db'}")
    fill(engine)
    limited = limited_connections(engine)
    with Session(limited) as session, pytest.raises(DBAPIError, match="too big"):
        users_on(session).get_many(KEYS)
    assert not fallback.fallbacks
    limited.dispose()
    engine.dispose()


def test_other_errors_are_passed_on(engine: Engine) -> None:
    with pytest.raises(DBAPIError, match="no such table"):
        users_on(engine).get_many([1, 2])
    assert not fallback.fallbacks


def test_on_an_event_loop(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'async.db'}")
    fill(engine)
    async_engine = async_engine_of(engine)

    @event.listens_for(async_engine.sync_engine, "connect")
    def limit(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's
        connection.run_async(limited)

    async def limited(connection: Any) -> None:  # noqa: ANN401 - as above
        await connection._execute(connection._conn.setlimit, sqlite3.SQLITE_LIMIT_LENGTH, 500)

    async def load() -> list[Any]:
        found = await UserLoader(async_engine).load_many(KEYS)
        await async_engine.dispose()
        return found

    expected = names_by_query(engine, KEYS)
    sent = statements_of(engine)
    assert names(asyncio.run(load())) == expected
    assert not sent
    assert fallback.fallbacks["UserLoader"] > 0
    engine.dispose()


@pytest.mark.parametrize("driver", ["pymysql", "mysqldb", "aiomysql"])
def test_a_packet_that_mariadb_refuses(
    pytestconfig: pytest.Config, mariadb: Engine, driver: str
) -> None:
    if driver == "mysqldb":
        try:
            import_module("MySQLdb")
        except ImportError:
            not_tested(pytestconfig, "mysqlclient: pip install '.[test-mysqlclient]'")
    texts = Table(
        "texts",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("text", String(200), index=True),
    )
    texts.create(mariadb)
    # More than the server reads of what it refuses: some drivers only hear that it has gone.
    keys = [f"{n:06}{'x' * 150}" for n in range(2_000)]
    with mariadb.begin() as connection:
        connection.execute(insert(texts), [{"id": n, "text": key} for n, key in enumerate(keys, 1)])
        before = connection.scalar(text("SELECT @@global.max_allowed_packet"))
        connection.execute(text("SET GLOBAL max_allowed_packet = 16384"))
    mariadb.dispose()  # it holds for connections that are opened from now on

    class TextLoader(TableLoader[Any]):
        table, key = texts, ("text",)

    url = mariadb.url.set(drivername=f"{mariadb.dialect.name}+{driver}")
    try:
        if driver == "aiomysql":
            found = asyncio.run(loaded(TextLoader, create_async_engine(url), keys))
        else:
            engine = create_engine(url)
            found = TextLoader(engine).get_many(keys)
            engine.dispose()
        assert [getattr(record, "id", None) for record in found] == list(range(1, 2_001))
        assert fallback.fallbacks["TextLoader"] > 0
    finally:
        with mariadb.begin() as connection:
            connection.execute(text(f"SET GLOBAL max_allowed_packet = {before}"))
        mariadb.dispose()


async def loaded(kind: type[TableLoader[Any]], engine: AsyncEngine, keys: list[str]) -> list[Any]:
    found = await kind(engine).load_many(keys)
    await engine.dispose()
    return found
