"""Loops over the rows of another query, and loaders with a batch function of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from dataloaders.symbols import SymbolLoader, get_br_symbol, symtoken

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


class Noting(SymbolLoader):
    """Notes what it is asked for."""

    asked: list[Any]

    def batch_load(self, keys: list[Any]) -> list[Any]:
        self.asked += keys
        return super().batch_load(keys)


def test_a_batch_function_of_the_applications_own_is_given_whole_keys(
    sqlite_contract: SqliteContract,
) -> None:
    loader = Noting(sqlite_contract.engine)
    loader.asked = []
    rows = [{"name": name, "at": "NSE"} for name in ("RELIANCE", "TCS", "NO SUCH")]
    for row in rows:
        assert loader.get((row["name"], row["at"])) == sqlite_contract.find(
            "symbol", row["name"], row["at"]
        )
    assert loader.asked == [("RELIANCE", "NSE"), ("TCS", "NSE"), ("NO SUCH", "NSE")]
