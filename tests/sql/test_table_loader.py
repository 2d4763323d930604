"""Table loaders: what they load, which row they choose, and what comes out."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Enum,
    Float,
    ForeignKey,
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
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from dataloaders.errors import ConfigurationError, InvalidKeyError, KeyNotFoundError
from dataloaders.sql import GroupedTableLoader, TableLoader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy import Engine, FromClause

    from dataloaders import DataLoader
    from tests.sql.conftest import SelectCounter

pytestmark = pytest.mark.timeout(120)


class Base(DeclarativeBase):
    pass


class Instrument(Base):
    __tablename__ = "instruments"
    id: Mapped[int] = mapped_column(primary_key=True)
    symbol: Mapped[str | None]
    exchange: Mapped[str | None]
    lot: Mapped[int | None]


instruments: Any = Instrument.__table__

ROWS = [
    (1, "TCS", "NSE", 10),
    (2, "TCS", "BSE", 20),
    (3, "INFY", "NSE", 30),
    (4, "TCS", "NSE", 40),
    (5, "TCS", None, 50),
    (6, None, "NSE", 60),
    (7, None, None, 70),
    (8, "null", "null", 80),
    (9, "TCS", None, 90),
]


@dataclasses.dataclass
class Lot:
    lot: int
    symbol: str


@pytest.fixture
def filled(engine: Engine) -> Engine:
    """A database with a few instruments, the last of them inserted first."""
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        for row in reversed(ROWS):
            connection.execute(insert(instruments).values(row))
        connection.execute(
            text("CREATE VIEW listed AS SELECT symbol, exchange, lot FROM instruments")
        )
    return engine


def make(
    bind: Engine, table: object, *key: str, base: type[Any] = TableLoader, **attributes: object
) -> DataLoader[Any, Any]:
    kind = type("RowLoader", (base,), {"table": table, "key": key, **attributes})
    loader: DataLoader[Any, Any] = kind(bind)
    return loader


def again(loader: DataLoader[Any, Any], bind: Engine) -> DataLoader[Any, Any]:
    """Another loader of the same kind, which knows nothing."""
    kind: type[Any] = type(loader)
    another: DataLoader[Any, Any] = kind(bind)
    return another


def create(engine: Engine, *columns: Column[Any], rows: Sequence[Mapping[str, object]]) -> Table:
    table = Table("t", MetaData(), *columns)
    table.create(engine)
    with engine.begin() as connection:
        for row in rows:
            connection.execute(insert(table).values(**row))
    return table


listed = Table(
    "listed",
    MetaData(),
    Column("symbol", String),
    Column("exchange", String),
    Column("lot", Integer),
)


# -- what a loader may be of


@pytest.mark.parametrize("table", [Instrument, instruments, listed])
def test_a_table_a_mapped_class_and_a_view(
    filled: Engine, selects: SelectCounter, table: object
) -> None:
    selects.watch(filled)
    loader = make(filled, table, "symbol", "exchange")

    records = loader.get_many([("INFY", "NSE"), ("TCS", "BSE"), ("TCS", "MCX")])

    assert [record and (record.symbol, record.exchange, record.lot) for record in records] == [
        ("INFY", "NSE", 30),
        ("TCS", "BSE", 20),
        None,
    ]
    assert len(selects) == 1
    assert loader.get(("null", "null")).lot == 80
    assert len(selects) == 2


def test_a_selection_with_parameters_of_its_own_is_a_table_too_or_is_refused(
    filled: Engine,
) -> None:
    large = select(instruments).where(instruments.c.lot > 25).subquery()
    try:
        loader = make(filled, large, "symbol", "exchange")
    except ConfigurationError:
        return
    assert loader.get(("INFY", "NSE")).id == 3
    assert [row and row.symbol for row in loader.get_many([("INFY", "NSE"), ("TCS", "BSE")])] == [
        "INFY",
        None,
    ]


def test_a_class_of_a_hierarchy_is_its_own_rows_only(engine: Engine) -> None:
    class Local(DeclarativeBase):
        pass

    class Person(Local):
        __tablename__ = "people"
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}  # noqa: RUF012 - SQLAlchemy's own form
        id: Mapped[int] = mapped_column(primary_key=True)
        kind: Mapped[str]

    class Manager(Person):
        __mapper_args__ = {"polymorphic_identity": "manager"}  # noqa: RUF012 - SQLAlchemy's own form

    Local.metadata.create_all(engine)
    with engine.begin() as connection:
        rows = [{"id": 1, "kind": "person"}, {"id": 2, "kind": "manager"}]
        connection.execute(insert(Person.__table__), rows)  # type: ignore[arg-type]  # a table it is
    try:
        loader = make(engine, Manager, "id")
        found = loader.get_many([1, 2])
    except ConfigurationError:
        return
    assert [record and record.id for record in found] == [None, 2]


def test_a_schema_that_the_engine_translates(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("ATTACH ':memory:' AS tenant"))
        for schema, lot in (("main", 1), ("tenant", 2)):
            connection.execute(
                text(f"CREATE TABLE {schema}.lots (id INTEGER PRIMARY KEY, lot INTEGER)")
            )
            connection.execute(text(f"INSERT INTO {schema}.lots VALUES (1, {lot}), (2, {lot})"))  # noqa: S608 - of constants
    lots = Table(
        "lots", MetaData(), Column("id", Integer, primary_key=True), Column("lot", Integer)
    )
    loader = type("LotLoader", (TableLoader,), {"table": lots, "key": ("id",)})
    tenant = engine.execution_options(schema_translate_map={None: "tenant"})

    for bind, lot in ((engine, 1), (tenant, 2), (engine, 1)):
        assert loader(bind).get(1).lot == lot
        assert [record.lot for record in loader(bind).get_many([1, 2])] == [lot, lot]


# -- records


def test_columns_are_those_that_are_named_in_their_order(
    filled: Engine, selects: SelectCounter
) -> None:
    selects.watch(filled)
    loader = make(filled, Instrument, "id", columns=("lot", "symbol"))

    record = loader.get(3)

    assert [(field.name, getattr(record, field.name)) for field in dataclasses.fields(record)] == [
        ("lot", 30),
        ("symbol", "INFY"),
    ]
    assert "exchange" not in selects.texts[0]


def test_all_columns_are_loaded_by_default_into_a_dataclass_with_slots(filled: Engine) -> None:
    one, another = make(filled, Instrument, "id").get_many([3, 2])

    assert dataclasses.asdict(one) == {"id": 3, "symbol": "INFY", "exchange": "NSE", "lot": 30}
    assert not hasattr(one, "__dict__")
    assert type(one) is type(another)
    assert type(one).__name__ == "RowLoaderRecord"
    assert one != another
    with pytest.raises(AttributeError):
        one.unknown = 1


@pytest.mark.parametrize("keys", [[2], [2, 3]])
def test_a_record_class_is_called_with_the_columns_in_their_order(
    filled: Engine, keys: list[int]
) -> None:
    loader = make(filled, Instrument, "id", columns=("lot", "symbol"), record=Lot)
    assert loader.get_many(keys)[0] == Lot(20, "TCS")


def test_any_callable_makes_records(filled: Engine) -> None:
    loader = make(filled, Instrument, "id", columns=("lot",), record=lambda lot: lot * 2)
    assert loader.get_many([1, 2]) == [20, 40]


def test_a_column_that_is_named_like_a_keyword(engine: Engine) -> None:
    table = create(
        engine,
        Column("id", Integer, primary_key=True),
        Column("class", String),
        Column("lot size", Integer),
        rows=[{"id": 1, "class": "A", "lot size": 5}],
    )
    record = make(engine, table, "id").get(1)
    assert dataclasses.astuple(record) == (1, "A", 5)


def test_a_subclass_may_change_what_its_base_says(filled: Engine) -> None:
    class ById(TableLoader[Any]):
        table = Instrument
        key: ClassVar[tuple[str, ...]] = ("id",)

    class BySymbol(ById):
        key = ("symbol", "exchange")
        columns = ("id",)

    by_id: DataLoader[Any, Any] = ById(filled)
    assert by_id.get(3).lot == 30
    record: Any = BySymbol(filled).get(("INFY", "NSE"))
    assert dataclasses.asdict(record) == {"id": 3}
    assert by_id.get(2).lot == 20


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"table": None}, "RowLoader.table must be a table or a mapped class"),
        ({"table": int}, "RowLoader.table must be a table or a mapped class"),
        ({"table": "instruments"}, "RowLoader.table must be a table or a mapped class"),
        ({"key": "id"}, "RowLoader.key must be a tuple of column names"),
        ({"key": ()}, "RowLoader.key must be a tuple of column names"),
        ({"key": ("id", "no")}, "RowLoader.key must be names of columns .*id, symbol.*'no'"),
        ({"columns": ("id", "no")}, "RowLoader.columns must be names of columns .*'no'"),
    ],
)
def test_a_definition_that_cannot_be_meant_is_refused_when_a_loader_is_made(
    filled: Engine, attributes: dict[str, object], message: str
) -> None:
    definition = {"table": Instrument, "key": ("id",), **attributes}
    loader = type("RowLoader", (TableLoader,), definition)
    with pytest.raises(ConfigurationError, match=message):
        loader(filled)


# -- NULL


def test_none_is_null_and_nothing_else(filled: Engine) -> None:
    loader = make(filled, Instrument, "symbol", "exchange", columns=("id",), record=int)
    expected = {
        ("TCS", None): 5,
        (None, "NSE"): 6,
        (None, None): 7,
        ("null", "null"): 8,
        ("TCS", "null"): None,
        ("INFY", None): None,
        (None, "BSE"): None,
        ("TCS", "NSE"): 1,
        ("", None): None,
    }
    assert loader.get_many(expected) == list(expected.values())
    for key, answer in expected.items():
        assert again(loader, filled).get(key) == answer


def test_a_batch_with_nulls_is_one_statement(filled: Engine, selects: SelectCounter) -> None:
    selects.watch(filled)
    loader = make(filled, Instrument, "symbol", "exchange", columns=("id",), record=int)
    keys: list[tuple[str | None, str | None]] = [(f"S{number}", None) for number in range(200)]
    keys += [(None, f"E{number}") for number in range(200)]

    answers = loader.get_many([*keys, (None, None), ("TCS", None), (None, "NSE"), ("TCS", "NSE")])

    assert answers == [None] * 400 + [7, 5, 6, 1]
    assert len(selects) == 1


@pytest.mark.parametrize("symbol_type", [String(), Float()])
def test_none_as_the_first_part_finds_rows_of_a_view(filled: Engine, symbol_type: Any) -> None:  # noqa: ANN401 - of many types
    # A float goes another way than a text does.
    with filled.begin() as connection:
        connection.execute(text("CREATE VIEW v AS SELECT lot AS a, symbol AS b FROM instruments"))
        connection.execute(text("CREATE VIEW w AS SELECT symbol AS a, lot AS b FROM instruments"))
    by_number = isinstance(symbol_type, Float)
    view = Table(
        "v" if by_number else "w",
        MetaData(),
        Column("a", symbol_type),
        Column("b", String if by_number else Integer),
    )
    with filled.begin() as connection:
        connection.execute(insert(instruments).values(id=99, symbol="NOLOT"))
    columns = ("b", "a")
    known = 30 if by_number else "INFY"
    answer = "INFY" if by_number else 30
    nothing = "NOLOT" if by_number else 60

    for base in (TableLoader, GroupedTableLoader):
        grouped = base is GroupedTableLoader
        loader = make(filled, view, "a", base=base, columns=columns)
        first, second = loader.get_many([(None,), known])
        if grouped:
            assert [record.b for record in second] == [answer]
            assert nothing in {record.b for record in first}
        else:
            assert second.b == answer
            assert first.a is None


def test_none_alone_is_null_for_a_key_of_one_part(filled: Engine) -> None:
    loader = make(filled, Instrument, "symbol", columns=("id",), record=int)
    assert loader.get((None,)) == 6
    assert loader.get_many([(None,), "INFY", ("INFY",)]) == [6, 3, 3]


# -- several rows of one key


@pytest.mark.parametrize("keys", [[("TCS", "NSE")], [("TCS", "NSE"), ("TCS", "BSE")]])
def test_the_lowest_primary_key_wins(filled: Engine, keys: list[object]) -> None:
    loader = make(filled, Instrument, "symbol", "exchange", columns=("id",), record=int)
    assert loader.get_many(keys) == [1, 2][: len(keys)]


def test_the_lowest_composite_primary_key_wins(engine: Engine) -> None:
    pairs = [(2, "a"), (1, "z"), (1, "b"), (10, "a"), (1, "c")]
    table = create(
        engine,
        Column("major", Integer, primary_key=True),
        Column("minor", String, primary_key=True),
        Column("k", String),
        rows=[{"major": major, "minor": minor, "k": "same"} for major, minor in pairs],
    )
    loader = make(engine, table, "k", columns=("minor", "major"))
    for keys in (["same"], ["same", "other"]):
        record = again(loader, engine).get_many(keys)[0]
        assert (record.major, record.minor) == (1, "b")
    grouped = make(engine, table, "k", base=GroupedTableLoader)
    rows: list[Any] = grouped.get_many(["same", "other"])[0]
    assert [(row.major, row.minor) for row in rows] == sorted(pairs)


class Level(enum.Enum):
    LOW = "b"
    HIGH = "a"


def test_a_primary_key_whose_values_have_no_order_in_python(engine: Engine) -> None:
    table = create(
        engine,
        Column("level", Enum(Level), primary_key=True),
        Column("k", String),
        rows=[{"level": Level.LOW, "k": "same"}, {"level": Level.HIGH, "k": "same"}],
    )
    loader = make(engine, table, "k")
    assert loader.get("same").level is Level.HIGH  # stored by name
    assert loader.get_many(["same", "other"])[0].level is Level.HIGH
    grouped: Any = make(engine, table, "k", base=GroupedTableLoader).get("same")
    assert [record.level for record in grouped] == [Level.HIGH, Level.LOW]


def test_unique_takes_any_row_of_a_key(filled: Engine) -> None:
    loader = make(filled, Instrument, "symbol", "exchange", unique=True)
    records = loader.get_many([("INFY", "NSE"), ("TCS", "NSE"), ("TCS", "BSE"), ("X", "NSE")])
    assert [record and record.id for record in records[:1] + records[2:]] == [3, 2, None]
    assert records[1].id in {1, 4}


def test_a_key_that_is_given_twice_is_answered_twice(
    filled: Engine, selects: SelectCounter
) -> None:
    selects.watch(filled)
    loader = make(filled, Instrument, "id", columns=("lot",), record=int)
    assert loader.get_many([3, "3", 99, 3, 99]) == [30, 30, None, 30, None]
    assert loader.size() == 2
    assert len(selects) == 1


# -- which types come out


class Shouted(TypeDecorator[str]):
    """Is in capital letters in the database only."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: object) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        return None if value is None else value.upper()

    def process_result_value(self, value: str | None, dialect: object) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        return None if value is None else value.lower()


