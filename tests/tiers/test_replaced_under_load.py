"""Processes that share a Redis and a PostgreSQL while the contract is replaced."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, make_url, text

from dataloaders.sql.notifications import PostgreSQLChannel
from dataloaders.sql.version_rows import take_part
from dataloaders.symbols import replace_contract
from dataloaders.tiers.redis_channel import RedisChannel
from tests.tiers.replaced_worker import SYMBOLS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

ROOT = Path(__file__).parents[2]
PROCESSES = int(os.environ.get("DATALOADERS_TEST_PROCESSES", "3"))
REPLACEMENTS = 10
SECONDS = 6.0
SLACK = 0.5
"""Seconds that a busy machine may take from the reading of a clock to a lookup."""


@pytest.fixture
def database(postgresql_url: str) -> Iterator[Engine]:
    server = create_engine(postgresql_url)
    with server.begin() as connection:
        connection.execute(text("CREATE SCHEMA replaced"))
    url = make_url(postgresql_url).update_query_dict({"options": "-csearch_path=replaced"})
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE generations (number INTEGER)"))
    yield engine
    engine.dispose()
    with server.begin() as connection:
        connection.execute(text("DROP SCHEMA replaced CASCADE"))
    server.dispose()


def replace(engine: Engine, number: int) -> None:
    rows = [
        {
            "id": n + 1,
            "symbol": f"S{n}",
            "brsymbol": f"B{n}",
            "exchange": "NSE",
            "token": f"{number}-{n}",
        }
        for n in range(SYMBOLS)
    ]
    replace_contract(engine, rows)
    # After the commit: what is asked for from here on must be of this generation.
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO generations VALUES (:number)"), {"number": number})


class Writer:
    """What the writing process has in the place of tiers: it tells the others."""

    def __init__(self, channel: Any) -> None:  # noqa: ANN401 - of either kind, or none
        self.channel = channel
        self.was_confirmed: list[bool] = []

    def hold(self) -> None:
        if self.channel is not None:
            self.was_confirmed.append(self.channel.hold())

    def moved(self) -> None:
        if self.channel is not None:
            self.channel.moved()


def channel_of(kind: str, database: Engine, redis_url: str) -> Any:  # noqa: ANN401 - of either kind, or none
    if kind == "redis":
        return RedisChannel(redis_url, hold_seconds=5.0)
    return PostgreSQLChannel(database, hold_seconds=5.0) if kind == "postgresql" else None


def begin(processes: list[subprocess.Popen[str]]) -> None:
    """Has processes begin together, when all are ready."""
    for process in processes:
        assert process.stdout is not None
        assert "ready\n" in iter(process.stdout.readline, "")
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


@pytest.mark.parametrize("kind", ["redis", "postgresql", "none"])
def test_no_answer_is_older_than_its_request_may_see(
    database: Engine, redis_url: str, kind: str
) -> None:
    replace(database, 0)
    # With a channel a look at the versions would hold for an hour.
    check_seconds = 0.5 if kind == "none" else 3_600.0
    url = database.url.render_as_string(hide_password=False)
    command = [
        *(sys.executable, "-m", "tests.tiers.replaced_worker", url, redis_url, kind),
        *(str(SECONDS), str(check_seconds)),
    ]
    processes = [
        subprocess.Popen(  # noqa: S603 - this test's own program
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        for _ in range(PROCESSES)
    ]
    channel = channel_of(kind, database, redis_url)
    writer = Writer(channel)
    take_part(database, writer)
    replaced_at = {0: 0.0}
    try:
        begin(processes)
        for number in range(1, REPLACEMENTS + 1):
            time.sleep(SECONDS / (REPLACEMENTS + 2))
            replace(database, number)
            replaced_at[number] = time.time()
        outcomes = [json.loads(process.communicate(timeout=60)[0]) for process in processes]
    finally:
        for process in processes:
            process.kill()
        if channel is not None:
            channel.close()
    for outcome in outcomes:
        assert outcome["requests"] > 100
        assert outcome["hits"] > outcome["requests"]
        assert outcome["missing"] == 0
        assert outcome["mixed"] == 0
        if kind == "none":
            ages = [began - replaced_at[number + 1] for began, number in outcome["stale"]]
            assert all(age < check_seconds + SLACK for age in ages)
        else:
            assert outcome["stale"] == []
    if kind != "none":
        assert writer.was_confirmed == [True] * REPLACEMENTS
