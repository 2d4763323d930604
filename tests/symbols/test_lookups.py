"""The lookup functions: their answers, how many statements they cost, and where they ask."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import os
import sqlite3
import subprocess
import sys
import weakref
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, event, insert
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import dataloaders.scope
from dataloaders import LoaderScope, modes, symbols
from dataloaders.errors import (
    ConfigurationError,
    InvalidKeyError,
    NoRegistryError,
    SymbolNotFoundError,
)
from dataloaders.shadow import Differences
from dataloaders.sql.triggers import watch_table
from dataloaders.symbols import (
    BrokerSymbolLoader,
    Symbol,
    SymbolLoader,
    SymbolMaster,
    TokenLoader,
    generate_contract,
    replace_contract,
    symtoken,
)
from dataloaders.tiers.redis import RedisTier
from dataloaders.tiers.tiers import Tiers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine

pytestmark = pytest.mark.timeout(120)

ROOT = Path(__file__).parents[2]
ROWS = 3_000

BY_SYMBOL = ("get_token", "get_br_symbol", "get_brexchange", "get_symbol_info")

# Function, key column, answer column.
LOOKUPS = {
    "get_token": ("symbol", "token"),
    "get_symbol": ("token", "symbol"),
    "get_br_symbol": ("symbol", "brsymbol"),
    "get_oa_symbol": ("brsymbol", "symbol"),
    "get_brexchange": ("symbol", "brexchange"),
}

BATCHES = {
    "get_symbols_batch": ("token", "symbol"),
    "get_tokens_batch": ("symbol", "token"),
    "get_br_symbols_batch": ("symbol", "brsymbol"),
}

EXTRA: list[dict[str, object]] = [
    # Without an exchange, or without a token.
    {
        "symbol": "NOWHERE",
        "brsymbol": "NO-WHERE",
        "exchange": None,
        "token": "11",
        "brexchange": "X",
    },
    {"symbol": "TOKENLESS", "brsymbol": "T-LESS", "exchange": "NSE", "token": None},
    {"symbol": "NULL", "brsymbol": "null", "exchange": "null", "token": "null"},
    # A token and a broker's symbol that two rows of one exchange have.
    {"symbol": "LATER", "brsymbol": "TWIN", "exchange": "NSE", "token": "12", "id": 90_002},
    {"symbol": "EARLIER", "brsymbol": "TWIN", "exchange": "NSE", "token": "12", "id": 90_001},
]


class Contract:
    """A contract in a file, asked through the library's engine and through plain sqlite3."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.engine = create_engine(f"sqlite:///{path}")
        replace_contract(self.engine, generate_contract(ROWS))
        with self.engine.begin() as connection:
            for row in EXTRA:
                connection.execute(insert(symtoken), row)
        self.statements: list[str] = []
        event.listen(
            self.engine, "before_cursor_execute", lambda *args: self.statements.append(args[2])
        )
        self._plain = sqlite3.connect(path)

    def close(self) -> None:
        self._plain.close()
        self.engine.dispose()

    def pairs(self, column: str, number: int = 400) -> list[tuple[Any, Any]]:
        """Keys of rows from all over the table, of all that are special, and of none."""
        step = ROWS // number
        known = self._plain.execute(
            f"SELECT {column}, exchange FROM symtoken WHERE id % ? = 0 OR id > ?",  # noqa: S608 - of constants
            (step, ROWS),
        ).fetchall()
        twins = self._plain.execute(
            f"SELECT {column}, exchange FROM symtoken GROUP BY 1, 2 HAVING count(*) > 1"  # noqa: S608 - of constants
        ).fetchall()
        unknown = [("NOTHING", "NSE"), ("RELIANCE", "MCX"), ("", ""), ("null", None), (None, "NSE")]
        return list(dict.fromkeys([*known, *twins, *unknown, (None, None), ("12", "NSE")]))

    def has_twins(self, column: str) -> bool:
        statement = f"SELECT 1 FROM symtoken GROUP BY {column}, exchange HAVING count(*) > 1"  # noqa: S608 - of constants
        return self._plain.execute(statement).fetchone() is not None

    def row(self, column: str, pair: tuple[Any, Any]) -> sqlite3.Row | None:
        """The row that one query finds."""
        cursor = self._plain.cursor()
        cursor.row_factory = sqlite3.Row
        found: sqlite3.Row | None = cursor.execute(
            f"SELECT * FROM symtoken WHERE {column} IS ? AND exchange IS ? ORDER BY id LIMIT 1",  # noqa: S608 - of constants
            pair,
        ).fetchone()
        return found

    def value(self, column: str, pair: tuple[Any, Any], wanted: str) -> str | None:
        row = self.row(column, pair)
        return None if row is None else row[wanted]


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Contract]:
    contract = Contract(tmp_path_factory.mktemp("contract") / "app.db")
    yield contract
    contract.close()


