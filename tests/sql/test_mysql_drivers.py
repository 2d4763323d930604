"""Each driver of MariaDB and MySQL: keys of every type find their rows."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Uuid,
    create_engine,
    event,
    insert,
)
from sqlalchemy.dialects.mysql import DATETIME
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from dataloaders.sql import TableLoader
from tests.databases import not_tested

if TYPE_CHECKING:
    from sqlalchemy import Engine

pytestmark = pytest.mark.timeout(120)

VALUES: dict[str, tuple[Any, list[Any]]] = {
    "text": (String(20), ["a%s", "ü", "😀", "it's", 'a"b\\']),
    "number": (BigInteger(), [1, 2**62 + 1, -5]),
    "numeric": (Numeric(10, 2), [Decimal("1.01"), Decimal(100)]),
    "float": (Float(53), [1.5, 0.1]),
    "day": (Date(), [dt.date(2026, 1, 1), dt.date(2026, 1, 2)]),
    "second": (DateTime(), [dt.datetime(2026, 1, 1, 9, 15)]),  # noqa: DTZ001 - the column has no zone
    "instant": (DATETIME(fsp=6), [dt.datetime(2026, 1, 1, 9, 15, 0, 5)]),  # noqa: DTZ001 - as above
    "uuid": (Uuid(), [uuid.UUID(int=1), uuid.UUID(int=2**127 + 5)]),
    "flag": (Boolean(), [True, False]),
    "level": (Enum("low", "high", name="level"), ["high", "low"]),
}

things = Table(
    "things%",
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("place %s", String(20), key="place"),
    *[Column(name, kind, index=True) for name, (kind, _) in VALUES.items()],
)
ROWS = [
    {"id": number, "place": "here" if number % 2 else None, name: value}
    for number, (name, value) in enumerate(
        ((name, value) for name, (_, values) in VALUES.items() for value in values), start=1
    )
]


@pytest.fixture(params=["mysql", "mariadb"])
def filled(request: pytest.FixtureRequest, mariadb: Engine) -> Engine:
    """The things, in a database that is called by one of SQLAlchemy's names for it."""
    engine = create_engine(mariadb.url.set(drivername=f"{request.param}+pymysql"))
    things.create(engine)
    with engine.begin() as connection:
        for row in ROWS:
            connection.execute(insert(things).values(**row))
    engine.dispose()
    return engine


def loaders(bind: Any) -> list[tuple[Any, list[tuple[Any, Any]], list[int | None]]]:  # noqa: ANN401 - of many types
    """A loader for each type of key, keys for it, and the ids of their rows."""
    made = []
    for name, (_, values) in VALUES.items():
        ids = {row[name]: row for row in ROWS if name in row}
        keys = [(value, place) for value in values for place in ("here", None, "nowhere")]
        attributes = {"table": things, "key": (name, "place"), "columns": ("id",), "record": int}
        loader = type("ThingLoader", (TableLoader,), attributes)(bind)
        expected = [
            int(ids[value]["id"]) if ids[value]["place"] == place else None for value, place in keys
        ]
        made.append((loader, keys, expected))
    return made


@pytest.mark.parametrize("driver", ["pymysql", "mysqldb"])
def test_get_many(pytestconfig: pytest.Config, filled: Engine, driver: str) -> None:
    if driver == "mysqldb":
        try:
            import_module("MySQLdb")
        except ImportError:
            not_tested(pytestconfig, "mysqlclient: pip install '.[test-mysqlclient]'")
    engine = create_engine(filled.url.set(drivername=f"{filled.dialect.name}+{driver}"))
    sent: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *call: sent.append(call[2]))
    for loader, keys, expected in loaders(engine):
        assert loader.get_many(keys) == expected
        assert loader.get_many([(None, "here"), (None, None)]) != [None, None]
    engine.dispose()
    assert any("json_table" in statement for statement in sent)


@pytest.mark.parametrize("driver", ["asyncmy", "aiomysql"])
async def test_load(filled: Engine, driver: str) -> None:
    url = filled.url.set(drivername=f"{filled.dialect.name}+{driver}")
    engine = create_async_engine(url, poolclass=NullPool)
    for loader, keys, expected in loaders(engine):
        assert await loader.load_many(keys) == expected
        assert await loader.load_many([(None, "here"), (None, None)]) != [None, None]
    await engine.dispose()
