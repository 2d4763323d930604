"""Shows what batching changes: `python -m examples.trading.demo [--instruments PATH]`.

The same application runs twice for each broker, once with a query for each lookup and once with the
library. Both get the same requests over HTTP, in turn, and must give the same answers.
"""

from __future__ import annotations

import argparse
import sys
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING

from sqlalchemy import create_engine

from dataloaders.errors import ContractFormatError
from dataloaders.symbols import generate_contract, import_contract, replace_contract

from .app import NAIVE
from .brokers.registry import BROKERS
from .contract_sample import ContractTooSmallError
from .measuring import BATCHED, measure
from .operations import operations_on
from .processes import ServerStartError
from .serving import app_serving, broker_process

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .measuring import Measurement

_HEADING = f"""\
{"":9}{"":27}{"":>9}{"queries":>16}{"ms a request":>18}{"times":>9}
{"broker":9}{"operation":27}{"lookups":>9}{"naive":>8}{"batched":>8}{"naive":>9}{"batched":>9}{"faster":>9}"""

_EXPLANATION = """
Both columns are the same application. Its loops ask for one symbol at a time; "naive" sends each
question to the database, "batched" has the functions of dataloaders.symbols in their place. The
loops are the same, and know nothing of it: at the first question, the others are found in the rows
that the loop is going over. Each broker has loops of its own, over rows of its own kind. Times are
medians, from the client's side, with the broker's answer in them; the last column is the median of
the ratios within each round.

The two ways to look symbols up   examples/trading/lookups/
The loops                         examples/trading/brokers/
How to run the application        examples/trading/README.md"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the demo.

    Args:
        arguments: The command line's; see `--help`.

    Returns:
        0; or 1 if the queries or the answers were not what they have to be, or the contract is
        none to show it with.
    """
    options = _options(arguments)
    with TemporaryDirectory() as directory:
        database = f"sqlite:///{directory}/trading.db"
        try:
            _fill(database, options.instruments, options.rows)
            measured = _measure_all(database, options.rounds)
        except (ContractFormatError, ContractTooSmallError, ServerStartError, OSError) as error:
            print(error, file=sys.stderr)  # noqa: T201 - it reports to the terminal
            return 1
    print(_HEADING)  # noqa: T201 - it reports to the terminal
    faults = []
    for broker, measurements in measured.items():
        for measurement in measurements:
            print(f"{broker:9}{_line(measurement)}")  # noqa: T201 - it reports to the terminal
            where = f"{broker}: {measurement.operation.name}"
            faults += [f"{where}: {fault}" for fault in measurement.faults]
    if faults:
        print(f"\n{len(faults)} faults, of which the first are:", *faults[:10], sep="\n")  # noqa: T201 - it reports to the terminal
        return 1
    print("\nEvery answer of the one was that of the other, field by field (order ids aside).")  # noqa: T201 - it reports to the terminal
    print(_EXPLANATION)  # noqa: T201 - it reports to the terminal
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m examples.trading.demo", description="Shows what batching changes."
    )
    contract = parser.add_mutually_exclusive_group()
    contract.add_argument(
        "--instruments", metavar="PATH", help="Kite Connect's instrument dump, CSV or CSV.gz"
    )
    contract.add_argument(
        "--rows", type=_positive, default=150_000, help="size of the contract that is generated"
    )
    parser.add_argument("--rounds", type=_positive, default=15, help="timed requests of each kind")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _fill(database: str, instruments: str | None, rows: int) -> None:
    started = perf_counter()
    engine = create_engine(database)
    try:
        if instruments is None:
            count, origin = replace_contract(engine, generate_contract(rows)), "generated"
        else:
            count, origin = import_contract(engine, instruments).imported, "imported"
    finally:
        engine.dispose()
    print(f"{count:,} instruments {origin} in {perf_counter() - started:.1f} s\n", flush=True)  # noqa: T201 - it reports to the terminal


def _measure_all(database: str, rounds: int) -> dict[str, list[Measurement]]:
    operations = operations_on(database)
    measured = {}
    with broker_process(database) as broker_url:
        for broker in BROKERS:
            with (
                app_serving(database, broker_url, NAIVE, broker=broker) as naive,
                app_serving(database, broker_url, broker=broker) as batched,
            ):
                urls = {NAIVE: naive, BATCHED: batched}
                measured[broker] = [measure(operation, urls, rounds) for operation in operations]
    return measured


def _line(measurement: Measurement) -> str:
    queries = {variant: _told(counts) for variant, counts in measurement.queries.items()}
    return (
        f"{measurement.operation.name:27}{_told(measurement.lookups):>9}"
        f"{queries[NAIVE]:>8}{queries[BATCHED]:>8}"
        f"{measurement.milliseconds(NAIVE):>9.1f}{measurement.milliseconds(BATCHED):>9.1f}"
        f"{measurement.times_faster():>9.1f}"
    )


def _told(counts: set[int]) -> str:
    return "/".join(map(str, sorted(counts)))


if __name__ == "__main__":
    sys.exit(main())
