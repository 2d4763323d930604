"""Engines that were used before a fork, as they are in servers that import before they fork."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, create_engine

from tests.servers import ROOT, Server, check_log, started
from tests.sql.source_helpers import fill

if TYPE_CHECKING:
    from sqlalchemy import URL

pytestmark = pytest.mark.timeout(180)

CLIENTS = 8
REQUESTS = 200


def seen(scenario: str, argument: str) -> Any:  # noqa: ANN401 - whatever the scenario prints
    """Runs a scenario of `forking` in a process of its own."""
    done = subprocess.run(  # noqa: S603 - the tests' own program
        [sys.executable, "-m", "tests.sql.forking", scenario, argument],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def shown(url: URL) -> str:
    return url.render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", "postgresql", "mariadb", "mariadb with mysqlclient"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with users."""
    kind, _, driver = request.param.partition(" with ")
    filled: Engine = (
        create_engine(f"sqlite:///{tmp_path}/users.db")
        if kind == "sqlite"
        else request.getfixturevalue(kind)
    )
    fill(filled)
    filled.dispose()
    if driver:
        pytest.importorskip("MySQLdb", reason="mysqlclient, which has to be compiled")
        return shown(filled.url.set(drivername="mysql+mysqldb"))
    return shown(filled.url)


def test_two_processes_load_at_the_same_time_each_on_connections_of_its_own(url: str) -> None:
    found = seen("load_in_both", url)

    assert found["wrong"] == 0
    assert isinstance(found["child"], dict), found["child"]
    assert found["child"]["wrong"] == 0
    assert found["child"]["connections"]
    assert not set(found["child"]["connections"]) & {*found["before"], *found["after"]}
    # It goes on with those that it had.
    assert set(found["after"]) & set(found["before"])


@pytest.mark.parametrize("poolclass", ["static", "singleton"])
def test_a_database_in_memory_goes_along(poolclass: str) -> None:
    expected = ["user 1", "user 2", None]
    assert seen("keep_in_memory", poolclass) == {
        "before": expected,
        "child": expected,
        "after": expected,
    }


@pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)
def test_what_threads_hold_at_the_moment_of_a_fork_does_not_block_the_child(url: str) -> None:
    assert seen("in_the_middle", url) == {
        "child": [f"user {n}" for n in (3, 1, 4, 5, 6, 7, 8, 9)] + [None, "user 10"],
        "parent": ["user 1", "user 2"],
    }


def test_gunicorn_with_an_application_that_looks_up_while_it_is_imported(
    postgresql: Engine, tmp_path: Path
) -> None:
    fill(postgresql)
    gunicorn = ("gunicorn", "--preload", "--workers=2", "--worker-class=gthread", "--threads=4")
    options = ("--bind=127.0.0.1:0", "--no-control-socket", "preload_app:app")
    server = Server("gthread", (*gunicorn, *options), exit_code=0)
    environment = {"DATALOADERS_DATABASE_URI": shown(postgresql.url)}
    used: defaultdict[int, set[int]] = defaultdict(set)
    with (
        started(
            server, sys.executable, tmp_path / "log", environment, Path(__file__).parent
        ) as running,
        ThreadPoolExecutor(CLIENTS) as executor,
    ):

        def ask(number: int) -> dict[str, Any]:
            first = number % 24 + 1
            answer: dict[str, Any] = running.get(f"/{first}")
            expected = [f"user {n}" if n <= 20 else None for n in range(first, first + 6)]
            assert answer["names"] == expected
            return answer

        for rounds in count():
            assert rounds < 20
            for answer in executor.map(ask, range(REQUESTS)):
                used[answer["process"]] |= set(answer["used"])
                assert not used[answer["process"]] & set(answer["at_import"])
                assert answer["at_import"]
            if len(used) == 2:
                break
        check_log(running)
    one, other = used.values()
    assert one
    assert other
    assert not one & other
