"""Runs all benchmarks, prints them, and writes them into docs/ and the README."""

from __future__ import annotations

import argparse
import json
import platform
import sqlite3
import tempfile
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy

from . import (
    alternatives,
    batches,
    between_requests,
    databases,
    loading,
    lookahead,
    observing,
    promises,
    remote,
    requests,
    symbols,
    views,
)
from .report import ROOT, line_of, rewrite

if TYPE_CHECKING:
    from .measure import Result


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=60, help="ratios for each comparison")
    parser.add_argument("--no-write", action="store_true", help="print only")
    arguments = parser.parse_args()
    rows: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        contract = Path(folder) / "contract.db"
        symbols.make_contract(contract)
        with databases.opened(contract) as found:
            for result in chain(
                loading.results(arguments.rounds),
                symbols.results(arguments.rounds, contract),
                batches.results(arguments.rounds, found),
                alternatives.results(arguments.rounds, found),
                views.results(arguments.rounds, found),
                between_requests.results(arguments.rounds, contract),
                lookahead.results(arguments.rounds, contract),
                remote.results(arguments.rounds),
                requests.results(arguments.rounds),
                observing.results(arguments.rounds, found[0]),
                promises.results(arguments.rounds, found),
            ):
                print(line_of(result), flush=True)  # noqa: T201 - it reports to the terminal
                rows.append(result)
    if not arguments.no_write:
        text = json.dumps({"on": _machine(), "results": [row.as_json() for row in rows]}, indent=2)
        (ROOT / "docs" / "benchmarks.json").write_text(text + "\n")
        rewrite()


def _machine() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "sqlite": sqlite3.sqlite_version,
        "sqlalchemy": sqlalchemy.__version__,
    }


if __name__ == "__main__":
    main()
