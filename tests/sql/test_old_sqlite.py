"""SQLite before 3.38, which may have been built without JSON functions."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, select

from dataloaders.symbols import (
    SymbolLoader,
    SymbolMaster,
    generate_contract,
    replace_contract,
    symtoken,
)

if TYPE_CHECKING:
    from tests.sql.conftest import EngineMaker


def refuse_json(action: int, _first: str | None, name: str | None, *_: object) -> int:
    is_json = action == sqlite3.SQLITE_FUNCTION and str(name).startswith("json")
    return int(sqlite3.SQLITE_DENY if is_json else sqlite3.SQLITE_OK)


@pytest.mark.parametrize("version", [(3, 31, 0), (3, 37, 2)])
@pytest.mark.parametrize("built_with_json", [True, False])
def test_it_is_asked_as_any_other_database_where_it_was(
    make_engine: EngineMaker, version: tuple[int, ...], *, built_with_json: bool
) -> None:
    engine = make_engine()
    replace_contract(engine, generate_contract(2_000))
    with engine.connect() as connection:
        pairs = connection.execute(select(symtoken.c.symbol, symtoken.c.exchange)).all()
        keys = [*map(tuple, pairs[::20]), ("NO", "NSE"), ("NO", None)]
        expected = [
            connection.scalar(
                select(symtoken.c.id).where(
                    symtoken.c.symbol == key[0], symtoken.c.exchange == key[1]
                )
            )
            for key in keys
        ]
        driver: Any = connection.connection.driver_connection
        if not built_with_json:
            driver.set_authorizer(refuse_json)
    engine.dialect.server_version_info = version
    sent: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: sent.append(args[2]))

    for _ in range(2):
        records = SymbolLoader(engine).get_many(keys)
        assert [record and record.id for record in records] == expected
    master = SymbolMaster(engine)
    with master.scope():
        rows = [{"symbol": symbol, "exchange": exchange} for symbol, exchange in keys]
        found = [master.symbols.get((row["symbol"], row["exchange"])) for row in rows]
    master.close()

    assert [record and record.id for record in found] == expected
    batches = [statement for statement in sent if "UNION" in statement or "json" in statement]
    assert batches
    assert all(("json_each" in statement) == built_with_json for statement in batches)
