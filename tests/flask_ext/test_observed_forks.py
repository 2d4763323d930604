"""What observes an application, in processes that fork, or whose garbage collector runs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.servers import ROOT

pytestmark = pytest.mark.timeout(180)


def seen(scenario: str) -> Any:  # noqa: ANN401 - whatever the scenario prints
    done = subprocess.run(  # noqa: S603 - the tests' own program
        [sys.executable, "-m", "tests.flask_ext.observed_forks", scenario],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_forked_process_takes_the_locks_that_others_had() -> None:
    assert seen("held") == []


def test_a_forked_process_can_add_to_metrics_that_others_were_adding_to() -> None:
    assert seen("exported") is True


def test_a_process_may_fork_while_it_serves() -> None:
    assert seen("under_load") == 0


def test_a_request_may_end_while_others_are_counted() -> None:
    assert seen("collected") == {"look": 1, "never_ends": 3}
