"""Broker plug-ins, unmodified: the same results as with one query per lookup, in few statements.

The code in `brokers` was written by authors who did not know how look-ahead works. What each
function takes is compared with one plain query per lookup.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, event, select

from dataloaders.lookahead.history import History
from dataloaders.lookahead.sites import forget_sites
from dataloaders.symbols import (
    Symbol,
    SymbolMaster,
    generate_contract,
    replace_contract,
    symtoken,
)
from tests.lookahead import token_db
from tests.lookahead.contract import Case, Contract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine

BROKERS = sorted(path.parent.name for path in Path(__file__).parent.glob("brokers/*/cases.py"))
MOST_IN_TWO = 0.92
"""The share of functions that take two statements at most; it is only ever raised."""
STATEMENTS_PER_LOOKUP = 0.033
"""Statements for each lookup, over all functions; only ever lowered."""


class OneQueryPerLookup:
    """Answers each lookup by a query of its own."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.lookups = 0

    def first(self, wanted: str, **key: object) -> Any:  # noqa: ANN401 - any column
        self.lookups += 1
        matches = [symtoken.c[name] == part for name, part in key.items()]
        query = select(symtoken).where(*matches).order_by(symtoken.c.id).limit(1)
        with self.engine.connect() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        return Symbol(**row._mapping) if wanted == "*" else row._mapping[wanted]

    def get_token(self, symbol: str, exchange: str) -> object:
        return self.first("token", symbol=symbol, exchange=exchange)

    def get_symbol(self, token: object, exchange: str) -> object:
        text = None if token is None else str(token)
        return self.first("symbol", token=text, exchange=exchange)

    def get_br_symbol(self, symbol: str, exchange: str) -> object:
        return self.first("brsymbol", symbol=symbol, exchange=exchange)

    def get_oa_symbol(self, brsymbol: str, exchange: str) -> object:
        return self.first("symbol", brsymbol=brsymbol, exchange=exchange)

    def get_brexchange(self, symbol: str, exchange: str) -> object:
        return self.first("brexchange", symbol=symbol, exchange=exchange)

    def get_symbol_info(self, symbol: str, exchange: str) -> object:
        return self.first("*", symbol=symbol, exchange=exchange)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Engine]]:
    path = tmp_path_factory.mktemp("contract") / "symbols.db"
    engines: list[Engine] = []

    def make() -> Engine:
        engines.append(create_engine(f"sqlite:///{path}"))
        return engines[-1]

    replace_contract(make(), generate_contract(rows=20_000))
    yield make
    for engine in engines:
        engine.dispose()


@pytest.fixture(scope="module")
def contract(database: Callable[[], Engine]) -> Contract:
    contract = Contract()
    with database().connect() as connection:
        for row in connection.execute(select(symtoken)):
            contract.by_exchange.setdefault(row.exchange, []).append(Symbol(**row._mapping))
    return contract


def outcome_of(case: Case) -> str:
    """Returns what a case's function returned or raised, and what became of its arguments."""
    arguments = case.arguments()
    try:
        result = case.function(*arguments)
    except Exception as error:  # noqa: BLE001 - what it raises is part of what is compared
        result = error
    return re.sub(r"0x[0-9a-f]+", "0x", repr((result, arguments)))


def test_results_are_those_of_one_query_per_lookup_and_statements_few(
    database: Callable[[], Engine], contract: Contract
) -> None:
    engine = database()
    master = SymbolMaster(engine)
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    naive = OneQueryPerLookup(database())
    functions = in_two = sent = 0
    different = []
    for broker in BROKERS:
        for case in importlib.import_module(f"tests.lookahead.brokers.{broker}.cases").cases(
            contract
        ):
            token_db.answer_with(naive)
            wanted = outcome_of(case)
            token_db.answer_with(master)
            forget_sites()
            master.history = History()
            for request in ("first", "second"):
                master._common = None  # what it has kept of the case before
                statements.clear()
                with master.scope():
                    if outcome_of(case) != wanted:
                        different.append(f"{case.name}, {request} request")
                if request == "first":
                    functions += 1
                    sent += len(statements)
                    in_two += len(statements) <= 2
    master.close()
    assert not different
    assert functions > 450
    assert naive.lookups > 27_000
    assert in_two / functions >= MOST_IN_TWO
    assert sent / naive.lookups <= STATEMENTS_PER_LOOKUP
