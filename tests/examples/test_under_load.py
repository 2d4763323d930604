"""The load test in small: a hundred users for some seconds."""

from __future__ import annotations

from contextlib import ExitStack
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from tests import databases
from tests.databases import not_tested

if TYPE_CHECKING:
    from pathlib import Path

    from load.contracts import Ground

ROWS = 9_000
SEED = 5


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Ground:
    if find_spec("locust") is None:
        not_tested(pytestconfig, "load: pip install locust")
    from load.contracts import Ground

    return Ground.made(tmp_path_factory.mktemp("load"), ROWS, SEED)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("kind", "worker"), [("SQLite", "gthread"), ("PostgreSQL", "gevent")])
def test_a_hundred_users(
    kind: str, worker: str, ground: Ground, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    from load.contracts import Database
    from load.phase import BATCHED, Settings, run

    settings = Settings(
        seconds=8.0,
        warm_up=2.0,
        users=100,
        streams=6,
        think_seconds=1.0,
        seed=SEED,
        rows=ROWS,
        worker=worker,
        workers=2,
    )
    with ExitStack() as stack:
        url = f"sqlite:///{tmp_path}/trading.db"
        if kind == "PostgreSQL":
            try:
                url = stack.enter_context(databases.postgresql())
            except databases.NotHereError as error:
                not_tested(pytestconfig, f"load on PostgreSQL: {error}")
        outcome = run(BATCHED, Database(kind, url), ground, settings)
    assert {name: found for name, found in outcome.faults.items() if found} == {}
    figures = outcome.figures
    assert figures["requests"] > 100
    assert {"/basket", "/split", "/options", "/pages/orders"} <= figures["endpoints"].keys()
    assert figures["orders"] >= 10
    assert figures["subscriptions"] > 0
    assert figures["prices_checked"] > 0
    assert len(figures["replaced"]) == 2
    assert figures["pool"]["connections"] <= 15
