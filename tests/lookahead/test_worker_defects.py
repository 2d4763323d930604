"""What went wrong inside real workers, each brought down to one process."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, event, insert

from dataloaders import ScopeThreadPoolExecutor
from dataloaders.sql import EngineRegistry
from dataloaders.symbols import get_token
from tests.lookahead.worker_holdings import HoldingLoader, holdings, metadata

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dataloaders.symbols import SymbolMaster
    from tests.lookahead.conftest import SqliteContract

pytestmark = pytest.mark.timeout(60)

USERS = ("A", "B")


def rows_of(user: str) -> list[dict[str, Any]]:
    return [{"code": f"{user}-{n}", "venue": "X", "quantity": n} for n in range(20)]


@pytest.fixture
def sent(tmp_path: Path) -> Iterator[list[str]]:
    """The parameters of all statements of a database with two users' holdings."""
    engine = create_engine(f"sqlite:///{tmp_path / 'holdings.db'}")
    metadata.create_all(engine)
    with engine.begin() as connection:
        for user in USERS:
            connection.execute(insert(holdings), rows_of(user))
    registry = EngineRegistry(engine)
    parameters: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *call: parameters.append(str(call[3])))
    both = threading.Barrier(len(USERS))
    idents: list[int] = []

    def serve(user: str) -> None:
        rows = rows_of(user)
        idents.append(threading.get_ident())

        def ask(row: dict[str, Any]) -> Any:  # noqa: ANN401 - a record
            both.wait()
            while not all(map(is_waiting_for_a_result, idents)):
                pass
            found = HoldingLoader.current().get((row["code"], row["venue"]))
            both.wait()
            return found

        with registry.scope(), ScopeThreadPoolExecutor(1) as pool:
            assert pool.submit(ask, rows[0]).result().quantity == 0

    threads = [threading.Thread(target=serve, args=(user,)) for user in USERS]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    yield parameters
    registry.close()
    engine.dispose()


def is_waiting_for_a_result(thread: int) -> bool:
    frame = sys._current_frames()[thread]
    return frame.f_back is not None and frame.f_back.f_code.co_name == "result"


def test_two_requests_that_run_the_same_function_are_told_apart(sent: list[str]) -> None:
    assert sent
    for statement in sent:
        assert sum(f"{user}-" in statement for user in USERS) == 1, statement


def test_many_rows_of_use_are_not_taken_for_waste_within_a_request(
    sqlite_contract: SqliteContract, master: SymbolMaster
) -> None:
    found = sqlite_contract.plain.execute("SELECT symbol, exchange FROM symtoken LIMIT 1800")
    orders = [{"symbol": symbol, "exchange": exchange} for symbol, exchange in found]
    counts = []
    with master.scope():
        for start in range(0, len(orders), 600):
            sqlite_contract.statements.clear()
            assert all(tokens_of(orders[start : start + 600]))
            counts.append(len(sqlite_contract.statements))
    assert max(counts) <= 2, counts


def tokens_of(orders: list[dict[str, Any]]) -> list[str | None]:
    return [get_token(order["symbol"], order["exchange"]) for order in orders]


def test_a_helper_that_takes_lists_is_handed_single_rows_by_a_pool(
    sqlite_contract: SqliteContract, master: SymbolMaster
) -> None:
    """The list that was learned of holds one row now, and its siblings are other workers'."""
    found = sqlite_contract.plain.execute(
        "SELECT symbol, exchange, token FROM symtoken GROUP BY symbol, exchange LIMIT 40"
    ).fetchall()
    orders = [{"symbol": symbol, "exchange": exchange} for symbol, exchange, _ in found]
    expected = [token for *_, token in found]
    for _ in range(2):
        with master.scope():
            assert tokens_of(orders[:20]) == expected[:20]
    for _ in range(3):
        sqlite_contract.statements.clear()
        with master.scope(), ScopeThreadPoolExecutor(1) as pool:
            futures = [pool.submit(tokens_of, [order]) for order in orders]
            assert [future.result() for future in futures] == [[each] for each in expected]
        assert len(sqlite_contract.statements) == 1
