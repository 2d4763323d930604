"""Key parts become values of their columns' types, and each key gets the row that it equals."""

from __future__ import annotations

import datetime as dt
import enum
import math
import uuid
from collections import UserDict
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
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
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    Time,
    Uuid,
    insert,
    text,
)

from dataloaders.errors import InvalidKeyError
from dataloaders.sql import TableLoader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine
    from sqlalchemy.types import TypeEngine

    from dataloaders import DataLoader

pytestmark = pytest.mark.timeout(60)


class Side(enum.Enum):
    BUY = "b"
    SELL = "s"


class Number(enum.Enum):
    SEVEN = 7


class Exchange(enum.StrEnum):
    NSE = "NSE"


class Symbol(str):
    """A text that shows itself as something else."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"symbol {self!r}"


def rows_of(engine: Engine, kind: TypeEngine[Any], values: Sequence[object]) -> TableLoader[Any]:
    """Makes a table with these values, numbered from 1 up, and a loader by value."""
    table = Table("things", MetaData(), Column("id", Integer, primary_key=True), Column("k", kind))
    table.create(engine)
    with engine.begin() as connection:
        connection.execute(
            insert(table), [{"id": n, "k": value} for n, value in enumerate(values, start=1)]
        )
    attributes = {"table": table, "key": ("k",), "columns": ("id",), "record": int}
    loader: TableLoader[Any] = type("ThingLoader", (TableLoader,), attributes)(engine)
    return loader


def assert_finds(loader: TableLoader[Any], parts: Sequence[object], ids: list[int | None]) -> None:
    """Alone and in a batch, each part finds the row that it should."""
    assert [type(loader)(loader.bind).get((part,)) for part in parts] == ids
    assert type(loader)(loader.bind).get_many([(part,) for part in parts]) == ids


NOON = dt.datetime(2026, 8, 17, 12, 30, 15, 250)  # noqa: DTZ001 - the column has no zone
ID = uuid.UUID("12345678-1234-5678-1234-567812345678")

CASTS: dict[str, tuple[TypeEngine[Any], list[object], list[object], list[int | None]]] = {
    "number for text": (String(20), ["738561", "5"], [738561, 5, 6], [1, 2, None]),
    "float for text": (String(20), ["1.5"], [1.5, Decimal("1.5"), 1.25], [1, 1, None]),
    "bool for text": (String(20), ["0", "1"], [True, False, "True"], [2, 1, None]),
    "numpy for text": (
        Text(),
        ["7", "1.5"],
        [np.int64(7), np.int32(7), np.float64(1.5), np.str_("7")],
        [1, 1, 2, 1],
    ),
    "enum for text": (
        String(20),
        ["NSE", "b", "7"],
        [Exchange.NSE, Side.BUY, Number.SEVEN],
        [1, 2, 3],
    ),
    "str subclass for text": (String(20), ["TCS"], [Symbol("TCS"), Symbol("tcs")], [1, None]),
    "text for integer": (Integer(), [7, -8], ["7", " -8 ", "9"], [1, 2, None]),
    "bool for integer": (Integer(), [0, 1], [True, False], [2, 1]),
    "whole numbers for integer": (
        Integer(),
        [7],
        [7.0, Decimal("7.0"), Fraction(14, 2), np.int16(7), np.uint64(7), np.float32(7)],
        [1] * 6,
    ),
    "enum for integer": (Integer(), [7], [Number.SEVEN], [1]),
    "numbers for float": (
        Float(53),
        [0.1, 7.0],
        ["0.1", Decimal("0.1"), 7, "7", np.float64(0.1), np.int64(7), 0.2],
        [1, 1, 2, 2, 1, 2, None],
    ),
    "numbers for numeric": (
        Numeric(10, 2, asdecimal=True),
        [Decimal("1.25"), Decimal("7.00")],
        [1.25, "1.25", Decimal("1.250"), 7, "7", 1.3],
        [1, 1, 1, 2, 2, None],
    ),
    "numpy for numeric": (
        Numeric(10, 2),
        [Decimal("1.25"), Decimal("7.00")],
        [np.float64(1.25), np.int64(7)],
        [1, 2],
    ),
    "text for date": (
        Date(),
        [dt.date(2026, 8, 17)],
        ["2026-08-17", dt.date(2026, 8, 17), "2026-08-18"],
        [1, 1, None],
    ),
    "text for datetime": (
        DateTime(),
        [NOON],
        [NOON, NOON.isoformat(), "2026-08-17 12:30:15.000250", "2026-08-17"],
        [1, 1, 1, None],
    ),
    "time": (Time(), [dt.time(9, 15)], [dt.time(9, 15), dt.time(9, 16)], [1, None]),
    "text for uuid": (Uuid(), [ID], [ID, str(ID), ID.hex, uuid.UUID(int=1)], [1, 1, 1, None]),
    "uuid kept as text": (Uuid(as_uuid=False), [str(ID)], [str(ID), ID], [1, 1]),
    "boolean": (Boolean(), [True], [True, 1, False], [1, 1, None]),
    "enum by member or name": (Enum(Side), [Side.BUY], [Side.BUY, "BUY", Side.SELL], [1, 1, None]),
    "bytes": (LargeBinary(), [b"\x00\xff", b""], [b"\x00\xff", b"", b"null"], [1, 2, None]),
}


@pytest.mark.parametrize("case", CASTS)
def test_a_part_is_cast_to_its_columns_type(engine: Engine, case: str) -> None:
    kind, values, parts, ids = CASTS[case]
    assert_finds(rows_of(engine, kind, values), parts, ids)


UNFIT: dict[str, tuple[TypeEngine[Any], list[object], object]] = {
    "integer": (Integer(), ["x", "", 1.5, Decimal("1.5"), math.nan, math.inf, b"7", [7]], 7),
    "text": (String(20), [b"x", bytearray(b"x"), ["x"], {"x": 1}, {"x"}], "x"),
    "float": (Float(), ["x", [1.0], dt.date(2026, 8, 17)], 7.5),
    "numeric": (Numeric(), ["x", ["1"], b"1"], Decimal(7)),
    "date": (Date(), ["x", 7, NOON], dt.date(2026, 8, 17)),
    "datetime": (DateTime(), ["x", 7, dt.date(2026, 8, 17)], NOON),
    "time": (Time(), ["x", 7], dt.time(9, 15)),
    "uuid": (Uuid(), ["x", 7], ID),
    "boolean": (Boolean(), ["x", 7, [True]], True),
    "bytes": (LargeBinary(), ["x", 7, [b"x"]], b"x"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_a_part_that_no_row_can_equal_is_refused_with_the_columns_name(
    engine: Engine, case: str
) -> None:
    kind, parts, fit = UNFIT[case]
    loader = rows_of(engine, kind, [fit])
    for part in parts:
        with pytest.raises(InvalidKeyError, match=r"ThingLoader .*\bk\b"):
            loader.get((part,))
        with pytest.raises(InvalidKeyError, match=r"ThingLoader .*\bk\b"):
            loader.get_many([(fit,), (part,)])
    assert loader.size() == 0
    assert loader.get((fit,)) == 1


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30, str(2**63)])
def test_a_number_beyond_64_bits_is_no_row_or_refused_and_fails_nobody_else(
    engine: Engine, number: object
) -> None:
    loader = rows_of(engine, BigInteger(), [7, 2**63 - 1, -(2**63)])
    try:
        answers = [loader.get(number), *loader.get_many([number, 7])]
    except InvalidKeyError:
        with pytest.raises(InvalidKeyError):
            loader.get_many([number, 7])
    else:
        assert answers == [None, None, 1]


def test_an_integer_is_no_text_with_underscores(engine: Engine) -> None:
    loader = rows_of(engine, Integer(), [1_000])

    try:
        answer = loader.get("1_000")
    except InvalidKeyError:
        answer = None

    assert answer is None


@pytest.fixture
def prices(engine: Engine) -> DataLoader[Any, Any]:
    """Loads prices by (symbol, exchange)."""
    table = Table(
        "prices",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("symbol", String(20)),
        Column("exchange", String(20)),
    )
    table.create(engine)
    with engine.begin() as connection:
        connection.execute(
            insert(table),
            [
                {"id": 1, "symbol": "TCS", "exchange": "NSE"},
                {"id": 2, "symbol": "TCS", "exchange": "BSE"},
            ],
        )
    attributes = {"table": table, "key": ("symbol", "exchange")}
    loader: TableLoader[Any] = type("PriceLoader", (TableLoader,), attributes)(engine)
    return loader


@pytest.mark.parametrize(
    "key", ["TCS", ("TCS",), ("TCS", "NSE", "x"), (), None, ["TCS", "NSE"], {"symbol": "TCS"}, 7]
)
def test_a_key_with_the_wrong_number_of_parts_is_refused_with_their_names(
    prices: DataLoader[Any, Any], key: object
) -> None:
    with pytest.raises(InvalidKeyError, match=r"PriceLoader .*2 parts \(symbol, exchange\)"):
        prices.get(key)
    with pytest.raises(InvalidKeyError, match=r"PriceLoader .*2 parts \(symbol, exchange\)"):
        prices.get_many([("TCS", "NSE"), key])
    assert prices.size() == 0


def test_a_list_is_no_key_of_one_part_either(engine: Engine) -> None:
    loader = rows_of(engine, Integer(), [7])
    with pytest.raises(InvalidKeyError, match="k: INTEGER"):
        loader.get([7])


def test_what_is_not_iterable_is_no_list_of_keys(prices: DataLoader[Any, Any]) -> None:
    with pytest.raises(InvalidKeyError, match="an iterable of keys"):
        prices.get_many(7)  # type: ignore[arg-type]  # the mistake is the point
    assert prices.get_many(UserDict({("TCS", "NSE"): 1}))[0].id == 1


def test_a_named_tuple_is_a_tuple(prices: DataLoader[Any, Any]) -> None:
    class Listing(NamedTuple):
        symbol: str
        exchange: str

    assert prices.get(Listing("TCS", "BSE")).id == 2


def test_one_part_needs_no_tuple(engine: Engine) -> None:
    loader = rows_of(engine, Integer(), [7, 8])
    assert loader.get_many([8, (8,), "8", ("8",)]) == [2, 2, 2, 2]
    assert loader.size() == 1


TEXTS = [
    "it's",
    'a "quoted" text',
    "back\\slash",
    "[1, 2]",
    '{"a": null}',
    "null",
    "true",
    "7",
    "1e3",
    "",
    " ",
    " x",
    "x ",
    "tab\tand\nnew line",
    "%",
    "%s %(a0_0)s :a0_0 ?",
    "_",
    "é",
    "e\u0301",
    "ß",
    "नमस्ते",
    "日本",
    "😀",
    "👩\u200d👩\u200d👧",
    "\u2028",
    "\x01\x1f\x7f",
    "M&M",
    "$[0]",
    "--",
    ";",
    "long " * 20_000,
    "long " * 20_000 + "x",
]


def test_any_text_finds_its_own_row(engine: Engine) -> None:
    loader = rows_of(engine, String(), TEXTS)
    numbers: list[int | None] = list(range(1, len(TEXTS) + 1))
    assert_finds(loader, TEXTS, numbers)
    assert_finds(loader, [f"{value}?" for value in TEXTS[:20]], [None] * 20)


def test_text_goes_on_behind_a_nul(engine: Engine) -> None:
    loader = rows_of(engine, String(), ["a", "a\0b"])
    assert_finds(loader, ["a\0b", "a\0", "a"], [2, None, 1])


def test_integers_are_exact_to_64_bits(engine: Engine) -> None:
    numbers = [2**53, 2**53 + 1, 2**53 + 2, 2**63 - 2, 2**63 - 1, -(2**63), -(2**63) + 1, 0]
    loader = rows_of(engine, BigInteger(), numbers)
    assert_finds(loader, numbers, [*range(1, len(numbers) + 1)])
    assert_finds(loader, [str(number) for number in numbers], [*range(1, len(numbers) + 1)])
    assert_finds(loader, [2**53 - 1, 2**63 - 3], [None, None])


def test_floats_are_exact(engine: Engine) -> None:
    numbers = [0.1, 0.1 + 0.2, 0.3, 1e308, 5e-324, -1.5, 0.0, math.inf]
    loader = rows_of(engine, Float(53), numbers)
    assert_finds(loader, numbers, [*range(1, len(numbers) + 1)])
    assert_finds(loader, [-0.0, math.nan, math.nan], [7, None, None])


def test_collations_decide_what_equals(engine: Engine) -> None:
    kind = String(20, collation="NOCASE")
    loader = rows_of(engine, kind, ["Tcs", "TCS", "infy"])
    assert_finds(loader, ["tcs", "TCS", "INFY", "tcs ", "itc"], [1, 1, 3, None, None])


def test_a_column_compares_as_the_database_declares_it(engine: Engine) -> None:
    # The application's idea of a table may differ from the table: SQLite then compares by the
    # type that the column was made with.
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER)"))
        connection.execute(text("INSERT INTO t VALUES (1, 7, 8), (2, 7, 9)"))
    table = Table(
        "t",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("a", String),
        Column("b", String),
    )
    attributes = {"table": table, "key": ("a", "b"), "columns": ("id",), "record": int}
    loader: type[TableLoader[Any]] = type("OddLoader", (TableLoader,), attributes)

    assert loader(engine).get(("7", "9")) == 2
    assert loader(engine).get_many([("7", "9"), ("7", "8"), ("7", "0")]) == [2, 1, None]
