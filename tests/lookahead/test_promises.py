# ruff: noqa: ANN401 - what the rows of applications hold may be anything
"""Look-ahead never changes an answer, runs no code of the caller's objects and keeps none."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import os
import sqlite3
import subprocess
import sys
import threading
import weakref
from collections import defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import pytest
from sqlalchemy import (
    Column,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    func,
    insert,
)
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column, relationship
from sqlalchemy.pool import NullPool
from werkzeug.local import LocalProxy

from dataloaders import DataLoader, LoaderScope
from dataloaders.errors import ConfigurationError, InvalidKeyError, NoScopeError
from dataloaders.lookahead.sites import forget_sites
from dataloaders.sql import TableLoader
from tests.threads import SECONDS, spawn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Engine

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(autouse=True)
def _nothing_learned() -> None:
    forget_sites()


def broken(reason: str) -> pytest.MarkDecorator:
    """Marks a promise that is not kept yet."""
    return pytest.mark.xfail(strict=True, reason=reason)


def quietly(test: Callable[..., None]) -> Callable[..., None]:
    """Has a test fail without a traceback, whose objects pytest would look at."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        failure = None
        try:
            test(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told below
            failure = type(error).__name__
        if failure is not None:
            pytest.fail(failure, pytrace=False)

    return run


class Echo(DataLoader[Any, Any]):
    """Answers a key with ("got", key), and looks around."""

    lookahead = "on"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.batches: list[list[Any]] = []

    def batch_load(self, keys: list[Any]) -> Any:
        self.batches.append(list(keys))
        return [("got", key) for key in keys]


class SharedEcho(Echo):
    """Reads the stacks of other threads, as nothing that it answers is anybody's own."""

    shared = True


class Announced(Echo):
    lookahead = "explicit"


# -- hostile rows


class Touched(Exception):  # noqa: N818 - it is what happened
    """Somebody ran code of a row."""


class Hostile:
    """Every way to look at it, but for reading what it holds, raises."""

    calls: list[str] = []  # noqa: RUF012 - for all of them

    def __init__(self, **held: Any) -> None:
        object.__getattribute__(self, "__dict__").update(held)

    def _refuse(self, *_: object) -> Any:
        Hostile.calls.append("x")
        raise Touched

    __getattr__ = __getattribute__ = __eq__ = __iter__ = __len__ = __bool__ = _refuse
    __str__ = __repr__ = __contains__ = __getitem__ = __lt__ = __call__ = __next__ = _refuse
    __index__ = __int__ = __float__ = __bytes__ = __iadd__ = __length_hint__ = __reduce__ = _refuse
    __hash__ = _refuse


def read(row: Any, name: str) -> Any:
    """What the row itself holds, as its own application knows to get at it."""
    return object.__getattribute__(row, "__dict__")[name]


@quietly
def test_rows_whose_every_method_raises_are_read_and_not_run() -> None:
    Hostile.calls.clear()
    rows = [Hostile(symbol=f"S{number}", other=number) for number in range(5)]
    loader = Echo()
    answers = []
    for row in rows:
        answers.append(loader.get(read(row, "symbol")))  # noqa: PERF401 - the loop is what is tested
    assert answers == [("got", f"S{number}") for number in range(5)]
    assert not Hostile.calls
    assert len(loader.batches) == 1


def hostile_value(kind: str) -> Any:
    cycle: list[Any] = []
    cycle.append(cycle)
    return {
        "object": Hostile(),
        "proxy": LocalProxy(lambda: Hostile()._refuse()),
        "list": [1, 2],
        "dict": {"a": []},
        "huge number": 10**5000,
        "huge text": "x" * 2_000_000,
        "digits": "9" * 6000,
        "surrogate": "\ud800",
        "nul": "a\0b",
        "nan": float("nan"),
        "cycle": cycle,
    }[kind]


KINDS = [
    "object",
    "proxy",
    "list",
    "dict",
    "huge number",
    "huge text",
    "digits",
    "surrogate",
    "nul",
    "nan",
    "cycle",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", ["S0", 17])
@quietly
def test_a_row_may_hold_anything_where_its_siblings_hold_the_key(kind: str, first: Any) -> None:
    Hostile.calls.clear()
    rows = [{"symbol": first}, {"symbol": hostile_value(kind)}, {"symbol": "S2"}]
    loader = Echo()
    for row in rows:
        if row["symbol"] is rows[1]["symbol"]:
            continue
        assert loader.get(row["symbol"]) == ("got", row["symbol"])
    assert not Hostile.calls


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("made", [str, lambda field: f"{field}-EQ", lambda field: int(field) + 0])
@quietly
def test_a_row_may_hold_anything_beside_the_field(kind: str, made: Callable[[Any], Any]) -> None:
    Hostile.calls.clear()
    rows = [{"a": hostile_value(kind), "n": str(100 + number)} for number in range(4)]
    loader = Echo()
    for row in rows:
        key = made(row["n"])
        assert loader.get(key) == ("got", key)
    assert not Hostile.calls


@pytest.mark.parametrize("kind", KINDS)
@quietly
def test_a_variable_may_hold_anything(kind: str) -> None:
    Hostile.calls.clear()
    odd = hostile_value(kind)
    several = [odd, odd]
    by_number = {1: odd, 2: odd}
    loader = Echo()
    for number in range(3):
        assert loader.get(f"k{number}") == ("got", f"k{number}")
    assert not Hostile.calls
    assert several[0] is by_number[1]


class Table_:  # noqa: N801 - the ORM's names are taken
    pass


class Noisy(dict[Any, Any]):
    """A dict that counts who looks at it through its own methods."""

    calls = 0

    def _count(self, *_: object) -> Any:
        Noisy.calls += 1
        raise Touched

    __missing__ = __iter__ = __len__ = __contains__ = __getitem__ = __eq__ = _count
    get = keys = values = items = copy = _count
    __hash__ = None


class NoisyList(list[Any]):
    calls = 0

    def _count(self, *_: object) -> Any:
        NoisyList.calls += 1
        raise Touched

    __len__ = __contains__ = __getitem__ = __eq__ = __reversed__ = __bool__ = _count
    __hash__ = None


@quietly
def test_dicts_with_methods_of_their_own() -> None:
    Noisy.calls = 0
    rows = [Noisy(symbol=f"S{number}") for number in range(5)]
    loader = Echo()
    for row in rows:
        key = dict.__getitem__(row, "symbol")
        assert loader.get(key) == ("got", key)
    assert not Noisy.calls
    assert len(loader.batches) == 1


@quietly
def test_a_dict_of_plain_values_with_methods_of_its_own() -> None:
    Noisy.calls = 0
    held = Noisy(S0=1, S1=2, S2=3)
    loader = Echo()
    for key in dict.keys(held):
        assert loader.get(key) == ("got", key)
        assert loader.get(key + "-EQ") == ("got", key + "-EQ")
    assert not Noisy.calls


def test_defaults_are_not_made() -> None:
    rows: list[defaultdict[str, Any]] = [defaultdict(list, symbol=f"S{n}") for n in range(3)]
    rows.append(defaultdict(list))
    loader = Echo()
    for row in rows[:3]:
        assert loader.get(row["symbol"]) == ("got", row["symbol"])
    assert list(rows[3]) == []


@quietly
def test_a_list_with_methods_of_its_own_that_no_variable_holds() -> None:
    NoisyList.calls = 0
    loader = Echo()
    for row in list.__iter__(NoisyList({"symbol": f"S{number}"} for number in range(4))):
        assert loader.get(row["symbol"]) == ("got", row["symbol"])
    assert not NoisyList.calls


@quietly
def test_a_list_with_methods_of_its_own() -> None:
    NoisyList.calls = 0
    rows = NoisyList({"symbol": f"S{number}"} for number in range(4))
    loader = Echo()
    for row in rows:
        assert loader.get(row["symbol"]) == ("got", row["symbol"])
    assert not NoisyList.calls
    assert len(loader.batches) == 1


class UnhashableMeta(type):
    def __eq__(cls, other: object) -> bool:
        raise Touched

    __hash__ = None  # type: ignore[assignment]


@quietly
def test_a_class_that_is_not_hashable() -> None:
    odd = UnhashableMeta("Odd", (), {})()
    rows = [{"symbol": f"S{number}", "odd": odd} for number in range(3)]
    loader = Echo()
    for row in rows:
        assert loader.get(row["symbol"]) == ("got", row["symbol"])


class CuriousMeta(type):
    calls = 0

    def __getattribute__(cls, name: str) -> Any:
        CuriousMeta.calls += 1
        raise Touched


@quietly
def test_a_class_that_does_not_let_itself_be_looked_at() -> None:
    odd = CuriousMeta("Curious", (), {})()
    CuriousMeta.calls = 0
    rows = [{"symbol": f"S{number}", "odd": odd} for number in range(3)]
    loader = Echo()
    for row in rows:
        assert loader.get(row["symbol"]) == ("got", row["symbol"])
    assert not CuriousMeta.calls


class Loud(str):
    """Text that notes when it is compared or hashed."""

    __slots__ = ()
    calls = 0

    def __eq__(self, other: object) -> bool:
        Loud.calls += 1
        return str.__eq__(self, other)

    def __hash__(self) -> int:
        Loud.calls += 1
        return str.__hash__(self)


def test_texts_with_an_equality_of_their_own() -> None:
    rows: list[dict[str, str]] = [{"symbol": "S0"}, {"symbol": Loud("S1")}, {"symbol": Loud("S2")}]
    Loud.calls = 0
    loader = Echo()
    assert loader.get(rows[0]["symbol"]) == ("got", "S0")
    assert not Loud.calls


@broken("a mapping is asked for a name, which its own keys are compared with")
@quietly
def test_names_of_fields_with_an_equality_of_their_own() -> None:
    rows: list[dict[str, str]] = [{"symbol": "S0"}, {Loud("symbol"): "S1"}, {"symbol": "S2"}]
    Loud.calls = 0
    loader = Echo()
    for row in rows[:1]:
        assert loader.get(row["symbol"]) == ("got", "S0")
    assert not Loud.calls


class Picky(NamedTuple):
    symbol: str
    exchange: str


class PickyKey(Picky):
    __slots__ = ()

    def __new__(cls, symbol: str, exchange: str) -> Self:
        if exchange == "MOON":
            raise LookupError(exchange)
        return super().__new__(cls, symbol, exchange)


@quietly
def test_a_key_class_that_refuses_a_siblings_parts() -> None:
    rows = [{"s": "A", "e": "NSE"}, {"s": "B", "e": "MOON"}, {"s": "C", "e": "NSE"}]
    loader = Echo()
    for row in rows:
        if row["e"] != "MOON":
            key = PickyKey(row["s"], row["e"])
            assert loader.get(key) == ("got", key)


@quietly
def test_a_cache_key_function_that_refuses_a_sibling() -> None:
    numbers = {"A": 1, "C": 3}
    rows = [{"s": "A"}, {"s": "B"}, {"s": "C"}]
    loader = Echo(get_cache_key=numbers.__getitem__)
    for row in rows:
        if row["s"] in numbers:
            assert loader.get(row["s"]) == ("got", row["s"])


@quietly
def test_a_cache_key_function_that_refuses_a_sibling_on_an_event_loop() -> None:
    numbers = {"A": 1, "C": 3}
    rows = [{"s": "A"}, {"s": "B"}, {"s": "C"}]
    loader = Echo(get_cache_key=numbers.__getitem__)

    async def ask() -> None:
        for row in rows:
            if row["s"] in numbers:
                assert await loader.load(row["s"]) == ("got", row["s"])

    asyncio.run(ask())


@quietly
def test_over_leaves_out_what_the_cache_key_function_refuses() -> None:
    numbers = {"A": 1, "C": 3}
    loader = Announced(get_cache_key=numbers.__getitem__)
    for row in loader.over([{"s": "A"}, {"s": "B"}, {"s": "C"}], "s"):
        if row["s"] in numbers:
            assert loader.get(row["s"]) == ("got", row["s"])


class HostileDict(dict[str, Any]):
    def get(self, *_: object) -> Any:
        raise Touched

    items = keys = values = get


@quietly
def test_an_instance_dictionary_of_a_class_of_its_own() -> None:
    rows = [Table_() for _ in range(3)]
    for number, row in enumerate(rows):
        row.__dict__ = HostileDict(symbol=f"S{number}")
    loader = Echo()
    for number, row in enumerate(rows):
        assert loader.get(dict.__getitem__(vars(row), "symbol")) == ("got", f"S{number}")


# -- a database, and sqlite3 alone as the source of what is right


class Store:
    """A SQLite file, asked through SQLAlchemy and through sqlite3 alone."""

    def __init__(self, path: Path) -> None:
        self.engine: Engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
        self.plain = sqlite3.connect(path)
        self.sent: list[str] = []
        event.listen(self.engine, "before_cursor_execute", lambda *args: self.sent.append(args[2]))

    def run(self, script: str, rows: Sequence[Any] = ()) -> None:
        if rows:
            self.plain.executemany(script, rows)
        else:
            self.plain.executescript(script)
        self.plain.commit()

    def ids(self, table: str, names: Sequence[str], keys: Sequence[Any]) -> list[int | None]:
        """The lowest id of each key's rows, by one query each."""
        where = " AND ".join(f"{name} IS ?" for name in names)
        ids = []
        for key in keys:
            row = self.plain.execute(
                f"SELECT id FROM {table} WHERE {where} ORDER BY id LIMIT 1",  # noqa: S608 - of constants
                key,
            ).fetchone()
            ids.append(None if row is None else row[0])
        return ids

    def close(self) -> None:
        self.plain.close()
        self.engine.dispose()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "store.db")
    yield store
    store.close()


def contracts(*, index: bool = True, kind: Any = None) -> Table:
    return Table(
        "contracts",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("symbol", kind or String(30), index=index),
        Column("exchange", String(20)),
    )


def loader_for(table: Any, key: tuple[str, ...], **attributes: Any) -> type[TableLoader[Any]]:
    made = {"table": table, "key": key, "columns": ("id",), "record": _only, **attributes}
    return type("ContractLoader", (TableLoader,), made)


def _only(value: Any) -> Any:
    return value


SCHEMA = """
CREATE TABLE contracts (id INTEGER PRIMARY KEY, symbol TEXT, exchange TEXT);
CREATE INDEX by_symbol ON contracts (symbol);
"""


def looked_up(loader: TableLoader[Any], keys: Sequence[Any]) -> list[Any]:
    """What a plain loop over rows gets."""
    rows = [{"symbol": key[0], "exchange": key[1]} for key in keys]
    found = []
    for row in rows:
        found.append(loader.get((row["symbol"], row["exchange"])))  # noqa: PERF401 - the loop is what is tested
    return found


ODD_ROWS: list[tuple[Any, Any]] = [
    ("A", "NSE"),
    ("A", "nse"),
    ("A", "Nse "),
    ("A", "NSE "),
    ("A", None),
    ("A", ""),
    ("A", " "),
    ("a", "NSE"),
    ("B", "NSE"),
    ("B", "NSE"),
    ("B", "BSE"),
    ("B ", "NSE"),
    (None, "NSE"),
    (None, None),
    ("", "NSE"),
    ("", ""),
    ("\u00e9", "\u00c9"),
    ("\u00e9", "\u00e9"),
    ("e\u0301", "\u00e9"),
    ("\u0130", "\u0130"),
    ("5", "7"),
    ("05", "7"),
    ("null", "null"),
    ("C'", '"x"'),
    ("%", "_"),
    ("D", "N\tSE"),
    ("D", "NSE"),
]


def odd_keys() -> list[tuple[Any, Any]]:
    symbols = [*dict.fromkeys(symbol for symbol, _ in ODD_ROWS), "none", "NULL", "\ufb01"]
    exchanges = [*dict.fromkeys(exchange for _, exchange in ODD_ROWS), "Bse", "none"]
    return [(symbol, exchange) for symbol in symbols for exchange in exchanges]


@pytest.mark.parametrize(
    ("symbol", "exchange"),
    [
        ("TEXT", "TEXT"),
        ("TEXT", "TEXT COLLATE NOCASE"),
        ("TEXT COLLATE NOCASE", "TEXT"),
        ("TEXT COLLATE NOCASE", "TEXT COLLATE NOCASE"),
        ("TEXT", "TEXT COLLATE RTRIM"),
        ("TEXT COLLATE RTRIM", "TEXT COLLATE RTRIM"),
        ("NUMERIC", "NUMERIC"),
        ("INTEGER", "REAL"),
        ("BLOB", "BLOB"),
    ],
)
@pytest.mark.parametrize("one", [True, False])
@pytest.mark.parametrize("reverse", [True, False])
def test_a_loop_has_the_answers_of_one_query_for_each_key(
    store: Store, symbol: str, exchange: str, *, one: bool, reverse: bool
) -> None:
    store.run(
        f"CREATE TABLE contracts (id INTEGER PRIMARY KEY, symbol {symbol}, exchange {exchange});"
        "CREATE INDEX by_symbol ON contracts (symbol)"
    )
    store.run("INSERT INTO contracts (symbol, exchange) VALUES (?, ?)", ODD_ROWS)
    keys = odd_keys()
    if reverse:
        keys.reverse()
    loader_class = loader_for(contracts(), ("symbol", "exchange"))
    if one:
        found = looked_up(loader_class(store.engine), keys)
    else:
        exchanges = dict.fromkeys(key[1] for key in keys)
        answers: dict[Any, Any] = {}
        for each in exchanges:
            same = [key for key in keys if key[1] == each]
            answers.update(zip(same, looked_up(loader_class(store.engine), same), strict=True))
        found = [answers[key] for key in keys]
    expected = store.ids("contracts", ("symbol", "exchange"), keys)
    assert dict(zip(keys, found, strict=True)) == dict(zip(keys, expected, strict=True))
    if one:
        assert len(store.sent) < len(keys)


@quietly
def test_a_collation_of_the_applications_own(store: Store) -> None:
    def compare(one: str, other: str) -> int:
        one, other = one.replace("-", ""), other.replace("-", "")
        return (one > other) - (one < other)

    store.plain.create_collation("nohyphen", compare)
    event.listen(
        store.engine, "connect", lambda made, _: made.create_collation("nohyphen", compare)
    )
    store.run(
        "CREATE TABLE contracts (id INTEGER PRIMARY KEY, symbol TEXT,"
        " exchange TEXT COLLATE nohyphen); CREATE INDEX by_symbol ON contracts (symbol)"
    )
    rows = [(f"S{number}", "NSE-FO") for number in range(6)]
    store.run("INSERT INTO contracts (symbol, exchange) VALUES (?, ?)", rows)
    keys = [(symbol, "NSEFO") for symbol, _ in rows]
    expected = store.ids("contracts", ("symbol", "exchange"), keys)
    assert expected == [1, 2, 3, 4, 5, 6]
    loader = loader_for(contracts(), ("symbol", "exchange"))(store.engine)
    assert looked_up(loader, keys) == expected


def test_parts_that_are_integers(store: Store) -> None:
    store.run(
        "CREATE TABLE parts (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, c TEXT);"
        "CREATE INDEX by_a ON parts (a)"
    )
    rows: list[tuple[Any, ...]] = [(n % 7, n % 3, "x" if n % 2 else None) for n in range(60)]
    rows += [(2**62, -1, "x"), (-5, 0, ""), (None, None, None)]
    store.run("INSERT INTO parts (a, b, c) VALUES (?, ?, ?)", rows)
    table = Table(
        "parts",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("a", Integer, index=True),
        Column("b", Integer),
        Column("c", String),
    )
    keys = [
        (a, b, c)
        for a in [0, 1, 2, 3, 6, 7, 2**62, -5, None]
        for b in [0, 1, -1, None]
        for c in ["x", "", None]
    ]
    loader = loader_for(table, ("a", "b", "c"))(store.engine)
    held = [{"a": a, "b": b, "c": c} for a, b, c in keys]
    found = []
    for row in held:
        found.append(loader.get((row["a"], row["b"], row["c"])))  # noqa: PERF401 - the loop is what is tested
    assert found == store.ids("parts", ("a", "b", "c"), keys)
    assert len(store.sent) < len(keys) // 2


def test_integers_as_text_and_text_as_integers(store: Store) -> None:
    store.run(SCHEMA)
    rows = [(str(number), "7") for number in range(20)]
    store.run("INSERT INTO contracts (symbol, exchange) VALUES (?, ?)", rows)
    loader = loader_for(contracts(), ("symbol", "exchange"))(store.engine)
    keys = [(number, 7) for number in range(25)]
    expected = store.ids("contracts", ("symbol", "exchange"), [(str(a), str(b)) for a, b in keys])
    assert looked_up(loader, keys) == expected


def test_the_lowest_id_and_more_rows_than_are_worth_having(store: Store) -> None:
    store.run(SCHEMA)
    rows = [("many", f"E{number % 40}") for number in range(200)]
    rows += [(f"S{number}", "E1") for number in range(30)]
    rows += [(f"S{number}", "E1") for number in range(30)]
    numbered = [(1000 - index, *row) for index, row in enumerate(rows)]
    store.run("INSERT INTO contracts (id, symbol, exchange) VALUES (?, ?, ?)", numbered)
    keys = list(dict.fromkeys(rows))
    keys = keys[40:] + keys[:40] + [("many", "E1000")]
    loader = loader_for(contracts(), ("symbol", "exchange"))(store.engine)
    assert looked_up(loader, keys) == store.ids("contracts", ("symbol", "exchange"), keys)


@pytest.mark.parametrize("count", [63, 64, 65, 66])
def test_at_the_bound_of_rows(store: Store, count: int) -> None:
    store.run(SCHEMA)
    rows = [(500 - number, "many", f"E{number % 5}") for number in range(count)]
    rows += [(900, "other", "E1")]
    store.run("INSERT INTO contracts (id, symbol, exchange) VALUES (?, ?, ?)", rows)
    keys = [("other", "E1"), *[("many", f"E{number}") for number in range(6)], ("other", "E2")]
    loader = loader_for(contracts(), ("symbol", "exchange"))(store.engine)
    assert looked_up(loader, keys) == store.ids("contracts", ("symbol", "exchange"), keys)


def composite(store: Store) -> Table:
    store.run(
        "CREATE TABLE contracts (symbol TEXT, exchange TEXT, series TEXT, id INTEGER,"
        " PRIMARY KEY (symbol, series, id))"
    )
    return Table(
        "contracts",
        MetaData(),
        Column("symbol", String, primary_key=True),
        Column("exchange", String),
        Column("series", String, primary_key=True),
        Column("id", Integer, primary_key=True),
    )


def test_a_primary_key_of_several_columns(store: Store) -> None:
    table = composite(store)
    rows = [(f"S{n % 40}", f"E{n % 3}", "EQ", 1000 - n) for n in range(400)]
    store.run("INSERT INTO contracts (symbol, exchange, series, id) VALUES (?, ?, ?, ?)", rows)
    keys = [(f"S{n % 45}", f"E{n % 4}") for n in range(180)]
    loader = loader_for(table, ("symbol", "exchange"))(store.engine)
    assert looked_up(loader, keys) == store.ids("contracts", ("symbol", "exchange"), keys)
    assert len(store.sent) < len(keys) // 2


def test_without_an_index_nothing_is_asked_by_the_first_part(store: Store) -> None:
    store.run("CREATE TABLE contracts (id INTEGER PRIMARY KEY, symbol TEXT, exchange TEXT)")
    store.run(
        "INSERT INTO contracts (symbol, exchange) VALUES (?, ?)",
        [(f"S{number}", "NSE") for number in range(50)],
    )
    loader_class = loader_for(contracts(index=False), ("symbol", "exchange"))
    loader = loader_class(store.engine)
    keys = [(f"S{number}", "NSE") for number in range(60)]
    assert not loader.asks_by_prefix
    assert looked_up(loader, keys) == store.ids("contracts", ("symbol", "exchange"), keys)
    assert len(store.sent) == 1
    assert "LIMIT" not in store.sent[0]


@quietly
def test_an_index_on_an_expression_is_none_on_the_column(store: Store) -> None:
    table = contracts(index=False)
    Index("by_lower", func.lower(table.c.symbol))
    assert not loader_for(table, ("symbol", "exchange"))(store.engine).asks_by_prefix


@quietly
def test_primary_keys_that_are_null(store: Store) -> None:
    store.run(
        "CREATE TABLE contracts (id TEXT PRIMARY KEY, symbol TEXT, exchange TEXT);"
        "CREATE INDEX by_symbol ON contracts (symbol)"
    )
    rows = [(f"S{number}", "NSE") for number in range(6)]
    store.run("INSERT INTO contracts (symbol, exchange) VALUES (?, ?)", rows)
    table = Table(
        "contracts",
        MetaData(),
        Column("id", String, primary_key=True),
        Column("symbol", String, index=True),
        Column("exchange", String),
    )
    loader = loader_for(table, ("symbol", "exchange"), columns=("symbol",))(store.engine)
    assert looked_up(loader, rows) == [symbol for symbol, _ in rows]


@quietly
def test_a_primary_key_that_the_real_table_does_not_keep_unique(store: Store) -> None:
    store.run(
        "CREATE TABLE contracts (id INTEGER, symbol TEXT, exchange TEXT);"
        "CREATE INDEX by_symbol ON contracts (symbol)"
    )
    rows = [(1, "A", "NSE"), (1, "B", "BSE"), (2, "C", "NSE"), (2, "D", "MCX")]
    store.run("INSERT INTO contracts (id, symbol, exchange) VALUES (?, ?, ?)", rows)
    loader_class = loader_for(contracts(), ("symbol", "exchange"), columns=("symbol",))
    keys = [("A", "NSE"), ("A", "BSE"), ("B", "NSE"), ("B", "BSE"), ("C", "MCX"), ("D", "MCX")]
    one_by_one = [loader_class(store.engine).get_many([key])[0] for key in keys]
    assert one_by_one == ["A", None, None, "B", None, "D"]
    assert looked_up(loader_class(store.engine), keys) == one_by_one


@pytest.mark.parametrize("kind", [*KINDS, "set", "bytes"])
@quietly
def test_a_table_loader_and_rows_that_hold_anything(store: Store, kind: str) -> None:
    Hostile.calls.clear()
    store.run(SCHEMA)
    store.run("INSERT INTO contracts (symbol, exchange) VALUES ('A', 'NSE'), ('C', 'NSE')")
    odd: Any = {"set": {1}, "bytes": b"\xff"}.get(kind) or hostile_value(kind)
    rows = [
        {"symbol": "A", "exchange": "NSE"},
        {"symbol": odd, "exchange": "NSE"},
        {"symbol": "C", "exchange": odd},
    ]
    loader = loader_for(contracts(), ("symbol", "exchange"))(store.engine)
    found = []
    for number, row in enumerate(rows):
        if number != 1:
            found.append(loader.get((row["symbol"], "NSE")))
    assert found == [1, 2]
    assert not Hostile.calls


@quietly
def test_other_parts_as_they_were_read_are_not_compared(store: Store) -> None:
    Hostile.calls.clear()
    store.run(SCHEMA)
    store.run("INSERT INTO contracts (symbol, exchange) VALUES ('A', 'NSE'), ('B', 'NSE')")
    rows: list[dict[str, Any]] = [
        {"symbol": "A", "exchange": "NSE"},
        {"symbol": "B", "exchange": Hostile(code="NSE")},
    ]
    loader = loader_for(contracts(), ("symbol", "exchange"))(store.engine)
    row = rows[0]
    assert loader.get((row["symbol"], row["exchange"])) == 1
    assert loader.get((rows[1]["symbol"], read(rows[1]["exchange"], "code"))) == 2
    assert not Hostile.calls


@quietly
def test_a_first_part_that_is_not_cast_and_unhashable_siblings(store: Store) -> None:
    store.run(SCHEMA)
    store.run("INSERT INTO contracts (symbol, exchange) VALUES ('A', 'NSE'), ('C', 'NSE')")
    table = contracts(kind=Enum("A", "B", "C", native_enum=False))
    rows: list[dict[str, Any]] = [{"symbol": "A"}, {"symbol": ["B"]}, {"symbol": "nowhere"}]
    loader = loader_for(table, ("symbol", "exchange"))(store.engine)
    for row in rows[:1]:
        assert loader.get((row["symbol"], "NSE")) == 1


# -- rows of an ORM


class Base(DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "accounts"
    id = mapped_column(Integer, primary_key=True)
    name = mapped_column(String)
    orders = relationship("Order", back_populates="account", order_by="Order.id")


class Order(Base):
    __tablename__ = "orders"
    id = mapped_column(Integer, primary_key=True)
    symbol = mapped_column(String)
    account_id = mapped_column(ForeignKey("accounts.id"))
    account = relationship("Account", back_populates="orders")


@pytest.mark.parametrize("expired", [False, True])
def test_rows_of_an_orm_are_not_refreshed(store: Store, *, expired: bool) -> None:
    Base.metadata.create_all(store.engine)
    with Session(store.engine) as session:
        account = Account(id=1, name="a")
        session.add_all(Order(id=n, symbol=f"S{n}", account=account) for n in range(1, 6))
        session.commit()
        orders = list(session.query(Order).order_by(Order.id))
        if expired:
            session.expire_all()
            first = orders[0].symbol
        else:
            first = orders[0].symbol
        sent = len(store.sent)
        loader = Echo()
        for order in orders:
            assert loader.get(first) == ("got", first)
            assert len(store.sent) == sent
            assert "account" not in vars(order)
        assert ("symbol" in vars(orders[1])) is not expired


# -- references


class Row:
    def __init__(self, symbol: Any, exchange: Any = "NSE") -> None:
        self.symbol = symbol
        self.exchange = exchange


@pytest.fixture
def _no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_collector")
def test_rows_die_with_their_variables() -> None:
    loader = Echo()
    rows = [Row(f"S{number}") for number in range(5)]
    refs = [weakref.ref(row) for row in rows]
    for row in rows:
        assert loader.get(row.symbol) == ("got", row.symbol)
    del row, rows
    assert [ref() for ref in refs] == [None] * 5
    assert len(loader.batches) == 1


@pytest.mark.usefixtures("_no_collector")
def test_rows_of_a_caller_further_up_die_with_their_variables() -> None:
    loader = Echo()

    def place(row: Row) -> Any:
        def inner() -> Any:
            return loader.get(row.symbol)

        return inner()

    rows = [Row(f"S{number}") for number in range(5)]
    refs = [weakref.ref(row) for row in rows]
    answers = [place(row) for row in rows]
    del rows
    assert [ref() for ref in refs] == [None] * 5
    assert len(answers) == 5
    assert len(loader.batches) == 1


@pytest.mark.usefixtures("_no_collector")
def test_a_search_that_finds_nothing_keeps_nothing() -> None:
    loader = Echo()
    unrelated = Row("x")
    ref = weakref.ref(unrelated)
    for number in range(3):
        loader.get(("nothing", number))
    del unrelated
    assert ref() is None


@pytest.mark.usefixtures("_no_collector")
@quietly
def test_what_stands_where_a_key_was_expected_is_not_kept(store: Store) -> None:
    store.run(SCHEMA)
    loader = loader_for(contracts(), ("symbol", "exchange"))(store.engine)
    odd = Row("?")
    ref = weakref.ref(odd)
    rows: list[dict[str, Any]] = [
        {"symbol": "A", "exchange": "NSE"},
        {"symbol": "B", "exchange": odd},
    ]
    row = rows[0]
    assert loader.get((row["symbol"], row["exchange"])) is None
    del rows, row, odd
    assert ref() is None


@pytest.mark.usefixtures("_no_collector")
@quietly
def test_an_object_that_stands_among_plain_keys_is_not_kept() -> None:
    loader = Echo()
    odd = Row("?")
    ref = weakref.ref(odd)
    rows: list[dict[str, Any]] = [{"symbol": "A"}, {"symbol": odd}]
    row = rows[0]
    assert loader.get(row["symbol"]) == ("got", "A")
    assert not any(odd in batch for batch in loader.batches)
    loader.batches.clear()
    del rows, row, odd
    assert ref() is None


@pytest.mark.usefixtures("_no_collector")
def test_rows_of_coroutines_die_with_their_variables() -> None:
    loader = Echo()

    async def ask() -> None:
        rows = [Row(f"S{number}") for number in range(5)]
        refs = [weakref.ref(row) for row in rows]
        for row in rows:
            assert await loader.load(row.symbol) == ("got", row.symbol)
        del row, rows
        assert [ref() for ref in refs] == [None] * 5
        assert len(loader.batches) == 1

    asyncio.run(ask())


@pytest.mark.usefixtures("_no_collector")
@pytest.mark.xfail(
    sys.version_info < (3, 13),
    reason="other threads' snapshots of locals are not emptied",
    strict=True,
)
@quietly
def test_rows_that_were_handed_to_threads_die_with_their_variables() -> None:
    loader = SharedEcho()
    all_are_handed_over = threading.Event()

    def place(row: Row) -> Any:
        all_are_handed_over.wait()
        return loader.get(row.symbol)

    def place_all() -> list[Any]:
        rows = [Row(f"S{number}") for number in range(5)]
        refs = [weakref.ref(row) for row in rows]
        with ThreadPoolExecutor(1) as pool:
            futures = [pool.submit(place, row) for row in rows]
            all_are_handed_over.set()
            answers = [future.result() for future in futures]
        del rows, futures
        assert [ref() for ref in refs] == [None] * 5
        return answers

    assert len(place_all()) == 5


@quietly
def test_locals_that_the_caller_holds_are_left_alone() -> None:
    loader = Echo()

    def place(rows: list[Row], price: int) -> dict[str, Any]:
        arguments = locals()
        price = 7
        for row in rows:
            loader.get(row.symbol)
            price += 1
        return arguments

    rows = [Row("A"), Row("B")]
    assert place(rows, 1) == {"rows": rows, "price": 1, "loader": loader}


@quietly
def test_locals_that_the_caller_has_changed_are_left_alone() -> None:
    loader = Echo()

    def place(rows: list[Row], price: int, secret: str) -> dict[str, Any]:
        arguments = locals()
        del arguments["secret"]
        arguments["price"] = price + 1
        for row in rows:
            loader.get(row.symbol)
        return {name: arguments.get(name) for name in ("price", "secret")}

    assert place([Row("A"), Row("B")], 1, "x") == {"price": 2, "secret": None}


# -- keys that go along


class Strict(Announced):
    """Raises for keys that are not numbers."""

    def batch_load(self, keys: list[Any]) -> Any:
        self.batches.append(list(keys))
        return {key: {1: "one", 2: "two"}[key] for key in keys}


class Each(Announced):
    """Has an error for each key that is none."""

    def batch_load(self, keys: list[Any]) -> Any:
        self.batches.append(list(keys))
        return [key if key < 10 else KeyError(key) for key in keys]


def ask(loader: DataLoader[Any, Any], key: Any, way: str) -> Any:
    if way == "get":
        return loader.get(key)

    async def load() -> Any:
        return await loader.load(key)

    return asyncio.run(load())


WAYS = ["get", "load"]


@pytest.mark.parametrize("way", WAYS)
def test_a_batch_that_fails_for_an_added_key_is_asked_again_without(way: str) -> None:
    loader = Strict().expect([1, 2, 3])
    assert ask(loader, 1, way) == "one"
    assert loader.batches == [[1, 2, 3], [1]]
    assert ask(loader, 2, way) == "two"
    with pytest.raises(KeyError):
        ask(loader, 3, way)


@pytest.mark.parametrize("way", WAYS)
def test_an_added_keys_error_is_not_remembered(way: str) -> None:
    loader = Each().expect([1, 11])
    assert ask(loader, 1, way) == 1
    assert loader.batches == [[1, 11]]
    with pytest.raises(KeyError):
        ask(loader, 11, way)
    assert loader.batches == [[1, 11], [11]]


@pytest.mark.parametrize("way", WAYS)
@quietly
def test_an_error_that_is_given_to_all_keys_of_a_batch(way: str) -> None:
    def fetch(keys: list[int]) -> list[Any]:
        try:
            return [{1: "one", 2: "two"}[key] for key in keys]
        except KeyError as error:
            return [error for _ in keys]

    loader: DataLoader[Any, Any] = DataLoader(fetch)
    loader.expect([1, 2, 3])
    assert ask(loader, 1, way) == "one"


@pytest.mark.parametrize("way", WAYS)
def test_batches_stay_within_their_size(way: str) -> None:
    loader = Announced(max_batch_size=3).expect(range(10))
    assert [ask(loader, key, way) for key in range(10)] == [("got", key) for key in range(10)]
    assert all(len(batch) <= 3 for batch in loader.batches)


@quietly
def test_what_found_no_place_is_not_counted_as_gone_along() -> None:
    loader = Announced(max_batch_size=3).expect(range(10))
    loader.get(0)
    assert loader.batches == [[0, 1, 2]]
    assert loader.stats.expected == 2


@quietly
def test_what_found_no_place_goes_along_with_the_next() -> None:
    loader = Announced(max_batch_size=3).expect(range(9))
    for key in range(9):
        loader.get(key)
    assert loader.batches == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("options", [{"cache": False}, {"batch": False}])
def test_without_cache_or_batches_nothing_is_added(way: str, options: dict[str, bool]) -> None:
    loader = Echo(**options).expect([1, 2, 3])
    rows = [{"key": number} for number in (1, 2, 3)]
    for row in rows:
        assert ask(loader, row["key"], way) == ("got", row["key"])
    assert loader.batches == [[1], [2], [3]]


class Ancestors(Announced):
    """A key's depth: one more than its parent's, which it asks itself for."""

    def batch_load(self, keys: list[Any]) -> Any:
        self.batches.append(list(keys))
        return {key: 0 if key == 0 else self.get(key - 1) + 1 for key in keys}


class AsyncAncestors(Announced):
    async def batch_load(self, keys: list[Any]) -> Any:
        self.batches.append(list(keys))
        return {key: 0 if key == 0 else await self.load(key - 1) + 1 for key in keys}


@pytest.mark.parametrize("announced", [[2], [3, 2], [2, 1, 0], [4, 3, 2, 1, 0], [3, 4, 5], [5]])
@quietly
def test_a_batch_function_that_asks_for_added_keys_itself(announced: list[int]) -> None:
    loader = Ancestors().expect(announced)
    assert loader.get(3) == 3
    assert [loader.get(key) for key in range(6)] == list(range(6))


@pytest.mark.parametrize("announced", [[2], [3, 2], [2, 1, 0], [4, 3, 2, 1, 0], [3, 4, 5], [5]])
@pytest.mark.parametrize("places", [1, 8])
@quietly
def test_an_async_batch_function_that_asks_for_added_keys_itself(
    announced: list[int], places: int
) -> None:
    loader = AsyncAncestors(max_concurrency=places).expect(announced)

    async def load() -> list[int]:
        first = await loader.load(3)
        return [first, *[await loader.load(key) for key in range(6)]]

    assert asyncio.run(asyncio.wait_for(load(), 5)) == [3, 0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("way", WAYS)
def test_what_is_primed_wins(way: str) -> None:
    loader = Announced().expect([1, 2])
    ask(loader, 1, way)
    loader.prime(2, "primed")
    assert ask(loader, 2, way) == "primed"
    loader.clear(2)
    assert ask(loader, 2, way) == ("got", 2)
    assert loader.batches == [[1, 2], [2]]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("everything", [True, False])
def test_what_went_along_is_cleared(way: str, *, everything: bool) -> None:
    loader = Announced().expect([1, 2])
    ask(loader, 1, way)
    if everything:
        loader.clear_all()
    else:
        loader.clear(2)
    assert loader.size() == (0 if everything else 1)
    assert ask(loader, 2, way) == ("got", 2)
    assert loader.batches == [[1, 2], [2]]


@pytest.mark.parametrize("everything", [True, False])
@pytest.mark.parametrize("asked_before", [True, False])
def test_answers_by_the_first_part_are_cleared(
    store: Store, *, everything: bool, asked_before: bool
) -> None:
    store.run(SCHEMA)
    rows = [(f"S{number}", "NSE") for number in range(5)]
    store.run("INSERT INTO contracts (symbol, exchange) VALUES (?, ?)", rows)
    loader = loader_for(contracts(), ("symbol", "exchange"))(store.engine)
    assert (
        looked_up(loader, rows[: 5 if asked_before else 4])
        == [1, 2, 3, 4, 5][: 5 if asked_before else 4]
    )
    held = [{"s": symbol} for symbol, _ in rows]
    for row in held:
        loader.get((row["s"], "BSE"))
    store.run("UPDATE contracts SET id = id + 100")
    if everything:
        loader.clear_all()
    else:
        for key in rows:
            loader.clear(key)
    assert looked_up(loader, rows) == [101, 102, 103, 104, 105]


def test_both_ways_of_asking_share_what_went_along() -> None:
    loader = Announced().expect([1, 2, 3, 4, 5])
    assert loader.get(1) == ("got", 1)

    async def load() -> Any:
        return await loader.load(2), await loader.load_many([3])

    assert asyncio.run(load()) == (("got", 2), [("got", 3)])
    assert loader.get_many([4, 5]) == [("got", 4), ("got", 5)]
    assert loader.batches == [[1, 2, 3, 4, 5]]
    assert (loader.stats.expected, loader.stats.used, loader.stats.wasted) == (4, 4, 0)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_many_at_once_take_announced_keys_along(asynchronous: bool) -> None:  # noqa: FBT001 - a parameter
    loader = Announced().expect([1, 2, 3, 4])

    async def load() -> Any:
        return await loader.load_many([2, 1])

    found = asyncio.run(load()) if asynchronous else loader.get_many([2, 1])
    assert found == [("got", 2), ("got", 1)]
    assert [sorted(batch) for batch in loader.batches] == [[1, 2, 3, 4]]
    # Who asked for the first two was not helped by their having been announced.
    assert (loader.stats.expected, loader.stats.used) == (2, 0)
    assert loader.get(4) == ("got", 4)
    assert (loader.stats.expected, loader.stats.used) == (2, 1)
    assert len(loader.batches) == 1


def test_a_cancelled_load_harms_nobody() -> None:
    loader = Announced().expect([1, 2, 3])

    async def load() -> Any:
        first = loader.load(1)
        second = loader.load(2)
        first.cancel()
        return await second

    assert asyncio.run(load()) == ("got", 2)
    assert loader.get(3) == ("got", 3)
    assert loader.get(1) == ("got", 1)
    assert loader.batches == [[1, 2, 3]]


@quietly
def test_loads_that_join_what_went_along_have_used_it() -> None:
    loader = Announced().expect([1, 2, 3])

    async def load() -> Any:
        return await asyncio.gather(*[loader.load(key) for key in (1, 2, 3)])

    asyncio.run(load())
    assert loader.batches == [[1, 2, 3]]
    assert (loader.stats.expected, loader.stats.used) == (2, 2)


@quietly
def test_a_loop_that_was_seen_through_has_wasted_nothing(store: Store) -> None:
    store.run(SCHEMA)
    loader = loader_for(contracts(), ("symbol", "exchange"))(store.engine)
    looked_up(loader, [(f"S{number}", "NSE") for number in range(10)])
    assert len(store.sent) == 1
    assert (loader.stats.expected, loader.stats.used, loader.stats.wasted) == (9, 9, 0)


class Expiring(dict[Any, Any]):
    """A cache_map that forgets when it is told that time has passed."""

    def pass_time(self) -> None:
        self.clear()


@quietly
def test_a_cache_map_that_forgets_is_not_answered_for() -> None:
    values = Expiring()
    state = {1: "old", 2: "old"}
    loader: DataLoader[Any, Any] = DataLoader(
        lambda keys: [state[key] for key in keys], cache_map=values
    )
    loader.expect([1, 2])
    assert loader.get(1) == "old"
    state.update({1: "new", 2: "new"})
    values.pass_time()
    assert loader.get(1) == "new"
    assert loader.get(2) == "new"


# -- announced


def test_expect_is_lazy_and_counts() -> None:
    loader = Announced().expect(iter([1, 2, 3]))
    assert loader.batches == []
    assert loader.stats.expected == 0
    assert loader.get(9) == ("got", 9)
    assert loader.batches == [[9, 1, 2, 3]]
    assert (loader.stats.expected, loader.stats.used, loader.stats.wasted) == (3, 0, 3)
    loader.get(2)
    loader.get(2)
    assert (loader.stats.expected, loader.stats.used, loader.stats.wasted) == (3, 1, 2)


@quietly
def test_expect_goes_along_with_a_lookup_of_several() -> None:
    loader = Announced().expect([1, 2, 3])
    loader.get_many([1])
    assert loader.batches == [[1, 2, 3]]


@pytest.mark.parametrize("keys", [[1, None], [1, []], 7])
def test_expect_checks_its_keys(keys: Any) -> None:
    loader = Announced()
    with pytest.raises(InvalidKeyError):
        loader.expect(keys)
    loader.get(5)
    assert loader.batches == [[5]]


@pytest.mark.parametrize(
    ("fields", "row"),
    [
        (("a",), lambda n: {"a": n}),
        (("a",), Row),
        (("a.b",), lambda n: {"a": {"b": n}}),
        (("a.b",), lambda n: {"a.b": n}),
        (("a.symbol",), lambda n: {"a": Row(n)}),
        (("symbol.a",), lambda n: Row({"a": n})),
        ((lambda row: row[0],), lambda n: (n,)),
    ],
)
@pytest.mark.parametrize("kind", [list, tuple, iter, deque])
def test_over(fields: tuple[Any, ...], row: Callable[[Any], Any], kind: Any) -> None:
    if row is Row:
        fields = ("symbol",)
    loader = Announced()
    rows = loader.over(kind([row(number) for number in range(3)]), *fields)
    assert isinstance(rows, list | tuple | deque)
    assert len(rows) == 3
    loader.get(2)
    assert sorted(loader.batches[0]) == [0, 1, 2]


def test_over_rows_that_lack_a_field() -> None:
    loader = Announced()
    rows: list[dict[str, Any]] = [{"a": 1}, {}, {"a": None}, {"a": []}, {"a": 2}]
    assert loader.over(rows, "a") is rows
    loader.get(1)
    assert loader.batches == [[1, 2]]


def test_over_nothing() -> None:
    loader = Announced()
    assert loader.over([], "a") == []
    loader.get(1)
    assert loader.batches == [[1]]


@pytest.mark.parametrize("fields", [(), ("b",), ("a.b",), (7,)])
def test_over_fields_that_no_row_has(fields: tuple[Any, ...]) -> None:
    with pytest.raises(ConfigurationError):
        Announced().over([{"a": 1}, {"a": 2}], *fields)


def test_over_rows_that_a_function_finds_no_key_in() -> None:
    loader = Announced()
    rows = [{"a": 1}, {"a": 2}]
    assert loader.over(rows, lambda row: row["c"]) is rows
    loader.get(1)
    assert loader.batches == [[1]]


def test_over_rows_with_items_that_are_no_mappings() -> None:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.row_factory = sqlite3.Row
        rows = connection.execute("SELECT 1 AS a UNION SELECT 2").fetchall()
    loader = Announced()
    for row in loader.over(rows, "a"):
        loader.get(row["a"])
    assert loader.batches == [[1, 2]]


def test_expects_on_functions() -> None:
    @Announced.expects("a")
    def ask_all(rows: Sequence[dict[str, int]], unit: int = 0) -> list[Any]:
        return [Announced.current().get(row["a"]) for row in rows] + [unit]

    with LoaderScope():
        assert ask_all([{"a": 1}, {"a": 2}], unit=5) == [("got", 1), ("got", 2), 5]
        assert Announced.current().batches == [[1, 2]]
    with LoaderScope():
        ask_all(rows=({"a": n} for n in (3, 4)))  # type: ignore[arg-type]
        assert Announced.current().batches == [[3, 4]]


class Desk:
    @Announced.expects("a", rows="rows")
    def ask_all(self, rows: Sequence[dict[str, int]]) -> list[Any]:
        return [Announced.current().get(row["a"]) for row in rows]

    @Announced.expects("a")
    def ask_by_default(self, rows: Sequence[dict[str, int]]) -> list[Any]:
        return [Announced.current().get(row["a"]) for row in rows]

    @staticmethod
    @Announced.expects("a")
    async def ask_later(rows: Sequence[dict[str, int]]) -> list[Any]:
        return [await Announced.current().load(row["a"]) for row in rows]


def test_expects_on_methods() -> None:
    with LoaderScope():
        assert Desk().ask_all([{"a": 1}, {"a": 2}]) == [("got", 1), ("got", 2)]
        assert Announced.current().batches == [[1, 2]]


@quietly
def test_expects_on_methods_by_default() -> None:
    with LoaderScope():
        assert Desk().ask_by_default([{"a": 1}, {"a": 2}]) == [("got", 1), ("got", 2)]


def test_expects_on_async_functions() -> None:
    async def run() -> None:
        with LoaderScope():
            assert await Desk.ask_later([{"a": 1}, {"a": 2}]) == [("got", 1), ("got", 2)]
            assert Announced.current().batches == [[1, 2]]

    asyncio.run(run())


@quietly
def test_expects_passes_on_what_is_given_in_place_of_rows() -> None:
    @Announced.expects("a", rows="rows")
    def count(rows: Sequence[dict[str, int]] | None = None) -> int:
        return 0 if rows is None else len(rows)

    with LoaderScope():
        assert count() == 0
        assert count([]) == 0
        assert count(None) == 0


@quietly
def test_expects_leaves_a_collection_what_it_is() -> None:
    @Announced.expects("a")
    def last(rows: deque[dict[str, int]]) -> dict[str, int]:
        return rows.popleft()

    with LoaderScope():
        assert last(deque([{"a": 1}])) == {"a": 1}


def test_expects_an_argument_that_there_is_not() -> None:
    with pytest.raises(ConfigurationError):
        Announced.expects("a", rows="nothing")(lambda rows: rows)


def test_expects_outside_of_any_scope() -> None:
    @Announced.expects("a")
    def count(rows: Sequence[Any]) -> int:
        return len(rows)

    with pytest.raises(NoScopeError):
        count([{"a": 1}])


MODES = """
from typing import Any
from dataloaders import DataLoader
class Seen(DataLoader[Any, Any]):
    lookahead = {own!r}
    def batch_load(self, keys):
        batches.append(keys)
        return keys
batches: list[Any] = []
def announced():
    loader = Seen().expect(["a", "b"])
    return [loader.get(key[:1]) for key in ("a1", "b1")]
def seen():
    loader = Seen()
    rows = [{{"key": "a"}}, {{"key": "b"}}]
    return [loader.get(row["key"]) for row in rows]
assert announced() == seen() == ["a", "b"]
print(batches)
"""


@pytest.mark.parametrize("own", ["off", "explicit", "on"])
@pytest.mark.parametrize("setting", ["", "off", "explicit", "on"])
def test_modes(own: str, setting: str) -> None:
    run = subprocess.run(  # noqa: S603 - of constants
        [sys.executable, "-W", "error", "-c", MODES.format(own=own)],
        env=os.environ | {"DATALOADERS_LOOKAHEAD": setting},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    modes = {own, setting or "on"}
    together = [["a", "b"]]
    apart = [["a"], ["b"]]
    announced = apart if "off" in modes else together
    seen = together if modes == {"on"} else apart
    assert run.stdout.strip() == str(announced + seen)


def test_a_mode_that_there_is_not() -> None:
    run = subprocess.run(  # noqa: S603 - of constants
        [sys.executable, "-c", MODES.format(own="on")],
        env=os.environ | {"DATALOADERS_LOOKAHEAD": "maybe"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode
    assert "ConfigurationError" in run.stderr


# -- tracers


def busy(rows: list[Row]) -> list[Any]:
    total = 0
    seen = []
    for row in rows:
        total += 1  # noqa: SIM113 - a variable that a tracer may harm
        seen.append((row.symbol, total))
    return seen


def watch(watcher: Callable[..., Any], *, by: Callable[[Any], None]) -> list[Any]:
    before = sys.gettrace(), sys.getprofile()
    by(watcher)
    try:
        return busy([Row("A"), Row("B")])
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])


EXPECTED = [("A", 1), ("B", 2)]


def test_a_trace_function_that_looks_up() -> None:
    loader = Echo()

    def trace(frame: Any, _event: str, _argument: Any) -> Any:
        if frame.f_code is busy.__code__:
            loader.get(f"line {frame.f_lineno}")
        return trace

    assert watch(trace, by=sys.settrace) == EXPECTED


@quietly
def test_a_trace_function_of_a_frame_that_looks_up() -> None:
    loader = Echo()

    def trace_lines(frame: Any, _event: str, _argument: Any) -> Any:
        loader.get(f"line {frame.f_lineno}")
        return trace_lines

    def trace(frame: Any, _event: str, _argument: Any) -> Any:
        return trace_lines if frame.f_code is busy.__code__ else None

    assert watch(trace, by=sys.settrace) == EXPECTED


class Tracer:
    def __init__(self, loader: Echo) -> None:
        self.loader = loader

    def __call__(self, frame: Any, _event: str, _argument: Any) -> Any:
        if frame.f_code is busy.__code__:
            self.loader.get(f"line {frame.f_lineno}")
        return self


@quietly
def test_an_object_that_traces_and_looks_up() -> None:
    assert watch(Tracer(Echo()), by=sys.settrace) == EXPECTED


@quietly
def test_a_profile_function_that_looks_up() -> None:
    assert watch(Tracer(Echo()), by=sys.setprofile) == EXPECTED


# -- threads


@pytest.mark.parametrize("shape", ["list", "rows", "dict"])
@quietly
def test_another_requests_keys_are_not_asked_for(shape: str) -> None:
    ready, over = threading.Event(), threading.Event()
    private: dict[str, Any] = {
        "list": ["INFY-1", "private-1", "private-2"],
        "rows": [{"s": "INFY-1"}, {"s": "private-1"}, {"s": "private-2"}],
        "dict": {"INFY-1": 1, "private-1": 2, "private-2": 3},
    }
    asked: list[list[Any]] = []

    def one_request(wanted: Any) -> None:
        mine = wanted
        ready.set()
        over.wait(10)
        assert mine is not None

    def other_request() -> None:
        loader = Echo()
        for number in (3, 2, 1):
            loader.get(f"INFY-{number}")
        asked.extend(loader.batches)

    first = threading.Thread(target=one_request, args=(private[shape],))
    del private
    first.start()
    ready.wait(10)
    second = threading.Thread(target=other_request)
    second.start()
    second.join()
    over.set()
    first.join()
    assert asked == [["INFY-3"], ["INFY-2"], ["INFY-1"]]


def test_threads_have_their_own_answers(store: Store) -> None:
    store.run(SCHEMA)
    rows = [(f"S{number}", "NSE") for number in range(200)]
    store.run("INSERT INTO contracts (symbol, exchange) VALUES (?, ?)", rows)
    loader = loader_for(contracts(), ("symbol", "exchange"))(store.engine)
    keys = [(f"S{number}", "NSE") for number in range(0, 250, 5)]
    expected = store.ids("contracts", ("symbol", "exchange"), keys)
    failures: list[object] = []

    def run() -> None:
        try:
            assert looked_up(loader, keys) == expected
        except BaseException as error:  # noqa: BLE001 - for the test to see
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


# -- frames of all kinds


def run_code(code: str, **names: Any) -> dict[str, Any]:
    space: dict[str, Any] = {"__name__": "application", **names}
    exec(compile(code, "application.py", "exec"), space)  # noqa: S102 - of constants
    return space


def test_the_code_of_a_module() -> None:
    loader = Echo()
    code = (
        "rows = [{'s': 'A'}, {'s': 'B'}]\nfound = []\nfor row in rows: found.append(get(row['s']))"
    )
    space = run_code(code, get=loader.get)
    assert space["found"] == [("got", "A"), ("got", "B")]
    assert loader.batches == [["A", "B"]]
    assert set(space) == {"__name__", "__builtins__", "get", "rows", "row", "found"}


def test_the_body_of_a_class() -> None:
    loader = Echo()

    class Body:
        rows = ({"s": "A"}, {"s": "B"})
        found: list[Any] = []  # noqa: RUF012 - the body is what is tested
        for row in rows:
            found.append(loader.get(row["s"]))  # noqa: PERF401 - the loop is what is tested

    assert Body.found == [("got", "A"), ("got", "B")]
    assert Body.rows[1] == {"s": "B"}
    assert loader.batches == [["A", "B"]]


class Space:
    """A namespace that is no dict."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names
        self.lists = 0

    def __getitem__(self, name: str) -> Any:
        return self.names[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.names[name] = value

    def keys(self) -> Any:
        self.lists += 1
        raise Touched


@quietly
def test_a_namespace_that_is_no_dict() -> None:
    loader = Echo()
    space = Space({"get": loader.get})
    code = (
        "rows = [{'s': 'A'}, {'s': 'B'}]\nfound = []\nfor row in rows: found.append(get(row['s']))"
    )
    exec(code, {"__name__": "application"}, space)  # type: ignore[arg-type]  # noqa: S102 - of constants
    assert space.names["found"] == [("got", "A"), ("got", "B")]
    assert not space.lists


@quietly
def test_code_that_is_run_within_a_function() -> None:
    loader = Echo()
    get = loader.get

    def run(rows: list[Any]) -> list[Any]:  # noqa: ARG001 - the code names it
        found: list[Any] = []
        price = 1
        code = "price = 2\nfor row in rows:\n  get(row['s'])\n  found.append((row['s'], price))"
        exec(code)  # noqa: S102 - of constants
        assert price == 1
        assert get is not None
        row: Any = None
        assert row is None
        return found

    assert run([{"s": "A"}, {"s": "B"}]) == [("A", 2), ("B", 2)]


def test_generators() -> None:
    loader = Echo()

    def answers(rows: list[Row]) -> Iterator[Any]:
        for row in rows:
            yield loader.get(row.symbol)

    assert list(answers([Row("A"), Row("B")])) == [("got", "A"), ("got", "B")]
    assert loader.batches == [["A", "B"]]


def test_rows_of_a_generator_are_not_taken() -> None:
    loader = Echo()
    taken = []

    def rows() -> Iterator[Row]:
        for name in "ABC":
            taken.append(name)
            yield Row(name)

    for row in rows():
        before = len(taken)
        assert loader.get(row.symbol) == ("got", row.symbol)
        assert len(taken) == before


def test_recursion() -> None:
    loader = Echo()
    tree: dict[str, Any] = {"s": "A", "in": [{"s": "B", "in": []}, {"s": "C", "in": []}]}
    tree["in"][1]["in"].append({"s": "D", "in": [tree]})

    def walk(node: dict[str, Any], depth: int = 0) -> list[Any]:
        found = [loader.get(node["s"])]
        if depth < 6:
            for inner in node["in"]:
                found += walk(inner, depth + 1)
        return found

    found = walk(tree)
    assert found[:5] == [("got", name) for name in "ABCDA"]
    assert sorted(key for batch in loader.batches for key in batch) == ["A", "B", "C", "D"]


def test_async_generators() -> None:
    loader = Echo()

    async def answers(rows: list[Row]) -> AsyncIterator[Any]:
        for row in rows:
            yield await loader.load(row.symbol)

    async def run() -> list[Any]:
        return [answer async for answer in answers([Row("A"), Row("B"), Row("C")])]

    assert asyncio.run(run()) == [("got", "A"), ("got", "B"), ("got", "C")]
    assert loader.batches == [["A", "B", "C"]]


# -- PostgreSQL


@pytest.fixture
def pg_engine(postgresql_url: str) -> Iterator[Engine]:
    engine = create_engine(postgresql_url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    yield engine
    engine.dispose()


def pg_ids(engine: Engine, keys: Sequence[Any]) -> list[int | None]:
    import psycopg

    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    found = []
    with psycopg.connect(url, autocommit=True) as plain:
        for symbol, exchange in keys:
            row = plain.execute(
                "SELECT id FROM contracts WHERE symbol IS NOT DISTINCT FROM %s"
                " AND exchange IS NOT DISTINCT FROM %s ORDER BY id LIMIT 1",
                (symbol, exchange),
            ).fetchone()
            found.append(None if row is None else row[0])
    return found


@pytest.mark.timeout(120)
@pytest.mark.parametrize("exchange", ["TEXT", "CHAR(8)", "TEXT COLLATE loose"])
def test_postgresql(pg_engine: Engine, exchange: str) -> None:
    with pg_engine.begin() as connection:
        with contextlib.suppress(Exception), connection.begin_nested():
            connection.exec_driver_sql(
                "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2',"
                " deterministic = false)"
            )
        try:
            with connection.begin_nested():
                connection.exec_driver_sql(
                    f"CREATE TABLE contracts (id INT PRIMARY KEY, symbol TEXT, exchange {exchange})"
                )
        except Exception as error:  # noqa: BLE001 - a server without ICU
            pytest.skip(str(error))
        rows = [{"id": 100 - n, "symbol": s, "exchange": e} for n, (s, e) in enumerate(ODD_ROWS)]
        rows += [{"id": 200 + n, "symbol": "many", "exchange": f"E{n % 9}"} for n in range(80)]
        connection.execute(insert(contracts()), rows)
    keys = odd_keys() + [("many", f"E{n}") for n in range(10)]
    loader = loader_for(contracts(), ("symbol", "exchange"))(pg_engine)
    found = dict(zip(keys, looked_up(loader, keys), strict=True))
    # The key of a batch is text; a CHAR column compares it as one query with text does.
    expected = {}
    for key in keys:
        expected[key] = loader_for(contracts(), ("symbol", "exchange"))(pg_engine).get_many([key])[
            0
        ]
    assert found == expected
    if exchange == "TEXT":
        assert list(expected.values()) == pg_ids(pg_engine, keys)


@pytest.mark.timeout(120)
@quietly
def test_a_session_of_postgresql_survives_an_added_key(pg_engine: Engine) -> None:
    kind = Enum("A", "B", name="kind")
    table = contracts(kind=kind)
    table.create(pg_engine)
    with pg_engine.begin() as connection:
        connection.execute(insert(table), [{"id": 1, "symbol": "A", "exchange": "NSE"}])
    with Session(pg_engine) as session:
        session.execute(insert(table), [{"id": 2, "symbol": "B", "exchange": "NSE"}])
        loader = loader_for(table, ("symbol", "exchange"))(session)
        rows = [("A", "NSE"), ("moon", "NSE"), ("B", "NSE")]
        assert looked_up(loader, [rows[0]]) == [1]
        held = [{"symbol": symbol} for symbol, _ in rows]
        row = held[2]
        assert loader.get((row["symbol"], "NSE")) == 2
        session.commit()


def test_another_thread_takes_what_was_announced_meanwhile() -> None:
    class Key:
        def __hash__(self) -> int:
            if meanwhile:
                assert meanwhile.pop()() == "one"
            return 0

    class Names(DataLoader[Any, str]):
        def batch_load(self, keys: list[Any]) -> list[str]:
            calls.append(keys)
            return [str(key) for key in keys]

    calls: list[list[Any]] = []
    meanwhile: list[Callable[[], str]] = []
    loader, key = Names(), Key()
    loader.expect([key, "two"])
    meanwhile.append(lambda: spawn(loader.get, "one").result(SECONDS))
    assert loader.get("three") == "three"
    assert not meanwhile
    assert [set(each) for each in calls] == [{"one", key, "two"}, {"three"}]