@pytest.fixture(autouse=True)
def no_other_registries(monkeypatch: pytest.MonkeyPatch) -> None:
    """No master that another test has left behind answers here."""
    monkeypatch.setattr(dataloaders.scope, "_registries", weakref.WeakSet())


@pytest.fixture
def master(contract: Contract) -> Iterator[SymbolMaster]:
    master = SymbolMaster(contract.engine)
    contract.statements.clear()
    yield master
    master.close()


class Clock:
    """The time that scopes see."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(dataloaders.scope, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


# -- answers


@pytest.mark.parametrize("name", LOOKUPS)
def test_each_lookup_answers_as_one_query_does(
    contract: Contract, master: SymbolMaster, name: str
) -> None:
    column, wanted = LOOKUPS[name]
    lookup = getattr(symbols, name)
    pairs = contract.pairs(column)
    expected = [contract.value(column, pair, wanted) for pair in pairs]
    assert len(set(expected)) > 5
    assert contract.has_twins(column) == (column != "symbol")

    with master.scope():
        assert [lookup(*pair) for pair in pairs] == expected
    with master.scope():
        assert [getattr(master, name)(*pair) for pair in pairs] == expected
    with master.scope():
        assert [lookup(**{column: pair[0], "exchange": pair[1]}) for pair in pairs] == expected
    with master.scope():
        keyed = {"exchange": "NSE", column: pairs[0][0]}
        assert lookup(**keyed) == contract.value(column, (pairs[0][0], "NSE"), wanted)


@pytest.mark.parametrize("name", LOOKUPS)
def test_in_shadow_batches_of_each_lookup_are_compared(
    contract: Contract, master: SymbolMaster, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    differences = Differences()
    monkeypatch.setattr("dataloaders.shadow.differences", differences)
    monkeypatch.setattr(modes, "default_mode", lambda: modes.SHADOW)
    column, wanted = LOOKUPS[name]
    pairs = contract.pairs(column)
    with master.scope():
        answers = [getattr(symbols, name)(*pair) for pair in pairs]
    assert answers == [contract.value(column, pair, wanted) for pair in pairs]
    assert (differences.compared, differences.changed, differences.differed) == (len(pairs), 0, 0)


@pytest.mark.parametrize("name", ["get_symbol", "get_oa_symbol"])
@pytest.mark.parametrize("tier", ["process", "redis"])
def test_what_tiers_have_by_token_or_brokers_symbol_is_known_by_symbol_too(
    tmp_path: Path, name: str, tier: str, request: pytest.FixtureRequest
) -> None:
    contract = Contract(tmp_path / "app.db")
    watch_table(contract.engine, symtoken)  # or Redis has nothing of what another one has put there
    redis = RedisTier(request.getfixturevalue("redis_url")) if tier == "redis" else None
    first = SymbolMaster(contract.engine, tiers=Tiers(redis=redis))
    second = first if redis is None else SymbolMaster(contract.engine, tiers=Tiers(redis=redis))
    pairs = [pair for pair in contract.pairs(LOOKUPS[name][0]) if pair[1] == "NFO"][:40]
    for master in (first, second):
        contract.statements.clear()
        with master.scope():
            found = [getattr(master, name)(*pair) for pair in pairs]
            brokers = [master.get_br_symbol(symbol, "NFO") for symbol in found]
        assert brokers == [contract.value("symbol", (each, "NFO"), "brsymbol") for each in found]
        master.close()
    assert [each for each in contract.statements if "symtoken" in each] == []
    contract.close()


def test_symbol_info_is_the_whole_row(contract: Contract, master: SymbolMaster) -> None:
    assert master.symbols.name == "SymbolLoader"
    with master.scope():
        for pair in contract.pairs("symbol", 50):
            row = contract.row("symbol", pair)
            info = symbols.get_symbol_info(*pair)
            if row is None:
                assert info is None
            else:
                assert type(info) is Symbol
                assert dataclasses.asdict(info) == dict(row)
        pair = contract.pairs("symbol", 50)[0]
        assert symbols.get_symbol_info(symbol=pair[0], exchange=pair[1]) is (
            symbols.get_symbol_info(*pair)
        )


@pytest.mark.parametrize("name", BATCHES)
def test_each_batch_function_answers_as_one_query_for_each_pair(
    contract: Contract, master: SymbolMaster, name: str
) -> None:
    column, wanted = BATCHES[name]
    pairs = contract.pairs(column)
    expected = {pair: contract.value(column, pair, wanted) for pair in pairs}
    contract.statements.clear()

    with master.scope():
        answer = getattr(symbols, name)(iter([*pairs, *pairs[:5]]))
        assert len(contract.statements) == 1
        assert getattr(master, name)(pairs=pairs) == expected
        assert getattr(symbols, name)([]) == {}

    assert answer == expected
    assert len(contract.statements) == 1


def test_a_token_may_be_a_number(contract: Contract, master: SymbolMaster) -> None:
    pairs = [
        pair for pair in contract.pairs("token") if pair[0] is not None and pair[0].isdecimal()
    ]
    assert len(pairs) > 300
    expected = [contract.value("token", pair, "symbol") for pair in pairs]
    numeric = [(int(token), exchange) for token, exchange in pairs]
    with master.scope():
        assert [symbols.get_symbol(*pair) for pair in numeric] == expected
        assert symbols.get_symbols_batch(numeric) == dict(zip(numeric, expected, strict=True))
        both = symbols.get_symbols_batch([pairs[0], numeric[0]])
        assert both == {pairs[0]: expected[0], numeric[0]: expected[0]}


def test_the_lowest_id_of_twins_wins(master: SymbolMaster) -> None:
    with master.scope():
        assert symbols.get_symbol("12", "NSE") == "EARLIER"
        assert symbols.get_oa_symbol("TWIN", "NSE") == "EARLIER"
        assert symbols.get_token("LATER", "NSE") == "12"
        assert symbols.get_br_symbol("LATER", "NSE") == "TWIN"


def test_a_pair_of_another_shape_is_refused(master: SymbolMaster) -> None:
    with master.scope(), pytest.raises(InvalidKeyError, match="symbol, exchange"):
        symbols.get_tokens_batch([("TCS", "NSE"), "TCS"])  # type: ignore[list-item]  # the mistake is the point


# -- statements


def test_many_lookups_after_one_batch_are_one_statement(
    contract: Contract, master: SymbolMaster
) -> None:
    pairs = contract.pairs("symbol")
    expected = [contract.row("symbol", pair) for pair in pairs]
    contract.statements.clear()
    with master.scope():
        master.symbols.get_many(pairs)
        for pair, row in zip(pairs, expected, strict=True):
            assert symbols.get_token(*pair) == (row and row["token"])
            assert symbols.get_br_symbol(*pair) == (row and row["brsymbol"])
            assert symbols.get_brexchange(*pair) == (row and row["brexchange"])
            assert (symbols.get_symbol_info(*pair) is None) == (row is None)
        symbols.get_tokens_batch(pairs)
        symbols.get_br_symbols_batch(pairs)
    assert len(contract.statements) == 1


@pytest.mark.parametrize(("name", "column"), [("tokens", "token"), ("broker_symbols", "brsymbol")])
def test_rows_that_were_found_another_way_are_known_by_symbol(
    contract: Contract, master: SymbolMaster, name: str, column: str
) -> None:
    pairs = contract.pairs(column)
    rows = [contract.row(column, pair) for pair in pairs]
    found = {(row["symbol"], row["exchange"]) for row in rows if row is not None}
    expected = {pair: contract.row("symbol", pair) for pair in found}
    contract.statements.clear()

    with master.scope():
        getattr(master, name).get_many(pairs)
        for pair in found:
            assert symbols.get_token(*pair) == expected[pair]["token"]  # type: ignore[index]  # it is there
            info = symbols.get_symbol_info(*pair)
            assert info is not None
            assert dataclasses.asdict(info) == dict(expected[pair])  # type: ignore[arg-type]  # it is there
    assert len(contract.statements) == 1


def test_a_row_that_was_found_by_symbol_does_not_stand_for_its_token(
    contract: Contract, master: SymbolMaster
) -> None:
    with master.scope():
        assert symbols.get_token("LATER", "NSE") == "12"
        assert symbols.get_br_symbol("LATER", "NSE") == "TWIN"
        assert symbols.get_symbol("12", "NSE") == "EARLIER"
        assert symbols.get_oa_symbol("TWIN", "NSE") == "EARLIER"
    assert len(contract.statements) == 3


def test_priming_overwrites_nothing(contract: Contract, master: SymbolMaster) -> None:
    known = Symbol(id=1, symbol="EARLIER", brsymbol="mine", exchange="NSE", token="mine")
    with master.scope():
        master.symbols.prime(("EARLIER", "NSE"), known)
        assert symbols.get_symbol("12", "NSE") == "EARLIER"
        assert symbols.get_token("EARLIER", "NSE") == "mine"
    assert len(contract.statements) == 1


async def test_gathered_loads_are_one_statement_and_known_to_the_lookups(
    contract: Contract, master: SymbolMaster
) -> None:
    pairs = contract.pairs("symbol", 50)
    expected = [contract.value("symbol", pair, "token") for pair in pairs]
    contract.statements.clear()
    async with master.scope():
        records = await asyncio.gather(*[master.symbols.load(pair) for pair in pairs])
        assert [record and record.token for record in records] == expected
        assert [symbols.get_token(*pair) for pair in pairs] == expected
    assert len(contract.statements) == 1


async def test_an_async_engine_primes_as_well(contract: Contract) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{contract.path}")
    master = SymbolMaster(engine)
    async with master.scope():
        records = await asyncio.gather(
            master.tokens.load((12, "NSE")), master.tokens.load(("11", None))
        )
        assert [record and record.symbol for record in records] == ["EARLIER", "NOWHERE"]
        assert symbols.get_br_symbol("EARLIER", "NSE") == "TWIN"
        assert symbols.get_token("NOWHERE", None) == "11"  # type: ignore[arg-type]  # None is NULL
        assert SymbolLoader.current().get(("EARLIER", "NSE")).id == 90_001  # type: ignore[union-attr]  # it is there
    master.close()
    await engine.dispose()


def test_a_session_may_be_the_database(contract: Contract) -> None:
    with Session(contract.engine) as session:
        session.execute(insert(symtoken).values(symbol="NEW", brsymbol="N", exchange="NSE"))
        master = SymbolMaster(session)
        with master.scope():
            assert symbols.get_br_symbol("NEW", "NSE") == "N"
        master.close()


# -- what is announced to a function


@pytest.mark.parametrize("name", LOOKUPS)
def test_rows_that_are_announced_are_one_statement(
    contract: Contract, master: SymbolMaster, name: str
) -> None:
    column, wanted = LOOKUPS[name]
    pairs = [pair for pair in contract.pairs(column, 40) if pair[0] and pair[1]]
    rows = [contract.row(column, pair) for pair in pairs]
    expected = [row and row[wanted] for row in rows]
    function = getattr(symbols, name)
    turned = iter([(str(part)[::-1], exchange) for part, exchange in pairs])
    with master.scope():
        announced = function.over(turned, lambda row: (row[0][::-1], row[1]))
        found = [function(part[::-1], exchange) for part, exchange in announced]
    assert found == expected
    assert len(contract.statements) == 1
    contract.statements.clear()
    with master.scope():
        function.expect(pairs)
        assert [function(*pair) for pair in pairs] == expected
    assert len(contract.statements) == 1


def test_rows_are_given_back_where_nobody_can_be_asked() -> None:
    rows = [{"symbol": "TCS", "exchange": "NSE"}]
    assert symbols.get_token.over(rows, "symbol", "exchange") is rows
    assert symbols.get_token.over(iter(rows), "symbol", "exchange") == rows
    with pytest.raises(NoRegistryError):
        symbols.get_token.expect([("TCS", "NSE")])


def test_names_that_no_row_has_are_misspelt(master: SymbolMaster) -> None:
    with master.scope(), pytest.raises(ConfigurationError, match="SymbolLoader"):
        symbols.get_token.over([{"symbol": "TCS"}], "name", "exchange")


def test_they_look_like_the_functions_that_they_are() -> None:
    assert (
        str(inspect.signature(symbols.get_token))
        == "(symbol: 'str', exchange: 'str') -> 'str | None'"
    )
    assert symbols.get_token.__doc__ == "Returns the broker's token of a symbol."
    for name in ASKED:
        assert inspect.isroutine(getattr(symbols, name))
        assert getattr(symbols, name).__name__ == name


TYPED = """\
from dataloaders.symbols import Symbol, get_oa_symbol, get_symbol, get_symbol_info, get_token