VALUES: dict[str, tuple[Any, object]] = {
    "integer": (Integer(), 7),
    "bigint": (BigInteger(), 2**60 + 1),
    "text": (String(20), "x"),
    "float": (Float(53), 76300.05),
    "numeric": (Numeric(10, 2), Decimal("12.50")),
    "numeric as float": (Numeric(10, 2, asdecimal=False), 12.5),
    "float as decimal": (Float(asdecimal=True), Decimal("0.5")),
    "boolean": (Boolean(), False),
    "date": (Date(), dt.date(2026, 8, 17)),
    "datetime": (DateTime(), dt.datetime(2026, 8, 17, 9, 15, 0, 5)),  # noqa: DTZ001 - the column has no zone
    "time": (Time(), dt.time(9, 15)),
    "enum": (Enum(Level, name="level"), Level.LOW),
    "json": (JSON(), {"a": [1, None, "ü"]}),
    "json list": (JSON(), [1, 2]),
    "uuid": (Uuid(), uuid.UUID(int=5)),
    "uuid as text": (Uuid(as_uuid=False), str(uuid.UUID(int=5))),
    "blob": (LargeBinary(), b"\x00\xff"),
    "own type": (Shouted(20), "quiet"),
}


def assert_comes_back(engine: Engine, case: str) -> None:
    kind, value = VALUES[case]
    table = create(
        engine,
        Column("id", Integer, primary_key=True),
        Column("v", kind),
        rows=[{"id": 1, "v": value}, {"id": 2, "v": value}, {"id": 3}],
    )
    for base in (TableLoader, GroupedTableLoader):
        for ids in ([1], [1, 2, 3]):
            loader = make(engine, table, "id", base=base, columns=("v",))
            records: list[Any] = loader.get_many(ids)
            if base is GroupedTableLoader:
                records = [rows[0] for rows in records]
            assert [record.v for record in records] == [value, value, None][: len(ids)]
            assert type(records[0].v) is type(value)


