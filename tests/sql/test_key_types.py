"""Keys of each type, on each database: the answers are those of one query for each key."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import (
    CHAR,
    TIMESTAMP,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Enum,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    Time,
    Uuid,
    insert,
    select,
    text,
)
from sqlalchemy.dialects.mysql import DATETIME
from sqlalchemy.exc import DBAPIError, NotSupportedError

from dataloaders.sql import GroupedTableLoader, TableLoader
from tests.databases import KINDS

if TYPE_CHECKING:
    from sqlalchemy import Engine

pytestmark = pytest.mark.timeout(120)

TEXTS: list[Any] = [
    *(
        "",
        " ",
        "  ",
        "a",
        "A",
        "b",
        "B",
        "a ",
        "a  ",
        " a",
        "ab",
        "AB",
        "aa",
        "abcd",
        "abc",
        "abc ",
    ),
    *("á", "Á", "ä", "ae", "å", "ß", "ss", "é", "e\u0301", "e", "\u0131", "i", "İ", "I", "ñ", "n"),
    *("€", "日本", "日", "ж", "Ж", "😀", "😁", "\u2028", "\ufeff", "\xa0", "a\xad"),
    *("?", "??", "é?", "a?", "a😀", "%", "%s", "%(a)s", ":a", "_", "*"),
    *("it's", 'a"b', '"', "\\", "\\\\", "a\\b", "\\u0061", "{x,y}", "{}", "[]", "null", "NULL"),
    *("\t", "\n", "\r\n", "\b", "\f", "\x01", "\x1f", "\x7f", "\0", "a\0", "a\0b", "a\x1fb"),
    *("0", "1", "01", "1.0", "1e0", "true", "-0", "K" * 31, "K" * 32, "K" * 33, "K" * 70_000),
    *("\ud800", "a\udc80"),
]
NUMBERS = [0, 1, -1, 5, 40_000, -(2**31), 2**31 - 1, 2**31, 2**53, 2**53 + 1, 2**63 - 1, -(2**63)]
TIMES = [
    dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    dt.datetime(2026, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=30))),
    dt.datetime(2026, 1, 1, 0, 0, 1, tzinfo=dt.UTC),
    dt.datetime(1, 1, 1, tzinfo=dt.UTC),
    dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC),
]
LOCAL_TIMES = [moment.replace(tzinfo=None) for moment in TIMES]
# Not for MariaDB's and MySQL's columns of whole seconds: whether these have rows that equal such a
# value depends on the index that the server goes by.
FRACTIONS = [moment.replace(microsecond=some) for moment in LOCAL_TIMES for some in (1, 500_000)]
MICROSECONDS = DateTime().with_variant(DATETIME(fsp=6), "mysql", "mariadb")
DECIMALS = [
    *map(Decimal, ("0", "-0", "1", "1.0", "1.00", "1E+2", "100", "1.01", "1.005", "-1.01")),
    *map(Decimal, ("99999999.99", "1E-40", "1E+40", "0.1", "0.10000000000000000000000000000001")),
]

KEY_TYPES: dict[str, tuple[Any, list[Any]]] = {
    # Each: a column's type, and values of which some are in the table and all are asked for.
    "text": (Text(), TEXTS),
    "short text": (String(3), TEXTS),
    "padded text": (CHAR(4), TEXTS),
    "enum": (Enum("a", "b", name="kind"), ["a", "b"]),
    "integer": (Integer(), NUMBERS),
    "small": (SmallInteger(), NUMBERS),
    "big": (BigInteger(), NUMBERS),
    "numeric": (Numeric(10, 2), DECIMALS),
    "wide numeric": (Numeric(50, 20), DECIMALS),
    "long numeric": (Numeric(60, 0), [*DECIMALS, Decimal(10) ** 50, Decimal(10) ** 50 + 1]),
    "numeric as float": (Numeric(10, 2, asdecimal=False), DECIMALS),
    "float": (Float(), [1.5, 0.1, -0.0, 1e300]),
    "date": (Date(), [dt.date(2026, 1, 1), dt.date(2026, 1, 2), dt.date(1, 1, 1), dt.date.max]),
    "moment": (DateTime(timezone=True), TIMES),
    "local moment": (DateTime(), LOCAL_TIMES),
    "exact moment": (MICROSECONDS, [*LOCAL_TIMES, *FRACTIONS]),
    "timestamp": (TIMESTAMP(), LOCAL_TIMES),
    "time": (Time(), [dt.time(9, 15), dt.time(9, 15, 0, 5), dt.time(23, 59, 59)]),
    "uuid": (Uuid(), [uuid.UUID(int=1), uuid.UUID(int=2**127 + 5)]),
    "uuid as text": (Uuid(as_uuid=False), [str(uuid.UUID(int=1)), str(uuid.UUID(int=2))]),
    "boolean": (Boolean(), [True, False]),
    "bytes": (LargeBinary(20), [b"", b"a", b"A", b"a ", b"\0", b"\xff"]),
}

COLLATIONS: dict[str, tuple[str, ...]] = {
    "sqlite": ("BINARY", "NOCASE", "RTRIM"),
    "postgresql": ("C", "forgiving"),
    "mariadb": (
        *("utf8mb4_general_ci", "utf8mb4_bin", "utf8mb4_unicode_ci", "utf8mb4_unicode_520_ci"),
        *("utf8mb4_nopad_bin", "utf8mb4_unicode_520_nopad_ci", "utf8mb4_turkish_ci"),
        *("utf8mb3_general_ci", "utf8mb3_bin", "utf16_general_ci", "ucs2_general_ci"),
        *("latin1_swedish_ci", "latin1_general_cs", "latin1_german2_ci", "latin1_bin"),
        *("ascii_general_ci", "ascii_bin", "cp1251_general_ci", "sjis_japanese_ci", "binary"),
    ),
    "mysql": (
        *("utf8mb4_0900_ai_ci", "utf8mb4_0900_as_cs", "utf8mb4_0900_bin", "utf8mb4_bin"),
        *("utf8mb4_general_ci", "utf8mb4_tr_0900_ai_ci", "utf8mb3_general_ci"),
        *("latin1_swedish_ci", "latin1_general_cs", "latin1_bin", "ascii_general_ci", "binary"),
    ),
}

FORGIVING = """
    CREATE COLLATION forgiving
    (provider = icu, locale = 'und-u-ks-level1', deterministic = false)
