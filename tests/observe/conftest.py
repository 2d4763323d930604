"""A world of nodes for the tests of observation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dataloaders.lookahead.sites import forget_sites
from tests.observe.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("observe") / "world.db")
    yield world
    world.close()


@pytest.fixture(autouse=True)
def _as_the_first_time() -> None:
    forget_sites()