@pytest.mark.parametrize("case", VALUES)
def test_values_come_back_as_their_columns_types(engine: Engine, case: str) -> None:
    assert_comes_back(engine, case)


@pytest.mark.parametrize("case", VALUES)
def test_values_come_back_from_postgresql_as_their_columns_types(
    postgresql: Engine, case: str
) -> None:
    assert_comes_back(postgresql, case)


@pytest.mark.parametrize("case", VALUES)
def test_every_type_that_compares_can_be_a_key(engine: Engine, case: str) -> None:
    kind, value = VALUES[case]
    if isinstance(kind, JSON):
        return
    table = create(
        engine,
        Column("id", Integer, primary_key=True),
        Column("k", kind),
        Column("second", String),
        rows=[{"id": 1, "k": value, "second": "a"}, {"id": 2, "k": None, "second": "a"}],
    )
    keys = [(value, "a"), (None, "a"), (value, "b"), (None, None)]
    loader = make(engine, table, "k", "second", columns=("id",), record=int)
    assert loader.get_many(keys) == [1, 2, None, None]
    assert [again(loader, engine).get(key) for key in keys] == [1, 2, None, None]


def test_many_keys_of_another_type_are_a_few_statements(
    engine: Engine, selects: SelectCounter
) -> None:
    table = create(
        engine,
        Column("id", Integer, primary_key=True),
        Column("k", Float),
        rows=[{"id": number, "k": number + 0.5} for number in range(1, 101)],
    )
    selects.watch(engine)
    loader = make(engine, table, "k", columns=("id",), record=int)
    keys = [number + 0.5 for number in range(1, 111)]
    assert loader.get_many(keys) == [*range(1, 101), *[None] * 10]
    assert 1 <= len(selects) <= 110 // 16