token: str | None = get_token("TCS", exchange="NSE")
symbol: str | None = get_symbol(token=1, exchange="NSE")
info: Symbol | None = get_symbol_info("TCS", "NSE")
rows: list[dict[str, str]] = []
for row in get_token.over(rows, "symbol", lambda row: row["exchange"]):
    name: str = row["symbol"]
get_oa_symbol.expect([("TCS", "NSE")])
get_token("TCS")
get_token(brsymbol="TCS", exchange="NSE")
number: int = get_token("TCS", "NSE")
get_token.under(rows)
"""


def test_their_types(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    (tmp_path / "typed.py").write_text(TYPED)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), "typed.py"]
    done = subprocess.run(  # noqa: S603 - the running Python
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},
    )
    lines = [line.split(":")[1] for line in done.stdout.splitlines() if ": error:" in line]
    assert lines == ["10", "11", "12", "13"], done.stdout


# -- scopes and masters


def test_each_scope_asks_for_itself(contract: Contract, master: SymbolMaster) -> None:
    for _ in range(3):
        with master.scope():
            for _ in range(3):
                assert symbols.get_token("LATER", "NSE") == "12"
    assert len(contract.statements) == 3


def test_within_a_scope_all_ways_to_a_loader_are_one(master: SymbolMaster) -> None:
    with master.scope():
        assert SymbolLoader.current() is master.symbols
        assert BrokerSymbolLoader.current() is master.broker_symbols
        assert TokenLoader.current() is master.tokens
        assert master.symbols is master.loader(SymbolLoader)


def test_a_scope_of_something_else_does_not_hide_the_masters(
    contract: Contract, master: SymbolMaster
) -> None:
    with master.scope():
        symbols.get_token("LATER", "NSE")
        with LoaderScope():
            assert symbols.get_token("LATER", "NSE") == "12"
    assert len(contract.statements) == 1


def test_outside_any_scope_values_live_for_a_second(
    contract: Contract, master: SymbolMaster, clock: Clock
) -> None:
    def set_token(token: str) -> None:
        with closing(sqlite3.connect(contract.path)) as connection, connection:
            connection.execute("UPDATE symtoken SET token = ? WHERE symbol = 'LATER'", (token,))

    try:
        for _ in range(5):
            assert symbols.get_token("LATER", "NSE") == "12"
            assert master.get_token("LATER", "NSE") == "12"
            assert symbols.get_br_symbol("LATER", "NSE") == "TWIN"
        assert len(contract.statements) == 1

        set_token("13")
        clock.now += 0.9
        assert symbols.get_token("LATER", "NSE") == "12"
        assert len(contract.statements) == 1

        clock.now += 0.2
        assert symbols.get_token("LATER", "NSE") == "13"
        assert symbols.get_symbol(13, "NSE") == "LATER"
        assert len(contract.statements) == 3
    finally:
        set_token("12")


def test_a_scope_takes_nothing_from_outside(contract: Contract, master: SymbolMaster) -> None:
    symbols.get_token("LATER", "NSE")
    with master.scope():
        symbols.get_token("LATER", "NSE")
    assert len(contract.statements) == 2


@pytest.fixture
def other_engine() -> Iterator[Engine]:
    """A database with another contract, of one row."""
    engine = create_engine("sqlite://")
    row = {"symbol": "LATER", "brsymbol": "OTHER", "exchange": "NSE", "token": "99"}
    replace_contract(engine, [row])
    yield engine
    engine.dispose()


ASKED: dict[str, Callable[[], object]] = {
    **{name: lambda name=name: getattr(symbols, name)("LATER", "NSE") for name in LOOKUPS},  # type: ignore[misc]  # a default binds the name
    "get_symbol_info": lambda: symbols.get_symbol_info("LATER", "NSE"),
    **{name: lambda name=name: getattr(symbols, name)([("LATER", "NSE")]) for name in BATCHES},  # type: ignore[misc]  # a default binds the name
}


@pytest.mark.parametrize("name", ASKED)
def test_without_a_master_nobody_answers(name: str) -> None:
    with pytest.raises(NoRegistryError, match="there is none"):
        ASKED[name]()
    with LoaderScope(), pytest.raises(NoRegistryError, match="there is none"):
        ASKED[name]()


@pytest.mark.parametrize("name", ASKED)
def test_of_two_masters_nobody_answers_unless_one_is_meant(
    master: SymbolMaster, other_engine: Engine, name: str
) -> None:
    other = SymbolMaster(other_engine)
    with pytest.raises(NoRegistryError, match="there are 2"):
        ASKED[name]()

    with other.scope():
        ASKED[name]()
        assert symbols.get_token("LATER", "NSE") == "99"
        assert master.get_token("LATER", "NSE") == "12"
        with master.scope():
            ASKED[name]()
            assert symbols.get_token("LATER", "NSE") == "12"
            assert other.get_token("LATER", "NSE") == "99"
        assert symbols.get_token("LATER", "NSE") == "99"
    assert other.get_br_symbol("LATER", "NSE") == "OTHER"

    other.close()
    ASKED[name]()
    assert symbols.get_token("LATER", "NSE") == "12"


def test_a_master_that_is_closed_answers_nobody(master: SymbolMaster) -> None:
    assert symbols.get_token("LATER", "NSE") == "12"
    master.close()
    with pytest.raises(NoRegistryError):
        symbols.get_token("LATER", "NSE")


def test_required_symbols(master: SymbolMaster) -> None:
    with master.scope():
        assert master.symbols.require(("LATER", "NSE")).id == 90_002  # type: ignore[union-attr]  # it is there
        for loader, key in (
            (master.symbols, ("NOTHING", "NSE")),
            (master.broker_symbols, ("NOTHING", "MCX")),
            (master.tokens, (987_654_321, "NFO")),
        ):
            with pytest.raises(SymbolNotFoundError, match=str(key[0])) as raised:
                loader.require(key)
            assert raised.value.keys == (key,)
        with pytest.raises(SymbolNotFoundError) as several:
            master.symbols.require_many([("LATER", "NSE"), ("NO", "NSE"), ("NOR", "NSE")])
        assert several.value.keys == (("NO", "NSE"), ("NOR", "NSE"))


# -- an application's own model


class Base(DeclarativeBase):
    pass


class SymToken(Base):
    """Such as an application has it: in a table of another name, with fewer columns."""

    __tablename__ = "instruments"
    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str | None] = mapped_column(index=True)
    symbol: Mapped[str] = mapped_column(index=True)
    exchange: Mapped[str | None]
    brsymbol: Mapped[str] = mapped_column(index=True)
    source: Mapped[str | None]


@pytest.fixture
def own_table() -> Iterator[Engine]:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(
            insert(SymToken),
            [
                {"id": 1, "token": "5", "symbol": "TCS", "exchange": "NSE", "brsymbol": "TCS-EQ"},
                {"id": 2, "token": "5", "symbol": "INFY", "exchange": "NSE", "brsymbol": "INFY-EQ"},
            ],
        )
    yield engine
    engine.dispose()


@pytest.mark.parametrize("table", [SymToken, SymToken.__table__])
def test_a_table_of_the_applications_own(own_table: Engine, table: object) -> None:
    master = SymbolMaster(own_table, table=table)
    sent: list[str] = []
    event.listen(own_table, "before_cursor_execute", lambda *args: sent.append(args[2]))
    with master.scope():
        assert symbols.get_token("TCS", "NSE") == "5"
        assert symbols.get_symbol(5, "NSE") == "TCS"
        assert symbols.get_oa_symbol("INFY-EQ", "NSE") == "INFY"
        assert symbols.get_brexchange("TCS", "NSE") is None
        assert symbols.get_symbol_info("INFY", "NSE") == Symbol(
            id=2,
            symbol="INFY",
            brsymbol="INFY-EQ",
            exchange="NSE",
            token="5",
        )
        assert symbols.get_tokens_batch([("TCS", "NSE"), ("NO", "NSE")]) == {
            ("TCS", "NSE"): "5",
            ("NO", "NSE"): None,
        }
        assert SymbolLoader.current() is master.symbols
        with pytest.raises(SymbolNotFoundError):
            master.tokens.require((6, "NSE"))
    assert all("instruments" in statement for statement in sent)
    assert len(sent) == 5
    assert symbols.get_token("INFY", "NSE") == "5"
    master.close()
