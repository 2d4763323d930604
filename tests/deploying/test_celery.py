"""The block about Celery, with a real worker and a real Redis."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.deploying.conftest import LEGS, TOKENS
from tests.deploying.page import commands

if TYPE_CHECKING:
    from tests.deploying.conftest import Place

pytestmark = pytest.mark.timeout(120)

COUNTED = str(Path(__file__).parent / "counted_worker.py")


@pytest.mark.parametrize("command", commands("celery"), ids=" ".join)
def test_each_task_has_a_scope_of_its_own(
    place: Place, command: list[str], redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", place.database)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.syspath_prepend(place.folder)
    sys.modules.pop("tasks", None)
    tasks = importlib.import_module("tasks")
    with place.running(COUNTED, *command[1:], REDIS_URL=redis_url):
        for number in range(1, 5):
            assert tasks.tokens.delay(LEGS).get(timeout=60) == TOKENS, place.log.read_text()
            assert place.sent() == number
    assert "Traceback" not in place.log.read_text()
    tasks.app.close()
    tasks.master.close()
    tasks.engine.dispose()
