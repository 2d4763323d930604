"""Sends the trading example many generated requests, with and without batching: `make compare`.

Batching is in the mode of the environment, `DATALOADERS_MODE`.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
from collections import Counter
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from sqlalchemy import create_engine

from dataloaders import modes
from dataloaders.shadow import differences
from examples.trading.brokers.registry import BROKERS
from tests import databases
from tests.examples.contracts import url_of

from . import odd_contract
from .bounds import excess
from .generated import any_requests
from .variants import Variants

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from .generated import Request
    from .odd_contract import Row
    from .variants import Pair


@contextmanager
def _sqlite() -> Iterator[str]:
    with TemporaryDirectory() as directory:
        yield url_of(Path(directory) / "trading.db")


@contextmanager
def _mariadb() -> Iterator[str]:
    with databases.mariadb() as url:
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE DATABASE trading CHARACTER SET utf8mb4")
        engine.dispose()
        yield f"{url}trading"


_DATABASES: Final = {
    "sqlite": _sqlite,
    "postgresql": databases.postgresql,
    "mariadb": _mariadb,
}


class Tally:
    """What was seen so far, by what the requests were about."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.lookups: Counter[str] = Counter()
        self.naive: Counter[str] = Counter()
        self.batched: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.placed = 0
        self.most: list[str] = []

    def add(self, pair: Pair) -> None:
        """Adds a request."""
        kind = pair.request.kind
        naive, batched = pair.seen["naive"], pair.seen["batched"]
        self.requests[kind] += 1
        self.lookups[kind] += naive.lookups
        self.naive[kind] += naive.queries
        self.batched[kind] += batched.queries
        self.refused[kind] += naive.answer.status_code != 200
        if batched.queries > naive.queries:
            self.most.append(f"{batched.queries} batched, {naive.queries} naive: {pair.request}")
        if pair.request.method == "POST":
            self.placed += len(naive.account.orders())

    def lines(self) -> Iterator[str]:
        """Yields a table."""
        columns = (self.requests, self.refused, self.lookups, self.naive, self.batched)
        heading = ("requests", "refused", "lookups", "naive", "batched")
        yield f"{'':22}" + "".join(f"{name:>10}" for name in heading)
        for kind in sorted(self.requests):
            yield f"{kind:22}" + "".join(f"{column[kind]:>10,}" for column in columns)
        yield f"{'in all':22}" + "".join(f"{column.total():>10,}" for column in columns)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compares; returns 1 if anything differs that must not."""
    parser = argparse.ArgumentParser(prog="python -m tests.examples.comparing")
    parser.add_argument("--requests", type=int, default=10_000, help="in all, at least")
    parser.add_argument("--database", choices=_DATABASES, default="sqlite")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args(arguments)
    logging.getLogger("dataloaders").setLevel(logging.CRITICAL)  # what it tells of is counted
    database: AbstractContextManager[str] = _DATABASES[options.database]()
    print(f"{options.database}, mode {modes.default_mode()}, seed {options.seed}", flush=True)  # noqa: T201 - it reports to the terminal
    tally = Tally()
    started = perf_counter()
    with database as url:
        engine = create_engine(url)
        contract = odd_contract.fill(engine)
        engine.dispose()
        for broker in BROKERS:
            with closing(Variants(url, broker)) as variants:
                count = -(-options.requests // len(BROKERS))
                _compare(variants, contract, tally, count, options)
    print(*tally.lines(), sep="\n")  # noqa: T201 - it reports to the terminal
    print(  # noqa: T201 - it reports to the terminal
        f"{tally.placed:,} orders placed in each variant; nothing differed, in"
        f" {perf_counter() - started:.0f} s."
    )
    if modes.default_mode() == modes.ON:
        heading = f"{len(tally.most)} took more queries when they were batched."
        print(heading, *tally.most[:5], sep="\n")  # noqa: T201 - it reports to the terminal
    if modes.default_mode() == modes.SHADOW:
        counts = f"{differences.compared:,} compared, {differences.differed:,} differed"
        print(f"In shadow mode: {counts}.")  # noqa: T201 - it reports to the terminal
    return 1 if differences.differed else 0


def _compare(
    variants: Variants,
    contract: Sequence[Row],
    tally: Tally,
    count: int,
    options: argparse.Namespace,
) -> None:
    statements = 2 if options.database == "mariadb" else 1

    @seed(options.seed)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],  # a smaller request would take minutes to find
        suppress_health_check=list(HealthCheck),
    )
    @given(any_requests(variants.broker, contract))
    def compare(request: Request) -> None:
        pair = variants.send(request)
        tally.add(pair)
        faults = [*pair.faults]
        if modes.default_mode() == modes.ON:
            faults += excess(pair, statements)
        if faults:
            raise AssertionError(f"{request}\n" + "\n".join(faults))

    compare()


if __name__ == "__main__":
    sys.exit(main())