"""


def things(kind: Any) -> Table:  # noqa: ANN401 - a type of SQLAlchemy
    table = Table(
        "things",
        MetaData(),
        Column("id", Integer, primary_key=True, autoincrement=False),
        Column("part", kind),
        Column("place", String(20), index=True),
    )
    length = 20 if isinstance(kind, Text | LargeBinary) else None
    Index("by_part", table.c.part, mysql_length=length, mariadb_length=length)
    return table


class Things:
    """A table with two rows of each value that its column can hold, and two without one."""

    def __init__(self, engine: Engine, kind: Any, values: list[Any]) -> None:  # noqa: ANN401 - a type of SQLAlchemy
        self.engine = engine
        self.table = things(kind)
        self.table.create(engine)
        for number, value in enumerate([*values, None] * 2):
            if number % 3 == 0 and value is not None:
                continue
            row = {"id": 1_000 - number, "part": value, "place": "here" if number % 5 else None}
            try:
                with engine.begin() as connection:
                    connection.execute(insert(self.table).values(**row))
            except (DBAPIError, UnicodeEncodeError):
                continue

    def ids(self, key: tuple[Any, ...]) -> list[int] | type[Exception]:
        """The ids of a key's rows by a query of its own, or what that fails with."""
        part, place = key
        # IS NULL for None, as the comparison with None compiles to.
        query = select(self.table.c.id).where(
            self.table.c.part == part, self.table.c.place == place
        )
        try:
            with self.engine.connect() as connection:
                return list(connection.scalars(query.order_by(self.table.c.id)))
        except (DBAPIError, UnicodeEncodeError) as error:
            return type(error)

    def found(self, keys: list[tuple[Any, ...]]) -> list[list[int]]:
        """The ids of the keys' rows, by one batch; those of one row each are the first of these."""
        first: list[int | None] = self.loader("part", "place").get_many(keys)
        groups: list[list[int]] = self.loader("part", "place", base=GroupedTableLoader).get_many(
            keys
        )
        assert first == [next(iter(ids), None) for ids in groups]
        return groups

    def loader(self, *key: str, base: type[TableLoader[Any]] = TableLoader) -> Any:  # noqa: ANN401 - of either type
        attributes = {"table": self.table, "key": key, "columns": ("id",), "record": int}
        return type("ThingLoader", (base,), attributes)(self.engine)


def assert_same_answers(engine: Engine, kind: Any, values: list[Any]) -> None:  # noqa: ANN401 - a type of SQLAlchemy
    table = Things(engine, kind, values)
    keys = [(value, place) for value in [*values, None] for place in ("here", None, "nowhere")]
    expected = [table.ids(key) for key in keys]
    asked = [(key, ids) for key, ids in zip(keys, expected, strict=True) if isinstance(ids, list)]
    assert any(ids for _, ids in asked)
    answers = zip(asked, table.found([key for key, _ in asked]), strict=True)
    assert [(key, ids, found) for (key, ids), found in answers if ids != found] == []
    for key, error in zip(keys, expected, strict=True):
        if not isinstance(error, list):
            try:
                [found, _] = table.found([key, asked[0][0]])
            except error:
                continue
            assert found == []


@pytest.mark.parametrize("name", KEY_TYPES)
def test_each_type_is_compared_as_by_a_query_of_its_own(any_database: Engine, name: str) -> None:
    kind, values = KEY_TYPES[name]
    assert_same_answers(any_database, kind, values)


@pytest.mark.parametrize(
    ("database", "collation"),
    [(database, collation) for database in KINDS for collation in COLLATIONS[database]],
)
def test_so_is_text_of_each_collation(
    request: pytest.FixtureRequest, database: str, collation: str
) -> None:
    engine: Engine = request.getfixturevalue("engine" if database == "sqlite" else database)
    if collation == "forgiving":
        try:
            with engine.begin() as connection:
                connection.execute(text(FORGIVING))
        except NotSupportedError:
            pytest.skip("this PostgreSQL was built without ICU")
    assert_same_answers(engine, String(32, collation=collation), TEXTS)


@pytest.mark.parametrize("kind", KINDS[2:])
def test_fractions_of_a_second_are_to_batches_what_they_are_to_single_keys(
    request: pytest.FixtureRequest, kind: str
) -> None:
    things = Things(request.getfixturevalue(kind), DateTime(), LOCAL_TIMES)
    keys = [*LOCAL_TIMES, *FRACTIONS]
    one_by_one = [things.loader("part").get_many([key])[0] for key in keys]
    assert things.loader("part").get_many(keys) == one_by_one
