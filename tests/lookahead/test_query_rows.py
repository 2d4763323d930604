"""Loops over the rows of another query."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from dataloaders.symbols import get_br_symbol, symtoken

if TYPE_CHECKING:
    from dataloaders.symbols import SymbolMaster
    from tests.lookahead.conftest import SqliteContract


def test_rows_of_a_select(sqlite_contract: SqliteContract, master: SymbolMaster) -> None:
    wanted = select(symtoken.c.symbol, symtoken.c.exchange, symtoken.c.brsymbol).limit(30)
    with sqlite_contract.engine.connect() as connection:
        rows = connection.execute(wanted).all()
    expected = [
        sqlite_contract.find("symbol", row.symbol, row.exchange)  # one plain query for each
        for row in rows
    ]
    sqlite_contract.statements.clear()
    with master.scope():
        found = [get_br_symbol(row.symbol, row.exchange) for row in rows]
    assert found == [symbol and symbol.brsymbol for symbol in expected]
    assert len(sqlite_contract.statements) == 1
