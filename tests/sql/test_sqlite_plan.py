"""The statements that reach SQLite: how many there are, and which way SQLite goes for them.

The SQLite that Python brings along is asked, and a newer one.
"""

from __future__ import annotations

import random
import re
from contextlib import closing
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.pool import StaticPool

from dataloaders.symbols import (
    BrokerSymbolLoader,
    SymbolLoader,
    TokenLoader,
    generate_contract,
)
from tests.databases import not_tested

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Engine

    from tests.sql.conftest import EngineMaker

pytestmark = pytest.mark.timeout(120)

ROWS = 6_000

COLUMNS = (
    "symbol",
    "brsymbol",
    "name",
    "exchange",
    "brexchange",
    "token",
    "expiry",
    "strike",
    "lotsize",
    "instrumenttype",
    "tick_size",
    "contract_value",
)

CREATE_TABLE = """
    CREATE TABLE symtoken (
        id INTEGER NOT NULL PRIMARY KEY,
        symbol VARCHAR(64) NOT NULL, brsymbol VARCHAR(64) NOT NULL, name VARCHAR(255),
        exchange VARCHAR(32), brexchange VARCHAR(32), token VARCHAR(64), expiry VARCHAR(16),
        strike FLOAT, lotsize INTEGER, instrumenttype VARCHAR(16), tick_size FLOAT,
        contract_value FLOAT
    )
"""

INDEXES = {
    "ix_symbol": ("symbol",),
    "ix_brsymbol": ("brsymbol",),
    "ix_exchange": ("exchange",),
    "ix_brexchange": ("brexchange",),
    "ix_token": ("token",),
    "ix_symbol_exchange": ("symbol", "exchange"),
    "ix_brsymbol_exchange": ("brsymbol", "exchange"),
}

EVERY = tuple(INDEXES)
OTHERS = tuple(name for name in EVERY if name != "ix_exchange")

# What SQLite prefers between equals depends on the order in which indexes were made.
LAYOUTS: dict[str, tuple[str, ...]] = {
    "declared order": EVERY,
    "reverse order": EVERY[::-1],
    "exchange first": ("ix_exchange", *OTHERS),
    "exchange last": (*OTHERS, "ix_exchange"),
    "composite first": ("ix_brsymbol_exchange", "ix_symbol_exchange", *EVERY[:5]),
    "no composite, exchange first": (
        "ix_exchange",
        "ix_brexchange",
        "ix_token",
        "ix_brsymbol",
        "ix_symbol",
    ),
    "no composite, exchange last": ("ix_symbol", "ix_brsymbol", "ix_token", "ix_exchange"),
    "only composite": ("ix_symbol_exchange", "ix_brsymbol_exchange", "ix_token"),
    "composite and exchange": (
        "ix_exchange",
        "ix_symbol_exchange",
        "ix_brsymbol_exchange",
        "ix_token",
    ),
    "only the selective columns": ("ix_symbol", "ix_brsymbol", "ix_token"),
}

LOADERS: dict[str, type[Any]] = {
    "symbol": SymbolLoader,
    "brsymbol": BrokerSymbolLoader,
    "token": TokenLoader,
}

SIZES = (1, 2, 10, 50, 500, 1_000, 5_000)

Pair = tuple[str, str | None]


