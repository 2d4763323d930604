"""Runs the load test, prints what came of it, and writes docs/load.json and docs/load.md."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from examples.trading.app import NAIVE
from tests import databases

from . import report
from .contracts import Database, Ground
from .page import page
from .phase import BATCHED, Outcome, Settings, run
from .search import search

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .search import Step

DOCS: Final = Path(__file__).parents[1] / "docs"
WARM_UP: Final = 0.7
"""Of a run: until the last contract is there, and what it has made of caches."""

STEPS: Final = (1, 2, 4, 8, 16, 32, 48, 64, 96, 128, 192, 256)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs it; returns 1 if the batched variant has faults."""
    options = _parser().parse_args(arguments)
    settings = Settings(
        seconds=options.seconds,
        warm_up=options.seconds * WARM_UP,
        users=options.users,
        streams=options.streams,
        think_seconds=options.think,
        seed=options.seed,
        rows=options.rows,
        worker=options.worker,
        workers=options.workers,
        pool=options.pool,
    )
    outcomes: list[Outcome] = []
    steps: list[Step] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        ground = Ground.made(Path(folder), settings.rows, settings.seed)
        for name in options.databases:
            url = f"sqlite:///{folder}/trading.db"
            if name == "PostgreSQL":
                url = stack.enter_context(databases.postgresql())
            database = Database(name, url)
            for variant in options.variants:
                outcome = run(variant, database, ground, settings)
                outcomes.append(outcome)
                print(report.summary(outcome), flush=True)  # noqa: T201 - it reports to the terminal
            counts = [count for count in STEPS if count <= options.most_users]
            seconds = options.step_seconds
            for step in search(database, ground, settings, counts if seconds else (), seconds):
                steps.append(step)
                print(report.step_line(step), flush=True)  # noqa: T201 - as above
    if options.write:
        document = report.document_of(settings, options.step_seconds, outcomes, steps)
        (DOCS / "load.json").write_text(json.dumps(document, indent=2) + "\n")
        (DOCS / "load.md").write_text(page(document, steps))
    bad = [each for each in outcomes if each.variant == BATCHED and any(each.faults.values())]
    return 1 if bad else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m load", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="of each run (%(default)s)")
    parser.add_argument(
        "--step-seconds", type=float, default=20.0, help="of a step; 0 for no search"
    )
    parser.add_argument("--most-users", type=int, default=256, help="of a step (%(default)s)")
    parser.add_argument("--users", type=int, default=128, help="(%(default)s)")
    parser.add_argument(
        "--streams", type=int, default=16, help="who listen to prices (%(default)s)"
    )
    parser.add_argument("--think", type=float, default=1.0, help="seconds (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", type=int, default=150_000, help="of the contract (%(default)s)")
    parser.add_argument("--worker", choices=("gthread", "gevent"), default="gthread")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--pool", default="", help="connections of a worker; SQLAlchemy's default")
    parser.add_argument(
        "--databases", nargs="+", choices=("SQLite", "PostgreSQL"), default=["SQLite", "PostgreSQL"]
    )
    parser.add_argument("--variants", nargs="+", choices=(NAIVE, BATCHED), default=[NAIVE, BATCHED])
    parser.add_argument("--write", action="store_true", help="docs/load.json and docs/load.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
