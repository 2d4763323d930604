"""The detector on random programs: silent about what is batched or cannot be, exact about the rest.

Each program is also run with one query for each lookup: being watched, and batched, it has to come
to the same.
"""

from __future__ import annotations

import asyncio
import copy
import logging
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from dataloaders.lookahead.sites import forget_sites
from dataloaders.observe import Listener, Observer
from dataloaders.sql import EngineRegistry
from tests.observe.programs import Alarm, Program, alarming_programs, fine_programs

if TYPE_CHECKING:
    from dataloaders.observe import Finding, Record
    from tests.observe.world import World

pytestmark = pytest.mark.timeout(600)

EXAMPLES = int(os.environ.get("DATALOADERS_TEST_PROGRAMS", "1000"))
"""Programs of each kind."""

_generated = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.generate],  # a program is read as it is, and made smaller in minutes only
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "dataloaders.observe")


class Keeper(Listener):
    """Keeps the record of a scope that is over."""

    record: Record

    def scope_ended(self, record: Record) -> None:
        self.record = record


def leaves(value: Any) -> Any:  # noqa: ANN401 - whatever a program returns
    """What a program has come to, in a form that can be compared."""
    if isinstance(value, dict):
        return {key: leaves(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [leaves(inner) for inner in value]
    if hasattr(value, "mark"):
        return ("node", value.id, value.code, value.exchange, value.mark)
    return ("other", value.favourite) if hasattr(value, "favourite") else value


def outcome(program: Program, world: World, loaders: dict[str, Any]) -> list[Any]:
    def rows(number: int) -> list[dict[str, Any]]:
        return copy.deepcopy(world.rows(program.parts[number].numbers))

    def keep(result: Any) -> None:  # noqa: ANN401 - whatever a part returns
        kept.append(leaves(result))

    kept: list[Any] = []
    running = program.main(loaders)(rows, keep)
    if program.is_async:
        asyncio.run(running)
    return kept


def watched(program: Program, world: World) -> tuple[Any, list[Finding]]:
    forget_sites()
    registry = EngineRegistry(world.engine)
    keeper = Keeper()
    observer = Observer([keeper], detect="log")
    observer.watch(registry)
    try:
        with registry.scope():
            found = outcome(program, world, world.loaders())
    finally:
        observer.stop()
        registry.close()
    return found, keeper.record.findings


@_generated
@given(program=fine_programs())
def test_nothing_is_found_in_programs_that_are_as_they_should_be(
    world: World, program: Program
) -> None:
    expected = outcome(program, world, world.one_query_each())
    found, findings = watched(program, world)
    assert found == expected
    assert not findings, f"{program.text}\n{findings[0]}"


@_generated
@given(program=alarming_programs())
def test_what_should_have_been_one_batch_is_found_where_it_is(
    world: World, program: Program
) -> None:
    expected = outcome(program, world, world.one_query_each())
    found, findings = watched(program, world)
    assert found == expected
    assert {_alarm(each, program) for each in findings} == program.alarms(), program.text


def _alarm(finding: Finding, program: Program) -> Alarm:
    assert finding.kind == "n+1"
    assert finding.place is not None
    assert finding.place.file == program.file
    assert finding.loop is None or finding.loop.file == program.file
    loop = None if finding.loop is None else finding.loop.line
    place = finding.place
    return Alarm(finding.loader, place.line, place.function, loop, finding.count)
