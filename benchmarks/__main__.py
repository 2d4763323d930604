"""Runs all benchmarks, prints them, and writes docs/benchmarks.json and docs/benchmarks.md."""

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
from .measure import ADDED, BYTES, COUNT, TIME

if TYPE_CHECKING:
    from .measure import Result

DOCS = Path(__file__).parent.parent / "docs"

_FEW = 10  # microseconds; less is told in nanoseconds
_SMALL = 0.1  # a smaller ratio is told with one more digit

INTRODUCTION = """\
# Benchmarks

Written by `make bench`; not edited by hand. Each row compares two ways to do one thing, run in turn
in one process: a ratio below 1 means that ours is faster. The ratio is the median over all rounds;
a tenth of the rounds lay below the first figure of its spread, a tenth above the second. Times
are for orientation only, the machine's mood is in them; a limit on a time says so. What ours takes
longer, where that is what counts, stands in the place of a ratio with a + before it. Where bytes or
queries are compared, the same is said of them.
"""


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
                print(_line(result), flush=True)  # noqa: T201 - it reports to the terminal
                rows.append(result)
    if not arguments.no_write:
        text = json.dumps({"on": _machine(), "results": [row.as_json() for row in rows]}, indent=2)
        (DOCS / "benchmarks.json").write_text(text + "\n")
        (DOCS / "benchmarks.md").write_text(_page(rows))


def _machine() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "sqlite": sqlite3.sqlite_version,
        "sqlalchemy": sqlalchemy.__version__,
    }


def _page(rows: list[Result]) -> str:
    on = ", ".join(f"{name} {value}" for name, value in _machine().items())
    header = "| what | against | ratio | spread | limit | kept | ours | baseline | for each |\n"
    rule = "|---|---|---|---|---|---|---|---|---|\n"
    return (
        f"{INTRODUCTION}\nMeasured on: {on}; {rows[0].rounds} rounds.\n\n{header}{rule}"
        + "".join(f"{_line(row)}\n" for row in rows)
    )


def _line(row: Result) -> str:
    if row.of == ADDED:
        middle, low, high = map(_added, (row.added_ns, row.added_low_ns, row.added_high_ns))
    else:
        middle, low, high = map(_ratio, (row.ratio, row.low, row.high))
    kept = {True: "yes", False: "**no**", None: ""}[row.met]
    cells = (
        row.title,
        row.baseline,
        middle,
        f"{low} to {high}",
        "" if row.wanted is None else _limit(row.wanted, row.of),
        kept,
        _amount(row.ours_ns, row.quantity),
        _amount(row.baseline_ns, row.quantity),
        row.unit,
    )
    return f"| {' | '.join(cells)} |"


def _amount(measured: float, quantity: str) -> str:
    if quantity == BYTES:
        return f"{measured / 1_000:.0f} kB"
    return f"{measured:.0f}" if quantity == COUNT else _time(measured)


def _ratio(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio >= _SMALL else f"{ratio:.3f}"


def _limit(wanted: float, of: str) -> str:
    if of == ADDED:
        return _added(wanted)
    return _time(wanted) if of == TIME else f"{wanted:g}"


def _added(nanoseconds: float) -> str:
    return f"{'-' if nanoseconds < 0 else '+'}{_time(abs(nanoseconds))}"


def _time(nanoseconds: float) -> str:
    in_microseconds = nanoseconds / 1_000
    return f"{nanoseconds:.0f} ns" if in_microseconds < _FEW else f"{in_microseconds:.1f} µs"


if __name__ == "__main__":
    main()
