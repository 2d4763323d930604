"""A contract in SQLite for the tests of look-ahead, and a count of the statements it is asked."""

from __future__ import annotations

import sqlite3
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, event

import dataloaders.scope
from dataloaders.lookahead.sites import forget_sites
from dataloaders.symbols import Symbol, SymbolMaster, generate_contract, replace_contract

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = 3_000


class SqliteContract:
    """A master contract, through an engine that counts statements and through plain sqlite3.

    Look-ahead reads the variables of whoever asks, so nothing here holds rows of the contract.
    """

    def __init__(self, path: Path) -> None:
        self.engine = create_engine(f"sqlite:///{path}")
        replace_contract(self.engine, generate_contract(rows=ROWS))
        self.statements: list[str] = []
        event.listen(
            self.engine, "before_cursor_execute", lambda *args: self.statements.append(args[2])
        )
        self.plain = sqlite3.connect(path, check_same_thread=False)
        self.turn = threading.Lock()

    def close(self) -> None:
        self.plain.close()
        self.engine.dispose()

    def find(self, column: str, part: object, exchange: object) -> Symbol | None:
        """One plain query for one lookup."""
        with self.turn:  # threads of a pool ask as well, and a connection serves one at a time
            cursor = self.plain.cursor()
            cursor.row_factory = sqlite3.Row
            found: Any = cursor.execute(
                f"SELECT * FROM symtoken WHERE {column} IS ? AND exchange IS ? ORDER BY id LIMIT 1",  # noqa: S608 - of constants
                (part, exchange),
            ).fetchone()
        return None if found is None else Symbol(**dict(found))


@pytest.fixture(scope="session")
def sqlite_contract(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteContract]:
    contract = SqliteContract(tmp_path_factory.mktemp("lookahead") / "contract.db")
    yield contract
    contract.close()


@pytest.fixture
def master(
    sqlite_contract: SqliteContract, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SymbolMaster]:
    """The only master there is, so that threads without a scope find it."""
    monkeypatch.setattr(dataloaders.scope, "_registries", weakref.WeakSet())
    master = SymbolMaster(sqlite_contract.engine)
    yield master
    master.close()


@pytest.fixture(autouse=True)
def _as_the_first_time() -> None:
    forget_sites()