# -- options


def test_without_a_cache_each_lookup_asks_again(filled: Engine, selects: SelectCounter) -> None:
    selects.watch(filled)
    loader = make(filled, Instrument, "id", columns=("lot",), record=int, cache=False)

    assert loader.get(3) == 30
    with filled.begin() as connection:
        connection.execute(text("UPDATE instruments SET lot = 31 WHERE id = 3"))
    assert loader.get(3) == 31
    assert loader.get_many([3, "3", (2,), 99]) == [31, 31, 20, None]

    assert len(selects) == 3
    assert loader.size() == 0
    with pytest.raises(InvalidKeyError, match="id: INTEGER"):
        loader.get("x")


async def test_without_a_cache_on_an_event_loop(filled: Engine, selects: SelectCounter) -> None:
    selects.watch(filled)
    loader = make(filled, Instrument, "id", columns=("lot",), record=int, cache=False)
    assert await loader.load_many([3, "3", (2,), 99]) == [30, 30, 20, None]
    assert len(selects) == 1


def test_a_limit_on_batches(filled: Engine, selects: SelectCounter) -> None:
    selects.watch(filled)
    loader = make(filled, Instrument, "id", columns=("lot",), record=int, max_batch_size=3)
    assert loader.get_many(range(1, 9)) == [10, 20, 30, 40, 50, 60, 70, 80]
    assert len(selects) == 3


