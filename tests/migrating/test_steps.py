"""Each step of the guide, on a real application: its answers, its statements, and the way back."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING

import pytest

from examples.trading.brokers.registry import BROKERS
from tests.migrating.application import commit, git, write_start
from tests.migrating.guide import Step, steps
from tests.migrating.measuring import Seen, World

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = pytest.mark.timeout(300)

STEPS = steps()
WITH_SETTING = [step for step in STEPS if step.settings]
FEWEST_ROWS = "fewest rows that others see meanwhile"


class Journey:
    """The application's repository, with a commit for each step.

    Args:
        folder: For the repository, and what the application needs.
    """

    def __init__(self, folder: Path) -> None:
        self.repository = folder / "application"
        self.repository.mkdir()
        write_start(self.repository)
        self.commits = [self._head()]
        for step in STEPS:
            git(self.repository, "apply", "--unidiff-zero", "-", given=step.diff)
            commit(self.repository, step.title)
            self.commits.append(self._head())
        (folder / "world").mkdir()
        self.world = World(folder / "world")
        self.look = cache(self._look)

    def _head(self) -> str:
        return git(self.repository, "rev-parse", "HEAD").strip()

    def go_to(self, number: int) -> None:
        git(self.repository, "checkout", "--quiet", "--detach", self.commits[number])

    def _look(self, number: int) -> Seen:
        """Looks at the application after a step; 0 is the start."""
        self.go_to(number)
        # Most steps change what all brokers have in common, or Kite's modules.
        promises = [each for step in STEPS[number - 1 : number + 1] for each in step.counts]
        concern_all = number in (0, len(STEPS)) or any(" of " in each.request for each in promises)
        return self.world.look_at(self.repository, brokers=BROKERS if concern_all else ["kite"])

    def look_back(self, step: Step) -> Seen:
        """Looks at the application after a step was taken, and reverted."""
        self.go_to(step.number)
        git(self.repository, "revert", "--no-edit", "HEAD")
        return self.world.look_at(self.repository, brokers=["kite"])

    def look_with(self, step: Step, settings: Mapping[str, str]) -> Seen:
        self.go_to(step.number)
        return self.world.look_at(self.repository, settings, ["kite"])

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Runs a Python program in the application's directory."""
        environment = {
            **self.world.environment(self.repository),
            "DATABASE_URL": f"sqlite:///{self.world.contract}",
            **settings,
        }
        return subprocess.run(  # noqa: S603 - one of the tests' commands
            [sys.executable, *arguments],
            cwd=self.repository,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Journey:
    return Journey(tmp_path_factory.mktemp("migrating"))


def count(seen: Seen, request: str) -> int:
    if request == FEWEST_ROWS:
        return min(int(rows) for each in seen.brokers.values() for rows in each["rows"])
    return seen.sent(request)


def check(seen: int, promised: str) -> None:
    if promised.startswith("at most "):
        assert 1 <= seen <= int(promised.removeprefix("at most "))
    else:
        assert seen == int(promised.replace(",", ""))


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.title)
def test_a_step_changes_no_answer_and_the_statements_that_it_says(
    journey: Journey, step: Step
) -> None:
    start, before, after = (journey.look(number) for number in (0, step.number - 1, step.number))
    assert after.differences(start) == []
    for promise in step.counts:
        check(count(before, promise.request), promise.cells["before"])
        check(count(after, promise.request), promise.cells["after"])


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.title)
def test_a_step_can_be_taken_back(journey: Journey, step: Step) -> None:
    start = journey.look(0)
    back = journey.look_back(step)
    assert back.differences(start) == []
    for promise in step.counts:
        if " of " not in promise.request:
            check(count(back, promise.request), promise.cells["before"])


