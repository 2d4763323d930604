"""Memory: batches leave none behind, and what is kept of statements does not grow."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine, create_engine, event

from dataloaders.sql import GroupedTableLoader, plans
from tests.servers import ROOT
from tests.sql.measuring import ThingLoader, fill, keys, things

if TYPE_CHECKING:
    from pathlib import Path

    from dataloaders.sql.plan import Plan

pytestmark = pytest.mark.timeout(180)

GROWTH = 2 * 2**20
"""Bytes by which a process may grow; measured: 120,000 at most, in 10,000 batches."""

PEAK = 640_000
"""Bytes that a batch of 1,000 keys may take; measured: 390,000 on SQLite, 421,000 on the others."""

LEFT = 10_000
"""Bytes of it that may be left afterwards; measured: 600 at most."""

BATCHES = {"sqlite": 10_000, "postgresql": 4_000, "mariadb": 2_000}


@pytest.fixture(params=BATCHES)
def filled(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    engine: Engine = (
        create_engine(f"sqlite:///{tmp_path}/things.db")
        if request.param == "sqlite"
        else request.getfixturevalue(request.param)
    )
    fill(engine)
    engine.dispose()
    return engine


def measured(scenario: str, engine: Engine, *arguments: str) -> dict[str, int]:
    """Runs a scenario of `measuring` in a process of its own."""
    url = engine.url.render_as_string(hide_password=False)
    done = subprocess.run(  # noqa: S603 - the tests' own program
        [sys.executable, "-m", "tests.sql.measuring", scenario, url, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, int] = json.loads(done.stdout)
    return found


def test_thousands_of_batches_leave_the_process_as_large_as_it_was(
    filled: Engine, request: pytest.FixtureRequest
) -> None:
    batches = BATCHES[request.node.callspec.params["filled"]]
    assert measured("growth", filled, str(batches))["growth"] < GROWTH


def test_a_large_batch_takes_little_and_gives_it_back(filled: Engine) -> None:
    found = measured("one_batch", filled)
    assert found["peak"] < PEAK
    assert found["left"] < LEFT


class ThingsLoader(GroupedTableLoader[object]):
    table, key = things, ("code",)


def kept(engine: Engine) -> int:
    """Returns how many plans and statements are kept."""
    known: dict[object, Plan] = vars(engine.dialect)["_dataloaders_plans"]
    return len(known) + sum(
        len(held)
        for plan in known.values()
        for held in vars(plan).values()
        if isinstance(held, dict)
    )


@pytest.mark.parametrize("is_other", [False, True])
def test_batches_of_all_sizes_need_the_statements_of_a_few(
    filled: Engine, monkeypatch: pytest.MonkeyPatch, *, is_other: bool
) -> None:
    if is_other:
        monkeypatch.setattr(plans, "PLANS", {})
    texts: set[str] = set()
    event.listen(filled, "before_cursor_execute", lambda *call: texts.add(call[2]))

    def load(asked: list[tuple[str, str | None]]) -> None:
        found = ThingLoader(filled).get_many(asked)
        assert [record and (record.code, record.place) for record in found] == [
            key if key[0].startswith("code") else None for key in asked
        ]
        assert len(ThingsLoader(filled).get_many([key[0] for key in asked])) == len(asked)

    for size in (1, 2, 3, 5, 9, 17, 33):
        somewhere, nowhere = ([(f"none {n}", place) for n in range(size)] for place in ("X", None))
        for asked in (somewhere, nowhere, [*somewhere, *nowhere]):
            load(asked)
    kept_before, texts_before = kept(filled), len(texts)
    for size in (*range(1, 70), *range(70, 2_000, 97), 2_000):
        load(keys(size))

    assert kept(filled) == kept_before
    assert len(texts) == texts_before
    assert texts_before <= (18 if is_other else 12)
    filled.dispose()