def test_absence_is_remembered(filled: Engine, selects: SelectCounter) -> None:
    selects.watch(filled)
    loader = make(filled, Instrument, "id")
    for _ in range(3):
        assert loader.get(99) is None
        assert loader.get_many(["99", (99,)]) == [None, None]
    assert len(selects) == 1


def test_no_keys_are_no_statement(filled: Engine, selects: SelectCounter) -> None:
    selects.watch(filled)
    assert make(filled, Instrument, "id").get_many([]) == []
    assert len(selects) == 0


def test_priming_and_clearing_go_by_the_cast_key(filled: Engine, selects: SelectCounter) -> None:
    selects.watch(filled)
    loader = make(filled, Instrument, "id", columns=("lot",), record=int)
    loader.prime("3", 33)
    assert (loader.get(3), loader.get((3,)), loader.get(3.0)) == (33, 33, 33)
    assert len(selects) == 0
    loader.clear(("3",))
    assert loader.get(3) == 30


def test_required_rows(filled: Engine) -> None:
    loader = make(filled, Instrument, "id", columns=("lot",), record=int)
    assert loader.require(3) == 30
    assert loader.require_many([3, 2]) == [30, 20]
    with pytest.raises(KeyNotFoundError, match="99"):
        loader.require(99)


# -- groups


