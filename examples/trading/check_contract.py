"""Checks the loaders on a whole contract: `python -m examples.trading.check_contract PATH`.

Every instrument of the file is looked up three ways, in scopes of the size of a request. Each
answer is compared, column by column, with that of a query of its own through `sqlite3`. What the
file says an instrument is called is worked out here a second time.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import sqlite3
import sys
from collections import Counter
from contextlib import closing
from dataclasses import astuple, dataclass, fields
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import IO, TYPE_CHECKING, Final

from sqlalchemy import create_engine

from dataloaders.errors import ContractFormatError
from dataloaders.symbols import Symbol, SymbolMaster, import_contract

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dataloaders.symbols import RejectedRow

REQUEST_SIZE: Final = 50
SHOWN: Final = 10

_COLUMNS = ", ".join(field.name for field in fields(Symbol))
# The unary plus has SQLite take the index that starts with the other column.
_QUERIES: Final = {
    "symbol": f"SELECT {_COLUMNS} FROM symtoken WHERE symbol = ? AND +exchange = ?",  # noqa: S608 - names of columns
    "brsymbol": f"SELECT {_COLUMNS} FROM symtoken WHERE brsymbol = ? AND +exchange = ?",  # noqa: S608 - as above
    "token": f"SELECT {_COLUMNS} FROM symtoken WHERE token = ? AND +exchange = ?",  # noqa: S608 - as above
}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


@dataclass(frozen=True, slots=True)
class Listed:
    """What one line of the file says."""

    symbol: str
    brsymbol: str
    token: int
    exchange: str

    def key(self, column: str) -> tuple[str | int, str]:
        """Returns the key by which a column's loader is asked for it."""
        return getattr(self, column), self.exchange


@dataclass(slots=True)
class Outcome:
    """What the check found."""

    lookups: Counter[str]
    several: Counter[str]
    faults: list[str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the check.

    Args:
        arguments: The command line's; see `--help`.

    Returns:
        0; or 1 if any answer differs, or the file cannot be read.
    """
    parser = argparse.ArgumentParser(
        prog="python -m examples.trading.check_contract",
        description="Compares the loaders with one query per row.",
    )
    parser.add_argument("path", type=Path, help="Kite Connect's instrument dump, CSV or CSV.gz")
    parser.add_argument("--sample", type=int, metavar="N", help="check about N rows, not all")
    options = parser.parse_args(arguments)
    started = perf_counter()
    with TemporaryDirectory() as directory:
        try:
            outcome = _check_file(options.path, Path(directory) / "contract.db", options.sample)
        except (ContractFormatError, OSError) as error:
            print(error, file=sys.stderr)  # noqa: T201 - it reports to the terminal
            return 1
    for column, count in outcome.lookups.items():
        several = outcome.several[column]
        print(f"{count:>9,} by ({column}, exchange), {several:,} of them with several rows")  # noqa: T201 - it reports to the terminal
    print(f"{len(outcome.faults):>9,} differences, in {perf_counter() - started:.1f} s")  # noqa: T201 - it reports to the terminal
    for fault in outcome.faults[:SHOWN]:
        print(fault)  # noqa: T201 - it reports to the terminal
    return 1 if outcome.faults else 0


def _check_file(path: Path, database: Path, sample: int | None) -> Outcome:
    engine = create_engine(f"sqlite:///{database}")
    master = SymbolMaster(engine)
    try:
        report = import_contract(engine, path)
        print(f"{report.imported:>9,} rows imported, {len(report.rejected):,} lines rejected")  # noqa: T201 - it reports to the terminal
        listed = list(_read(path, report.rejected))
        if sample is not None:
            listed = listed[:: max(1, len(listed) // max(1, sample))]
        outcome = Outcome(Counter(), Counter(), [])
        if len(listed) != report.imported and sample is None:
            outcome.faults.append(f"the file has {len(listed)} good lines")
        with closing(sqlite3.connect(database)) as connection:
            for start in range(0, len(listed), REQUEST_SIZE):
                _check_request(master, connection, listed[start : start + REQUEST_SIZE], outcome)
        return outcome
    finally:
        master.close()
        engine.dispose()


def _check_request(
    master: SymbolMaster, connection: sqlite3.Connection, listed: Sequence[Listed], outcome: Outcome
) -> None:
    with master.scope():
        loaders = {
            "symbol": master.symbols,
            "brsymbol": master.broker_symbols,
            "token": master.tokens,
        }
        for column, loader in loaders.items():
            keys = [each.key(column) for each in listed]
            for key, record in zip(keys, loader.get_many(keys), strict=True):
                rows = sorted(connection.execute(_QUERIES[column], key).fetchall())
                outcome.lookups[column] += 1
                outcome.several[column] += len(rows) > 1
                answer = None if record is None else astuple(record)
                if not rows or answer != rows[0]:
                    right = rows[0] if rows else "a row"
                    outcome.faults.append(f"{column} {key}: {answer} in place of {right}")


def _read(path: Path, rejected: Sequence[RejectedRow]) -> Iterator[Listed]:
    left_out = {row.line for row in rejected}
    with _opened(path) as file:
        header = next(csv.reader([next(file)]))
        for number, line in enumerate(file, start=2):
            if line.strip() and number not in left_out:
                values = next(csv.reader([line]))
                yield _listed(dict(zip(header, map(str.strip, values), strict=True)))


def _opened(path: Path) -> IO[str]:
    packed = path.read_bytes()[:2] == b"\x1f\x8b"
    if packed:
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="replace", newline="\n")
    return path.open(encoding="utf-8-sig", errors="replace", newline="\n")


def _listed(row: Mapping[str, str]) -> Listed:
    symbol = row["tradingsymbol"]
    if row["instrument_type"] in ("FUT", "CE", "PE"):
        expiry = date.fromisoformat(row["expiry"])
        day = f"{expiry.day:02}{_MONTHS[expiry.month - 1]}{expiry.year % 100:02}"
        strike = "" if row["instrument_type"] == "FUT" else f"{float(row['strike']):.10g}"
        symbol = f"{row['name']}{day}{strike}{row['instrument_type']}"
    index = "_INDEX" if row["segment"] == "INDICES" else ""
    return Listed(
        symbol, row["tradingsymbol"], int(row["instrument_token"]), row["exchange"] + index
    )


if __name__ == "__main__":
    sys.exit(main())
