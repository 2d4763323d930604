from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from shutil import copyfile
from typing import TYPE_CHECKING
from weakref import WeakSet

import pytest
from sqlalchemy import Engine, create_engine, event

import dataloaders.scope
from dataloaders import LoaderScope
from dataloaders.symbols import generate_contract, replace_contract

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = 2_000


@pytest.fixture(scope="session")
def contract_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with a master contract. Tests that write use a copy: `database`."""
    path = tmp_path_factory.mktemp("contract") / "contract.db"
    engine = create_engine(f"sqlite:///{path}")
    replace_contract(engine, generate_contract(ROWS))
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def tokens(contract_file: Path) -> dict[tuple[str, str], str]:
    """The token of each (symbol, exchange), read without the library."""
    with closing(sqlite3.connect(contract_file)) as connection:
        # The lowest id comes last, and so is the one that stays.
        query = "SELECT symbol, exchange, token FROM symtoken ORDER BY id DESC"
        return {(symbol, exchange): token for symbol, exchange, token in connection.execute(query)}


@pytest.fixture
def database(contract_file: Path, tmp_path: Path) -> Path:
    path = tmp_path / "contract.db"
    copyfile(contract_file, path)
    return path


@pytest.fixture
def engine(database: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{database}")
    yield engine
    engine.dispose()


@pytest.fixture
def statements(engine: Engine) -> list[str]:
    """The texts of all statements that the engine runs from now on."""
    texts: list[str] = []

    def note(_connection: object, _cursor: object, text: str, *_more: object) -> None:
        texts.append(text)

    event.listen(engine, "before_cursor_execute", note)
    return texts


@pytest.fixture
def scopes(monkeypatch: pytest.MonkeyPatch) -> list[LoaderScope]:
    """All scopes that are made from now on, in order."""
    made: list[LoaderScope] = []
    original = LoaderScope.__init__

    def note(self: LoaderScope, *arguments: object, **named: object) -> None:
        original(self, *arguments, **named)  # type: ignore[arg-type]
        made.append(self)

    # One common scope for all callers outside of requests, not a new one each second.
    monkeypatch.setattr("dataloaders.scope.COMMON_SECONDS", 3600.0)
    monkeypatch.setattr(LoaderScope, "__init__", note)
    return made


@pytest.fixture(autouse=True)
def _as_in_a_new_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a process keeps of its applications does not reach the next test."""
    for name in list(os.environ):
        if name.startswith(("DATALOADERS_", "FLASK_", "SQLALCHEMY_")) and "TEST" not in name:
            monkeypatch.delenv(name)
    for name in ("_identify_request", "_open_for_request"):
        monkeypatch.setattr(dataloaders.scope, name, getattr(dataloaders.scope, name))
    monkeypatch.setattr(dataloaders.scope, "_registries", WeakSet())
    yield
    dataloaders.scope._current.set(None)
