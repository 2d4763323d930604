from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine

from dataloaders.symbols import generate_contract, replace_contract
from tests.deploying.page import write_programs

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
ROWS = list(generate_contract(300))
LEGS = [{"symbol": str(row["symbol"]), "exchange": str(row["exchange"])} for row in ROWS[::10]]
TOKENS = [row["token"] for row in ROWS[::10]]


class Place:
    """A directory with the page's programs, and a database with a contract."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.record = folder / "record"
        self.record.touch()
        self.log = folder / "log"
        self.database = f"sqlite:///{folder / 'contract.db'}"
        write_programs(folder)
        engine = create_engine(self.database)
        replace_contract(engine, ROWS)
        engine.dispose()

    def sent(self) -> int:
        """How many statements the programs have sent so far."""
        return len(self.record.read_text().splitlines())

    @contextmanager
    def running(self, *arguments: str, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
        """Runs Python with these arguments, until it is told to stop."""
        importable = (Path(__file__).parent, self.folder, ROOT, ROOT / "integrations/flask")
        environment = {
            **os.environ,
            "DATABASE_URL": self.database,
            "RECORD": str(self.record),
            "PYTHONPATH": os.pathsep.join(map(str, importable)),
            **settings,
        }
        with self.log.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - a command of the page
                [sys.executable, *arguments],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            finally:
                process.kill()
                process.wait(20)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)
