"""Tables behind tiers, on each database: what is kept, what moves their version, who sees it."""

from __future__ import annotations

import asyncio
import datetime as dt
import decimal
import enum
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    DateTime,
    Engine,
    Enum,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Time,
    TypeDecorator,
    Uuid,
    create_engine,
    delete,
    event,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from dataloaders.errors import ConfigurationError
from dataloaders.sql import EngineRegistry, GroupedTableLoader, Replicas, Shards, TableLoader
from dataloaders.sql.triggers import unwatch_table, watch_table
from dataloaders.tiers.redis import RedisTier
from dataloaders.tiers.tiers import Tiers
from tests.sql.source_helpers import async_engine_of, statements_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Base(DeclarativeBase):
    pass


class Stock(Base):
    __tablename__ = "stocks"

    id: Mapped[int] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(String(20), index=True)
    exchange: Mapped[str] = mapped_column(String(8))
    token: Mapped[str] = mapped_column(String(20))
    __table_args__ = (Index("ix_stocks_both", "symbol", "exchange"),)


stocks = Base.metadata.tables["stocks"]


class StockLoader(TableLoader[Any]):
    table, key, shared = stocks, ("symbol", "exchange"), True


class StocksOfExchangeLoader(GroupedTableLoader[Any]):
    table, key, shared = stocks, ("exchange",), True


ROWS = [
    {"id": n, "symbol": f"S{n}", "exchange": "NSE" if n % 3 else "BSE", "token": f"t{n}"}
    for n in range(1, 31)
]
KEYS = [(row["symbol"], row["exchange"]) for row in ROWS]


@pytest.fixture
def database(any_database: Engine, tmp_path: Path) -> Iterator[Engine]:
    """Each kind of database with some rows; SQLite in a file, since other processes see that."""
    engine = any_database
    if engine.dialect.name == "sqlite":
        engine = create_engine(f"sqlite:///{tmp_path / 'stocks.db'}")
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(stocks), ROWS)
    yield engine
    engine.dispose()


def registry_of(engine: Any, **options: Any) -> EngineRegistry:  # noqa: ANN401 - a bind, and Tiers' options
    return EngineRegistry(engine, Tiers(**{"check_seconds": 0.0, **options}))


def tokens(registry: EngineRegistry, keys: list[Any]) -> list[str | None]:
    """What a request gets that asks for one key after the other."""
    with registry.scope() as scope:
        found = [scope.loader(StockLoader).get(key) for key in keys]
    return [None if record is None else record.token for record in found]


def tokens_by_query(engine: Engine, keys: list[Any]) -> list[str | None]:
    with engine.connect() as connection:
        return [
            connection.scalar(
                select(stocks.c.token).where(
                    stocks.c.symbol == symbol, stocks.c.exchange == exchange
                )
            )
            for symbol, exchange in keys
        ]


def of_the_table(sent: list[str]) -> list[str]:
    return [statement for statement in sent if "stocks" in statement]


def test_the_second_request_asks_the_database_for_nothing(database: Engine) -> None:
    registry = registry_of(database)
    keys = [*KEYS, ("S1", "BSE"), ("none", "NSE")]
    expected = tokens_by_query(database, keys)
    assert tokens(registry, keys) == expected
    sent = statements_of(database)
    assert tokens(registry, keys) == expected
    assert tokens(registry, keys[::-1]) == expected[::-1]
    assert of_the_table(sent) == []


def test_a_loop_over_rows_fills_the_tier_with_one_statement(database: Engine) -> None:
    registry = registry_of(database)
    sent = statements_of(database)

    def request(rows: list[dict[str, Any]]) -> list[str]:
        found = []
        with registry.scope() as scope:
            for row in rows:
                record = scope.loader(StockLoader).get((row["symbol"], row["exchange"]))
                assert record is not None
                found.append(record.token)
        return found

    assert request(ROWS) == [row["token"] for row in ROWS]
    assert len(of_the_table(sent)) == 1
    assert request(ROWS) == [row["token"] for row in ROWS]
    assert len(of_the_table(sent)) == 1