def test_a_group_is_all_rows_in_the_order_of_their_primary_keys(
    filled: Engine, selects: SelectCounter
) -> None:
    selects.watch(filled)
    loader = make(
        filled, Instrument, "symbol", base=GroupedTableLoader, columns=("id",), record=int
    )

    assert loader.get_many(["TCS", "NO", "INFY", (None,)]) == [[1, 2, 4, 5, 9], [], [3], [6, 7]]
    assert len(selects) == 1
    assert loader.get("NO") == []
    assert loader.get("null") == [8]
    assert len(selects) == 2


async def test_groups_are_loaded_on_an_event_loop_as_well(filled: Engine) -> None:
    loader = make(
        filled, Instrument, "symbol", base=GroupedTableLoader, columns=("id",), record=int
    )
    assert await loader.load_many(["TCS", "NO"]) == [[1, 2, 4, 5, 9], []]


def test_an_option_chain(engine: Engine, selects: SelectCounter) -> None:
    chain = [
        (name, expiry, strike, kind)
        for strike in (24_000, 24_050, 24_100)
        for name in ("NIFTY", "BANKNIFTY")
        for expiry in ("18-AUG-26", "25-AUG-26")
        for kind in ("CE", "PE")
    ]
    table = create(
        engine,
        Column("id", Integer, primary_key=True),
        Column("name", String),
        Column("expiry", String),
        Column("strike", Float),
        Column("kind", String),
        rows=[
            {"name": name, "expiry": expiry, "strike": strike, "kind": kind}
            for name, expiry, strike, kind in chain
        ],
    )
    selects.watch(engine)
    loader = make(engine, table, "name", "expiry", base=GroupedTableLoader)

    wanted = [("NIFTY", "25-AUG-26"), ("BANKNIFTY", "18-AUG-26"), ("NIFTY", "01-SEP-26")]
    groups: list[Any] = loader.get_many(wanted)

    assert len(selects) == 1
    for key, group in zip(wanted, groups, strict=True):
        assert [(row.name, row.expiry, row.strike, row.kind) for row in group] == [
            row for row in chain if row[:2] == key
        ]
    assert [len(group) for group in groups] == [6, 6, 0]


def test_many_groups_are_one_statement(engine: Engine, selects: SelectCounter) -> None:
    parents = Table("parents", MetaData(), Column("id", Integer, primary_key=True))
    parents.create(engine)
    table = create(
        engine,
        Column("id", Integer, primary_key=True),
        Column("parent", ForeignKey(parents.c.id)),
        rows=[{"id": number, "parent": number % 300} for number in range(900)],
    )
    selects.watch(engine)
    loader = make(engine, table, "parent", base=GroupedTableLoader, columns=("id",), record=int)
    assert loader.get_many(range(400)) == [
        [number, number + 300, number + 600] if number < 300 else [] for number in range(400)
    ]
    assert len(selects) == 1


