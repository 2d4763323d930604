"""PostgreSQL's statement: its answers for each type of key are those of one query for each key."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import (
    CHAR,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    Integer,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    Uuid,
    event,
    insert,
    select,
)

from dataloaders.sql import GroupedTableLoader, TableLoader

if TYPE_CHECKING:
    from sqlalchemy import Engine

pytestmark = pytest.mark.timeout(120)

PARTS: dict[str, tuple[Any, list[Any]]] = {
    # Each: a column's type, and values of which some are in the table and all are asked for.
    "text": (Text(), ["a", "A", "", " a", "ä", "it's", 'a"b', "{x,y}", "\\", "null", "NULL"]),
    "short text": (String(3), ["abc", "abcd", "ab", "abc "]),
    "text of a collation": (String(collation="C"), ["a", "A", "b"]),
    "padded text": (CHAR(4), ["ab", "ab  ", "abcd", "abcde"]),
    "integer": (Integer(), [1, 0, -5, 2**31 - 1, 2**31, 2**62]),
    "small": (SmallInteger(), [1, 40_000, -1]),
    "big": (BigInteger(), [2**62, 1, -(2**62)]),
    "numeric": (Numeric(10, 2), [Decimal("1.01"), Decimal("1.005"), Decimal(1), Decimal("1.00")]),
    "float": (Float(), [1.5, 0.1, -0.0]),
    "date": (Date(), [dt.date(2026, 1, 1), dt.date(2026, 1, 2)]),
    "time": (
        DateTime(timezone=True),
        [
            dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
            dt.datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=dt.UTC),
        ],
    ),
    "uuid": (Uuid(), [uuid.UUID(int=1), uuid.UUID(int=2)]),
    "boolean": (Boolean(), [True, False]),
}


def things(kind: Any) -> Table:  # noqa: ANN401 - a type of SQLAlchemy
    return Table(
        "things",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("part", kind, index=True),
        Column("place", String, index=True),
    )


def ids_by_one_query_each(engine: Engine, table: Table, keys: list[Any]) -> list[int | None]:
    found = []
    with engine.connect() as connection:
        for part, place in keys:
            # IS NULL for None, as the comparison with None compiles to.
            query = select(table.c.id).where(table.c.part == part, table.c.place == place)
            found.append(connection.scalar(query.order_by(table.c.id).limit(1)))
    return found


@pytest.mark.parametrize("name", PARTS)
def test_each_type_is_compared_as_by_a_query_of_its_own(postgresql: Engine, name: str) -> None:
    kind, values = PARTS[name]
    table = things(kind)
    table.create(postgresql)
    fitting = [
        value for value in values if not (name in {"integer", "small"} and value > 2**31 - 1)
    ]
    fitting = [value for value in fitting if not (name == "small" and value > 2**15)]
    limit = {"short text": 3, "padded text": 4}.get(name)
    held = [value for value in fitting if limit is None or len(value.rstrip()) <= limit][::2]
    with postgresql.begin() as connection:
        for number, value in enumerate([*held, None, *held]):
            row = {"id": 100 - number, "part": value, "place": "here" if number % 3 else None}
            connection.execute(insert(table).values(**row))

    class Things(TableLoader[Any]):
        pass

    Things.table, Things.key = table, ("part", "place")
    keys = [(value, place) for value in [*values, None] for place in ("here", None, "nowhere")]

    found = Things(postgresql).get_many(keys)

    within = [key for key in keys if key[0] is None or key[0] in fitting]
    assert dict(zip(within, ids_by_one_query_each(postgresql, table, within), strict=True)) == {
        key: record and record.id for key, record in zip(keys, found, strict=True) if key in within
    }
    # What does not fit into the column is in no row of it.
    assert not any(record for key, record in zip(keys, found, strict=True) if key not in within)


def test_a_hundred_thousand_keys(postgresql: Engine) -> None:
    table = things(Text())
    table.create(postgresql)
    rows = [{"id": n, "part": f"P{n}", "place": "X" if n % 7 else None} for n in range(2_000)]
    with postgresql.begin() as connection:
        connection.execute(insert(table), rows)
        connection.exec_driver_sql("ANALYZE things")

    class Things(GroupedTableLoader[Any]):
        pass

    Things.table, Things.key = table, ("part", "place")
    statements: list[str] = []
    event.listen(postgresql, "before_cursor_execute", lambda *call: statements.append(call[2]))

    found = Things(postgresql).get_many(
        [(f"P{n}", place) for n in range(50_000) for place in ("X", None)]
    )

    assert [record.id for records in found for record in records or ()] == list(range(2_000))
    assert len(statements) == 10
    assert len(set(statements)) == 2


def test_batches_of_all_sizes_are_one_text(postgresql: Engine) -> None:
    table = things(Text())
    table.create(postgresql)

    class Things(TableLoader[Any]):
        pass

    Things.table, Things.key = table, ("part", "place")
    statements: set[str] = set()
    event.listen(postgresql, "before_cursor_execute", lambda *call: statements.add(call[2]))
    for size in (2, 3, 50, 1_000):
        assert Things(postgresql).get_many([(f"P{n}", "X") for n in range(size)]) == [None] * size
    assert len(statements) == 1