def test_a_record_that_a_request_changes_is_its_own(database: Engine) -> None:
    registry = registry_of(database)
    with registry.scope() as scope:
        record = scope.loader(StockLoader).get(KEYS[0])
        assert record is not None
        record.token = "changed"
    with registry.scope() as scope:
        group = scope.loader(StocksOfExchangeLoader).get("BSE")
        assert group is not None
        group[0].token = "changed"
        group.clear()
    with registry.scope() as scope:
        record = scope.loader(StockLoader).get(KEYS[0])
        assert record is not None
        assert record.token == "t1"
        group = scope.loader(StocksOfExchangeLoader).get("BSE")
        assert [each.id for each in group or ()] == list(range(3, 31, 3))


def by_session(engine: Engine) -> None:
    with Session(engine) as session:
        session.get_one(Stock, 1).token = "new"
        session.commit()


def by_bulk_update(engine: Engine) -> None:
    with Session(engine) as session:
        session.execute(update(Stock).where(Stock.id == 1).values(token="new"))
        session.commit()


def by_core(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(update(stocks).where(stocks.c.id == 1).values(token="new"))


def by_autocommit(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(update(stocks).where(stocks.c.id == 1).values(token="new"))


def in_a_savepoint(engine: Engine) -> None:
    with engine.begin() as connection, connection.begin_nested():
        connection.execute(update(stocks).where(stocks.c.id == 1).values(token="new"))


WRITES = [by_session, by_bulk_update, by_core, by_autocommit, in_a_savepoint]


@pytest.mark.parametrize("write", WRITES)
def test_what_sqlalchemy_writes_is_seen_by_all_requests_after_it(
    database: Engine, write: Callable[[Engine], None]
) -> None:
    # Each with tiers of its own, as two processes have; a look holds for an hour.
    own = registry_of(database, check_seconds=3_600)
    elsewhere = create_engine(database.url)
    other = registry_of(elsewhere, check_seconds=3_600)
    assert tokens(own, KEYS[:2]) == tokens(other, KEYS[:2]) == ["t1", "t2"]
    write(database)
    assert tokens(own, KEYS[:2]) == ["new", "t2"]
    assert tokens(other, KEYS[:2]) == ["new", "t2"]  # it is in this process, and so was told
    elsewhere.dispose()


def test_what_is_rolled_back_moves_nothing(database: Engine) -> None:
    registry = registry_of(database)
    tokens(registry, KEYS)
    version = version_of(database)
    with database.connect() as connection:
        connection.execute(update(stocks).values(token="new"))
        connection.rollback()
    with database.begin() as connection:
        connection.execute(select(stocks)).all()
    assert version_of(database) == version
    assert tokens(registry, KEYS[:1]) == ["t1"]


def version_of(engine: Engine) -> str:
    with engine.connect() as connection:
        query = text("SELECT version FROM dataloaders_versions WHERE name = 'stocks'")
        return str(connection.scalar(query))


def test_batches_stay_on_the_short_way_and_other_listeners_hear_of_them(database: Engine) -> None:
    registry = registry_of(database)
    tokens(registry, KEYS[:1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "connect", None)  # the long way opens a Connection
        tokens(registry, KEYS[1:2])
    heard: list[object] = []
    event.listen(database, "after_cursor_execute", lambda *call: heard.append(call[2]))
    tokens(registry, KEYS[2:3])
    assert any("stocks" in str(statement) for statement in heard)


def foreign_write(engine: Engine, *statements: str) -> None:
    """Writes as a program does that knows nothing of this one."""
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def test_triggers_tell_of_what_others_write(database: Engine) -> None:
    watch_table(database, stocks)
    watch_table(database, stocks)  # once more does no harm
    registry = registry_of(database)
    tokens(registry, KEYS)
    for statement, expected in (
        ("UPDATE stocks SET token = 'a' WHERE id = 1", ["a", "t2"]),
        ("DELETE FROM stocks WHERE id = 2", ["a", None]),
        ("INSERT INTO stocks VALUES (2, 'S2', 'NSE', 'b')", ["a", "b"]),
    ):
        foreign_write(database, statement)
        assert tokens(registry, KEYS[:2]) == expected
    version = version_of(database)
    foreign_write(database, "CREATE TABLE others (id INTEGER)", "INSERT INTO others VALUES (1)")
    assert tokens(registry, KEYS[:1]) == ["a"]
    foreign_write(database, "DROP TABLE others")
    assert version_of(database) == version
    unwatch_table(database, stocks)
    foreign_write(database, "UPDATE stocks SET token = 'c' WHERE id = 1")
    assert version_of(database) == version


def test_a_sqlite_file_tells_of_what_others_write_without_triggers(tmp_path: Path) -> None:
    path = tmp_path / "foreign.db"
    engine = create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    foreign_write(engine, "INSERT INTO stocks VALUES (1, 'S1', 'NSE', 't1')")
    registry = registry_of(engine)
    assert tokens(registry, [("S1", "NSE")]) == ["t1"]
    program = (
        "import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as connection:\n"
        "    connection.execute(\"UPDATE stocks SET token = 'other'\")"
    )
    subprocess.run([sys.executable, "-c", program, path], check=True, timeout=60)  # noqa: S603 - this test's own program
    assert tokens(registry, [("S1", "NSE")]) == ["other"]
    sent = statements_of(engine)
    assert tokens(registry, [("S1", "NSE")]) == ["other"]
    assert sent == []
    engine.dispose()


def test_versions_that_somebody_drops_are_made_anew(database: Engine) -> None:
    registry = registry_of(database)
    assert tokens(registry, KEYS[:1]) == ["t1"]
    foreign_write(
        database, "DROP TABLE dataloaders_versions", "UPDATE stocks SET token = 'new' WHERE id = 1"
    )
    assert tokens(registry, KEYS[:1]) == ["new"]
    assert version_of(database)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_an_async_engine_has_tiers_on_any_event_loop(
    request: pytest.FixtureRequest, kind: str, tmp_path: Path
) -> None:
    engine = (
        create_engine(f"sqlite:///{tmp_path / 'async.db'}")
        if kind == "sqlite"
        else request.getfixturevalue(kind)
    )
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(stocks), ROWS)
    async_engine = async_engine_of(engine)
    registry = registry_of(async_engine)

    async def request_tokens(keys: list[Any]) -> list[Any]:
        async with registry.scope() as scope:
            loader = scope.loader(StockLoader)
            found = await asyncio.gather(*map(loader.load, keys))
        return [None if record is None else record.token for record in found]

    expected = [row["token"] for row in ROWS]
    assert asyncio.run(request_tokens(KEYS)) == expected
    sent = statements_of(async_engine.sync_engine)
    assert asyncio.run(request_tokens(KEYS)) == expected
    assert of_the_table(sent) == []
    with Session(engine) as session:  # an engine that nobody watches
        session.get_one(Stock, 1).token = "unseen"
        session.commit()

    async def write() -> None:
        async with async_engine.begin() as connection:
            await connection.execute(update(stocks).where(stocks.c.id == 2).values(token="new"))
        await async_engine.dispose()

    asyncio.run(write())
    assert asyncio.run(request_tokens(KEYS[:2])) == ["unseen", "new"]
    engine.dispose()


def test_replicas_are_not_read_for_tiers_that_their_primary_answers_for(
    make_engine: Any,  # noqa: ANN401 - a fixture's type
) -> None:
    primary, replica = make_engine(), make_engine()
    for engine, token in ((primary, "t1"), (replica, "behind")):
        Base.metadata.create_all(engine)
        foreign_write(engine, f"INSERT INTO stocks VALUES (1, 'S1', 'NSE', '{token}')")  # noqa: S608 - of constants
    registry = registry_of(Replicas(primary, replica))
    assert tokens(registry, [("S1", "NSE")]) == ["t1"]
    assert tokens(registry, [("S1", "NSE")]) == ["t1"]


def test_a_bind_without_versions_is_refused(make_engine: Any) -> None:  # noqa: ANN401 - a fixture's type
    one, other = make_engine(), make_engine()
    with Session(one) as session:
        for bind in (session, Shards({"a": one, "b": other}, by=lambda key: key[0])):
            with pytest.raises(ConfigurationError, match="tiers"):
                registry_of(bind)


class Colour(enum.Enum):
    RED = "r"
    BLUE = "b"


things = Table(
    "things",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("text", String(40)),
    Column("number", Integer),
    Column("real", Float(53)),
    Column("amount", Numeric(20, 4)),
    Column("flag", Boolean),
    Column("day", Date),
    Column("moment", DateTime),
    Column("hour", Time),
    Column("uid", Uuid),
    Column("data", LargeBinary),
    Column("colour", Enum(Colour)),
    Column("json", JSON),
)


class ThingLoader(TableLoader[Any]):
    table, key, shared = things, ("id",), True


THING = {
    "id": 1,
    "text": "Ü'\\% \U0001f600",
    "number": 2**31 - 1,
    "real": 0.1,
    "amount": decimal.Decimal("1234567890.1250"),
    "flag": True,
    "day": dt.date(2026, 11, 25),
    "moment": dt.datetime(2026, 11, 25, 9, 15, 1),  # noqa: DTZ001 - the column has none
    "hour": dt.time(23, 59, 59),
    "uid": uuid.UUID(int=7),
    "data": b"\x00\xff",
    "colour": Colour.BLUE,
    "json": {"a": [1, None, "x"]},
}


def test_values_of_each_type_come_from_redis_as_from_the_database(
    any_database: Engine, redis_url: str
) -> None:
    things.create(any_database)
    with any_database.begin() as connection:
        connection.execute(insert(things), [THING, dict.fromkeys(THING) | {"id": 2}])
        rows = connection.execute(select(things).order_by(things.c.id)).all()

    def loaded() -> tuple[list[Any], Tiers]:
        tiers = Tiers(redis=RedisTier(redis_url))
        with EngineRegistry(any_database, tiers).scope() as scope:
            records = scope.loader(ThingLoader).get_many([1, 2, 3])
        return records, tiers

    first, _ = loaded()
    sent = statements_of(any_database)
    again, tiers = loaded()
    assert not [statement for statement in sent if "things" in statement]
    assert tiers.counts()["ThingLoader"].redis_hits == 3
    assert first == again
    assert again[2] is None
    for record, row in zip(again, rows, strict=False):
        values = [getattr(record, name) for name in THING]
        assert values == list(row)
        assert list(map(type, values)) == list(map(type, row))


def test_a_loop_in_another_process_is_answered_from_redis(database: Engine, redis_url: str) -> None:
    watch_table(database, stocks)

    def request() -> list[str]:
        registry = registry_of(database, redis=RedisTier(redis_url))
        with registry.scope() as scope:
            loader = scope.loader(StockLoader)
            return [loader.get((row["symbol"], row["exchange"])).token for row in ROWS]  # type: ignore[union-attr]  # all are there

    assert request() == [row["token"] for row in ROWS]
    sent = statements_of(database)
    assert request() == [row["token"] for row in ROWS]
    assert of_the_table(sent) == []


def test_redis_has_nothing_of_a_sqlite_file_that_anybody_may_write_to(
    tmp_path: Path, redis_url: str
) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'foreign.db'}")
    Base.metadata.create_all(engine)
    foreign_write(engine, "INSERT INTO stocks VALUES (1, 'S1', 'NSE', 't1')")
    assert tokens(registry_of(engine, redis=RedisTier(redis_url)), [("S1", "NSE")]) == ["t1"]
    foreign_write(engine, "UPDATE stocks SET token = 'new'")
    # A process that begins now cannot know of it, and must not take the value of the one before.
    other = create_engine(engine.url)
    later = registry_of(other, redis=RedisTier(redis_url))
    assert tokens(later, [("S1", "NSE")]) == ["new"]
    other.dispose()
    engine.dispose()


def test_a_column_that_is_no_data_keeps_its_loader_out_of_redis(
    engine: Engine, redis_url: str
) -> None:
    class Odd(TypeDecorator[Any]):
        impl = String
        cache_ok = True

    odd = Table("odd", MetaData(), Column("id", Integer, primary_key=True), Column("value", Odd))

    class OddLoader(TableLoader[Any]):
        table, key, shared = odd, ("id",), True

    odd.create(engine)
    registry = registry_of(engine, redis=RedisTier(redis_url))
    with registry.scope() as scope, pytest.raises(ConfigurationError, match=r"OddLoader.*value"):
        scope.loader(OddLoader)


def test_an_emptied_table_is_bridged_until_it_is_filled(database: Engine) -> None:
    watch_table(database, stocks)
    registry = registry_of(database, bridge_seconds=60.0)
    tokens(registry, KEYS)
    with database.begin() as connection:
        connection.execute(delete(stocks))
    rows = ROWS[:5]

    def loop() -> list[str | None]:
        with registry.scope() as scope:
            loader = scope.loader(StockLoader)
            found = [loader.get((row["symbol"], row["exchange"])) for row in rows]
        return [None if record is None else record.token for record in found]

    assert loop() == [row["token"] for row in rows]
    assert registry.tiers is not None
    assert registry.tiers.counts()["StockLoader"].bridged > 0
    foreign_write(database, "INSERT INTO stocks VALUES (1, 'S1', 'NSE', 'next')")
    assert loop() == ["next", None, None, None, None]