# -- any table and any keys


INTEGERS = st.one_of(
    st.none(), st.integers(-3, 3), st.sampled_from([2**53 + 1, 2**63 - 1, -(2**63)])
)
TEXTS = st.one_of(
    st.none(),
    st.sampled_from(["", "a", "A", "null", "0", "1", '"', "[]"]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=3),
)
random_table = Table(
    "random_rows",
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("a", BigInteger),
    Column("b", String),
)


class RandomLoader(TableLoader[Any]):
    table, key = random_table, ("a", "b")
    columns = ("id",)
    record = int


class RandomGroups(GroupedTableLoader[Any]):
    table, key = random_table, ("b", "a")
    columns = ("id",)
    record = int


def found_one_by_one(
    engine: Engine, table: FromClause, keys: Sequence[tuple[object, ...]], names: Sequence[str]
) -> list[list[int]]:
    """The ids of the rows of each key, by one plain query for each."""
    found = []
    with engine.connect() as connection:
        for key in keys:
            wanted = [table.c[name] == part for name, part in zip(names, key, strict=True)]
            statement = select(table.c.id).where(*wanted).order_by(table.c.id)
            found.append(list(connection.scalars(statement)))
    return found


@pytest.fixture(scope="module")
def random_sqlite() -> Iterator[Engine]:
    engine = create_engine("sqlite://")
    random_table.create(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def random_postgresql(postgresql_url: str) -> Iterator[Engine]:
    engine = create_engine(postgresql_url)
    random_table.create(engine)
    yield engine
    random_table.drop(engine)
    engine.dispose()


any_table_and_keys: Callable[[Callable[..., None]], Callable[..., None]] = given(
    rows=st.dictionaries(st.integers(-5, 50), st.tuples(INTEGERS, TEXTS), max_size=12),
    keys=st.lists(st.tuples(INTEGERS, TEXTS), max_size=45),
)


def assert_same_answers(
    engine: Engine,
    rows: dict[int, tuple[int | None, str | None]],
    keys: list[tuple[int | None, str | None]],
) -> None:
    keys = [*keys, *rows.values()]
    with engine.begin() as connection:
        connection.execute(delete(random_table))
        if rows:
            values = [{"id": number, "a": a, "b": b} for number, (a, b) in rows.items()]
            connection.execute(insert(random_table), values)
    expected = found_one_by_one(engine, random_table, keys, ("a", "b"))

    assert RandomLoader(engine).get_many(keys) == [next(iter(ids), None) for ids in expected]
    assert RandomGroups(engine).get_many([(b, a) for a, b in keys]) == expected
    one_by_one = RandomLoader(engine)
    assert [one_by_one.get(key) for key in keys] == [next(iter(ids), None) for ids in expected]


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@any_table_and_keys
def test_answers_are_those_of_one_query_for_each_key(
    random_sqlite: Engine,
    rows: dict[int, tuple[int | None, str | None]],
    keys: list[tuple[int | None, str | None]],
) -> None:
    assert_same_answers(random_sqlite, rows, keys)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@any_table_and_keys
def test_answers_on_postgresql_are_those_of_one_query_for_each_key(
    random_postgresql: Engine,
    rows: dict[int, tuple[int | None, str | None]],
    keys: list[tuple[int | None, str | None]],
) -> None:
    assert_same_answers(random_postgresql, rows, keys)


def test_a_listener_on_the_engine_changes_no_answer(filled: Engine) -> None:
    key_lists: list[list[int]] = [[3], [1, 2, 99]]
    quiet = [make(filled, Instrument, "id").get_many(keys) for keys in key_lists]
    sent: list[str] = []
    event.listen(filled, "before_cursor_execute", lambda *args: sent.append(args[2]))
    heard = [make(filled, Instrument, "id").get_many(keys) for keys in key_lists]

    def plain(records: list[Any]) -> list[Any]:
        return [record and dataclasses.astuple(record) for record in records]

    assert [plain(records) for records in heard] == [plain(records) for records in quiet]
    assert len(sent) == 2