@pytest.mark.parametrize("step", WITH_SETTING, ids=lambda step: step.title)
def test_a_step_can_be_taken_back_by_its_setting(journey: Journey, step: Step) -> None:
    start = journey.look(0)
    back = journey.look_with(step, step.settings)
    assert back.differences(start) == []
    if step.settings.get("DATALOADERS_MODE") == "off":
        first = start.brokers["kite"]["requests"]
        requests = back.brokers["kite"]["requests"]
        assert {path: each["sent"] for path, each in requests.items()} == {
            path: each["sent"] for path, each in first.items()
        }


def test_the_first_module_is_compared_in_shadow(journey: Journey) -> None:
    [step] = (step for step in STEPS if any("shadow" in each.cells for each in step.counts))
    shadow = journey.look_with(step, {"DATALOADERS_MODE": "shadow"})
    assert shadow.differences(journey.look(0)) == []
    compared = shadow.brokers["kite"]["compared"]
    assert compared.pop("compared") >= 300
    assert compared == {"changed": 0, "differed": 0}
    for promise in step.counts:
        check(count(shadow, promise.request), promise.cells["shadow"])


def test_in_the_end_all_is_compared_in_shadow(journey: Journey) -> None:
    shadow = journey.look_with(STEPS[-1], {"DATALOADERS_MODE": "shadow"})
    assert shadow.differences(journey.look(0)) == []
    compared = shadow.brokers["kite"]["compared"]
    assert compared.pop("compared") >= 2_000
    assert compared == {"changed": 0, "differed": 0}


def test_in_the_end_symbols_can_be_kept_between_requests(journey: Journey) -> None:
    last = journey.look(len(STEPS))
    kept = journey.look_with(STEPS[-1], {"DATALOADERS_TIERS": "on"})
    assert kept.differences(journey.look(0)) == []
    assert kept.sent("GET /trades") < last.sent("GET /trades")


def test_the_scan_says_which_line_the_script_needs_and_that_nothing_else_does(
    journey: Journey,
) -> None:
    journey.go_to(3)
    before = journey.run("-m", "dataloaders.scan", "jobs")
    assert "get_token.over(csv.DictReader(file), lambda row:" in before.stdout
    journey.go_to(5)
    after = journey.run("-m", "dataloaders.scan", ".")
    assert " 0 need one line, 0 by hand" in after.stdout
    journey.go_to(8)
    end = journey.run("-m", "dataloaders.scan", ".")
    assert end.returncode == 0, end.stdout


def test_a_script_that_is_forgotten_says_what_it_lacks(journey: Journey) -> None:
    journey.go_to(5)
    git(journey.repository, "checkout", journey.commits[3], "--", "jobs")
    forgotten = journey.run("-m", "jobs.watchlist", str(journey.world.watchlist))
    git(journey.repository, "reset", "--hard", "--quiet")
    assert "NoRegistryError" in forgotten.stderr
    assert "SymbolMaster" in forgotten.stderr


def test_the_applications_own_tests_hold_it(journey: Journey) -> None:
    journey.go_to(9)
    passing = journey.run("-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert passing.returncode == 0, passing.stdout
    failing = journey.run("-m", "pytest", "-q", DATALOADERS_LOOKAHEAD="off")
    assert failing.returncode == 1, failing.stdout
    assert "kite/order_data.py" in failing.stdout


def test_the_metrics_are_there(journey: Journey) -> None:
    journey.go_to(10)
    program = (
        "from trading.app import create_app\n"
        "client = create_app().test_client()\n"
        "client.get('/positions')\n"
        "print(client.get('/metrics').get_data(as_text=True))"
    )
    metrics = journey.run("-c", program)
    assert 'dataloaders_queries_total{loader="BrokerSymbolLoader"} 1.0' in metrics.stdout


def test_off_takes_more_than_before_once_the_copy_is_gone(journey: Journey) -> None:
    off = journey.look_with(STEPS[7], {"DATALOADERS_MODE": "off"})
    assert off.differences(journey.look(0)) == []
    assert off.sent("POST /subscription") > journey.look(0).sent("POST /subscription")
