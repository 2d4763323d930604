"""Measures the application at a commit: what requests are answered, and what they take."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine

from dataloaders.symbols import generate_contract, replace_contract
from examples.trading import exact_json
from examples.trading.brokers.registry import BROKERS
from examples.trading.comparison import differences
from examples.trading.contract_sample import pick_instruments
from examples.trading.operations import operations_on

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

ROWS = 2_000
WATCHED = 30

# Each placed order has a new one, which depends on who in the pool comes first.
_PER_REQUEST = ("order_id",)


@dataclass(frozen=True)
class Seen:
    """What one run of the application has shown.

    Attributes:
        brokers: By broker: `requests` (by path: `status`, `type`, `answer`,
            `sent`), `rows` that others
            saw at each commit while the contract was replaced, and what shadow mode `compared`.
        watchlist: What the job printed.
        watchlist_sent: How many statements the job took.
    """

    brokers: dict[str, dict[str, Any]]
    watchlist: str
    watchlist_sent: int

    def sent(self, request: str) -> int:
        """Returns how many statements a request took, as the guide names it.

        Args:
            request: `GET /positions`, `GET /positions of Ordinal`, or the command of the job.
        """
        if request.startswith("python"):
            return self.watchlist_sent
        named = re.fullmatch(r"(?:GET|POST) (\S+)(?: of (\w+))?", request)
        assert named, request
        requests = self.brokers[(named[2] or "kite").lower()]["requests"]
        path = named[1]
        if path.endswith("/"):  # what follows depends on the contract
            [path] = (each for each in requests if each.startswith(path))
        return int(requests[path]["sent"])

    def differences(self, start: Seen) -> list[str]:
        """Returns where its answers are not those of the start, leaf by leaf."""
        found = [
            f"{broker} {path} {line}"
            for broker, seen in self.brokers.items()
            for path, first in start.brokers[broker]["requests"].items()
            for line in differences(_answer(first), _answer(seen["requests"][path]), _PER_REQUEST)
        ]
        return found + list(differences(start.watchlist, self.watchlist))


def _answer(seen: Mapping[str, Any]) -> list[object]:
    answer = seen["answer"]
    if seen["type"] == "application/json":
        answer = exact_json.loads(answer)
    return [seen["status"], answer]


class World:
    """Databases and requests that are the same for every commit.

    Args:
        folder: For its files.

    Attributes:
        contract: The database.
        watchlist: The job's file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.contract = folder / "contract.db"
        self.watchlist = folder / "watchlist.csv"
        self._next_contract = folder / "next.csv"
        database = create_engine(f"sqlite:///{self.contract}")
        replace_contract(database, generate_contract(ROWS))
        database.dispose()
        url = f"sqlite:///{self.contract}"
        self._operations = [
            *([each.method, each.path, each.body] for each in operations_on(url)),
            *(["GET", f"/pages/{book}", None] for book in ("orders", "trades")),
            *(["GET", f"/pages/{book}", None] for book in ("positions", "holdings")),
        ]
        # Orders that a pool has placed are in the book in whatever order they came.
        books = [each for each in self._operations if each[0] == "GET"]
        self._operations = books + [each for each in self._operations if each[0] == "POST"]
        later = ("/quotes", "/analytics", "/positions", "/pages/positions")
        self._afterwards = [each for each in self._operations if each[1] in later]
        _write(
            self.watchlist,
            (
                {"symbol": f" {each.symbol}", "exchange": each.exchange}
                for each in pick_instruments(url, WATCHED)
            ),
        )
        # The same symbols under other tokens, and in lots of other sizes.
        _write(
            self._next_contract,
            (
                {**row, "token": f"9{row['token']}", "lotsize": int(str(row["lotsize"])) * 2}
                for row in generate_contract(ROWS)
            ),
        )

    def look_at(
        self,
        repository: Path,
        settings: Mapping[str, str] | None = None,
        brokers: Iterable[str] = BROKERS,
    ) -> Seen:
        """Runs the application as it is.

        Args:
            repository: Where it is.
            settings: Environment variables in addition.
            brokers: With which brokers.
        """
        brokers = list(brokers)
        asked = {
            "operations": self._operations,
            "contract": str(self._next_contract),
            "afterwards": self._afterwards,
        }

        def probe(broker: str) -> Any:  # noqa: ANN401 - JSON
            named = {"TRADING_BROKER": broker, **(settings or {})}
            return json.loads(self._run(repository, named, HERE / "probe.py", given=asked))

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            seen = dict(zip(brokers, pool.map(probe, brokers), strict=True))
        said = self._run(repository, settings or {}, HERE / "counted_job.py", self.watchlist)
        counted, watchlist = said.split("\n", 1)
        return Seen(seen, watchlist, int(counted))

    def environment(self, repository: Path) -> dict[str, str]:
        """Returns the environment of the application, without the settings of the tests' own."""
        own = {name: value for name, value in os.environ.items() if name[:11] != "DATALOADERS"}
        return {
            **own,
            "TRADING_BROKER_URL": "memory:",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join(map(str, (repository, *LIBRARY))),
        }

    def _run(
        self, repository: Path, settings: Mapping[str, str], *program: Path, given: object = None
    ) -> str:
        """Runs a program on a contract of its own; returns what it prints."""
        with TemporaryDirectory(dir=self._folder) as folder:
            database = shutil.copy(self.contract, folder)
            done = subprocess.run(  # noqa: S603 - the application
                [sys.executable, *map(str, program)],
                cwd=repository,
                env={
                    **self.environment(repository),
                    "DATABASE_URL": f"sqlite:///{database}",
                    **settings,
                },
                input=json.dumps(given),
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
        assert done.returncode == 0, done.stderr
        return done.stdout


LIBRARY = (ROOT, ROOT / "integrations/flask", ROOT / "integrations/pytest")


def _write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    rows = list(rows)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