class Contract:
    """A generated contract, and who has which keys in it, by plain sqlite3."""

    def __init__(self, library: Any) -> None:  # noqa: ANN401 - a module like sqlite3
        self.library = library
        rows = [tuple(row[name] for name in COLUMNS) for row in generate_contract(ROWS)]
        # Rows without an exchange, one of them a twin of a row that has one.
        nowhere = [("GOLDUNIT", "GOLDUNIT", "", None, None, "7", *rows[0][6:])]
        nowhere.append((*rows[10][:3], None, None, *rows[10][5:]))
        # And so many others that the exchange alone is no way to those either.
        crowd = [
            (f"CROWD{n}", f"CROWD{n}", "", None, None, f"C{n}", *rows[0][6:]) for n in range(300)
        ]
        self.connection = library.connect(":memory:")
        self.connection.execute(CREATE_TABLE)
        marks = ", ".join("?" * len(COLUMNS))
        self.connection.executemany(
            f"INSERT INTO symtoken ({', '.join(COLUMNS)}) VALUES ({marks})",  # noqa: S608 - of constants
            rows + crowd + nowhere,
        )
        self.connection.commit()
        self._ids: dict[tuple[str, Pair], int | None] = {}
        with closing(self._indexed_copy()) as reference:
            for column in LOADERS:
                for key in self.keys(column):
                    self._ids[column, key] = self._ask(reference, column, key)

    def keys(self, column: str) -> list[Pair]:
        """Keys in an order that has nothing to do with the rows', some of them unknown."""
        statement = f"SELECT {column}, exchange FROM symtoken"  # noqa: S608 - of constants
        keys = [(str(first), exchange) for first, exchange in self.connection.execute(statement)]
        nowhere = [key for key in keys if key[1] is None][-2:]
        somewhere = list(dict.fromkeys(key for key in keys if key[1] is not None))
        unknown = [(f"NO{number}", "NFO") for number in range(ROWS // 10)]
        unknown += [(key[0], "NOWHERE") for key in somewhere[: ROWS // 10]]
        shuffled = somewhere + unknown
        random.Random(column).shuffle(shuffled)
        return shuffled + nowhere

    def ids(self, column: str, keys: Sequence[Pair]) -> list[int | None]:
        """The ids of the rows that one query per key finds."""
        return [self._ids[column, key] for key in keys]

    def _indexed_copy(self) -> Any:  # noqa: ANN401 - the library's connection
        copy = self.library.connect(":memory:")
        self.connection.backup(copy)
        for column in LOADERS:
            copy.execute(f"CREATE INDEX by_{column} ON symtoken ({column}, exchange)")
        return copy

    @staticmethod
    def _ask(connection: Any, column: str, key: Pair) -> int | None:  # noqa: ANN401 - as above
        is_exchange = "IS NULL" if key[1] is None else "= ?"
        statement = (
            f"SELECT id FROM symtoken WHERE {column} = ? AND exchange {is_exchange}"  # noqa: S608 - of constants
            " ORDER BY id LIMIT 1"
        )
        parameters = [part for part in key if part is not None]
        row = connection.execute(statement, parameters).fetchone()
        return None if row is None else int(row[0])


@pytest.fixture(scope="module", params=["sqlite3", "pysqlite3"])
def contract(request: pytest.FixtureRequest) -> Iterator[Contract]:
    try:
        library = import_module(request.param)
    except ImportError:
        not_tested(request.config, f"a newer SQLite: pip install {request.param}")
    contract = Contract(library)
    yield contract
    contract.connection.close()


@pytest.fixture(
    scope="module",
    params=[(layout, analyzed) for layout in LAYOUTS for analyzed in (False, True)],
    ids=lambda param: f"{param[0]}, {'with' if param[1] else 'without'} ANALYZE",
)
def engine(request: pytest.FixtureRequest, contract: Contract) -> Iterator[Engine]:
    layout, analyzed = request.param
    engine = create_engine("sqlite://", module=contract.library, poolclass=StaticPool)
    connection = engine.raw_connection()
    driver: Any = connection.driver_connection
    contract.connection.backup(driver)
    for name in LAYOUTS[layout]:
        driver.execute(f"CREATE INDEX {name} ON symtoken ({', '.join(INDEXES[name])})")
    if analyzed:
        driver.execute("ANALYZE")
    driver.commit()
    connection.close()
    yield engine
    engine.dispose()


@pytest.fixture
def sent(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    """Every statement that is sent, with its parameters."""
    statements: list[tuple[str, Any]] = []

    def note(*args: Any) -> None:  # noqa: ANN401 - of many types
        statements.append((args[2], args[3]))

    event.listen(engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine, "before_cursor_execute", note)


def plan_of(engine: Engine, statement: str, parameters: Sequence[object]) -> list[str]:
    """SQLite's plan, without the steps that are about the list of keys alone."""
    connection = engine.raw_connection()
    try:
        driver: Any = connection.driver_connection
        steps = driver.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
    finally:
        connection.close()
    of_the_keys = "SCAN dataloader_keys VIRTUAL TABLE"
    return [str(step[3]) for step in steps if not str(step[3]).startswith(of_the_keys)]


def assert_goes_by(column: str, plan: list[str]) -> None:
    assert len(plan) == 1, plan
    found = re.fullmatch(
        r"SEARCH symtoken USING INDEX (\w+) \((\w+)=\?( AND \w+=\?)?\)( LEFT-JOIN)?", plan[0]
    )
    assert found is not None, plan
    assert found[1] in INDEXES, plan
    assert found[2] == column, plan


def sample(keys: list[Pair], size: int) -> list[Pair]:
    """Some keys, among which there are known and unknown ones unless they are too few."""
    return keys[:size] if len(keys) >= size else keys


@pytest.mark.parametrize("column", LOADERS)
def test_each_batch_is_one_statement_that_finds_its_way_by_the_selective_column(
    engine: Engine, contract: Contract, sent: list[tuple[str, Any]], column: str
) -> None:
    texts = set()
    for size in SIZES:
        keys = sample([key for key in contract.keys(column) if key[1] is not None], size)
        assert len(keys) == size
        sent.clear()

        records = LOADERS[column](engine).get_many(keys)

        assert len(sent) == 1
        statement, parameters = sent[0]
        assert_goes_by(column, plan_of(engine, statement, parameters))
        found = [None if record is None else record.id for record in records]
        assert found == contract.ids(column, keys)
        if size > 1:
            texts.add(statement)
    assert len(texts) == 1


@pytest.mark.parametrize("size", [1, 2, 50])
@pytest.mark.parametrize("column", LOADERS)
def test_so_does_a_batch_with_keys_that_have_no_exchange(
    engine: Engine, contract: Contract, sent: list[tuple[str, Any]], column: str, size: int
) -> None:
    keys = contract.keys(column)[-size:]
    assert keys[-1][1] is None

    records = LOADERS[column](engine).get_many(keys)

    assert len(sent) == 1
    assert_goes_by(column, plan_of(engine, *sent[0]))
    found = [None if record is None else record.id for record in records]
    assert found == contract.ids(column, keys)
    assert None not in found[-2:]


def test_a_hundred_thousand_keys_are_one_statement(
    contract: Contract, make_engine: EngineMaker
) -> None:
    engine = make_engine(module=contract.library)
    connection = engine.raw_connection()
    driver: Any = connection.driver_connection
    contract.connection.backup(driver)
    driver.execute("CREATE INDEX ix_symbol_exchange ON symtoken (symbol, exchange)")
    driver.commit()
    connection.close()
    sent: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: sent.append(args[2]))
    known = [key for key in contract.keys("symbol") if key[1] is not None]
    unknown = [(f"MISS{number}", "NSE") for number in range(100_000 - len(known))]
    keys = [*unknown[:50_000], *known, *unknown[50_000:]]

    records = SymbolLoader(engine).get_many(keys)

    assert len(keys) == len(records) == 100_000
    assert len(sent) == 1
    found = [None if record is None else record.id for record in records]
    assert found == [None] * 50_000 + contract.ids("symbol", known) + [None] * len(unknown[50_000:])
