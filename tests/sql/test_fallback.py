"""Batches that are too large, or take too long, for the database: answered in parts."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError

from dataloaders.sql import fallback
from tests.sql.source_helpers import (
    UserLoader,
    async_engine_of,
    fill,
    names,
    names_by_query,
    statements_of,
    users_on,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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


def test_a_batch_that_the_server_ends_is_asked_for_key_by_key(postgresql: Engine) -> None:
    fill(postgresql)
    # Whoever asks for more than one key waits: a statement of many keys is slow, single ones not.
    slow = create_engine(
        postgresql.url,
        connect_args={"options": f"{postgresql.url.query['options']} -c statement_timeout=300"},
    )
    with postgresql.begin() as connection:
        connection.execute(text("ALTER TABLE users RENAME TO all_users"))
        connection.execute(
            text(
                "CREATE FUNCTION slowly(n integer) RETURNS boolean LANGUAGE plpgsql AS "
                "$$ BEGIN PERFORM pg_sleep(0.02); RETURN true; END $$"
            )
        )
        connection.execute(
            text("CREATE VIEW users AS SELECT id, name FROM all_users WHERE slowly(id)")
        )
    assert names(users_on(slow).get_many([1, 2])) == ["user 1", "user 2"]
    assert not fallback.fallbacks
    found = names(users_on(slow).get_many(range(1, 21)))
    assert found == [f"user {n}" for n in range(1, 21)]
    assert fallback.fallbacks == {"UserLoader": 1}
    slow.dispose()


def test_one_key_that_takes_too_long_is_no_matter_of_batches(postgresql: Engine) -> None:
    fill(postgresql)
    with postgresql.begin() as connection:
        connection.execute(text("ALTER TABLE users RENAME TO all_users"))
        connection.execute(
            text("CREATE VIEW users AS SELECT id, name FROM all_users, pg_sleep(1) AS slept")
        )
    limited = create_engine(
        postgresql.url,
        connect_args={"options": f"{postgresql.url.query['options']} -c statement_timeout=100"},
    )
    with pytest.raises(DBAPIError, match="statement timeout"):
        users_on(limited).get_many([1, 2, 3])
    limited.dispose()


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


def test_a_packet_that_mariadb_refuses(mariadb: Engine) -> None:
    from sqlalchemy import Column, Integer, MetaData, String, Table, insert

    from dataloaders.sql import TableLoader

    texts = Table(
        "texts",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("text", String(200), index=True),
    )
    texts.create(mariadb)
    keys = [f"{n:06}{'x' * 150}" for n in range(300)]
    with mariadb.begin() as connection:
        connection.execute(insert(texts), [{"id": n, "text": key} for n, key in enumerate(keys, 1)])
        before = connection.scalar(text("SELECT @@global.max_allowed_packet"))
        connection.execute(text("SET GLOBAL max_allowed_packet = 16384"))
    mariadb.dispose()  # it holds for connections that are opened from now on

    class TextLoader(TableLoader[Any]):
        table, key = texts, ("text",)

    try:
        found = TextLoader(mariadb).get_many(keys)
        assert [getattr(record, "id", None) for record in found] == list(range(1, 301))
        assert fallback.fallbacks["TextLoader"] > 0
    finally:
        with mariadb.begin() as connection:
            connection.execute(text(f"SET GLOBAL max_allowed_packet = {before}"))
        mariadb.dispose()
