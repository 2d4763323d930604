"""A source of rows that changes as a whole, its versions, and time; all of them the test's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dataloaders import DataLoader, LoaderRegistry
from dataloaders.tiers.tiers import Tiers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

TABLE = "numbers"


class World:
    """Rows of a generation, which say of which one they are."""

    def __init__(self) -> None:
        self.generation = 0
        self.absent: set[int] = set()
        self.history: dict[int, set[int]] = {0: set()}  # generation: what it does not have
        self.now = 1_000.0
        self.is_silent = False
        self.is_broken = False
        self.asked: list[list[int]] = []
        self.while_asked: Callable[[], None] | None = None

    # -- time

    def clock(self) -> float:
        return self.now

    # -- the source

    def fetch(self, keys: list[int]) -> list[Any]:
        if self.is_broken:
            raise OSError("the source is broken")
        self.asked.append(list(keys))
        answers = [None if key in self.absent else (key, self.generation) for key in keys]
        if self.while_asked is not None:
            self.while_asked()
        return answers

    def replace(self, absent: Iterable[int] = ()) -> None:
        self.generation += 1
        self.absent = self.history[self.generation] = set(absent)

    # -- its versions

    is_async = False
    stays_on_thread = True

    def watch(self, table: str) -> str:
        return table

    def read(self) -> Mapping[str, str]:
        if self.is_silent:
            raise OSError("the database does not answer")
        return {TABLE: f"version {self.generation}"}

    async def read_async(self) -> Mapping[str, str]:
        return self.read()


def loader_class_of(world: World) -> type[DataLoader[int, Any]]:
    """Returns a loader class that asks a world."""

    class NumberLoader(DataLoader[int, Any]):
        shared = True
        versioned_table = TABLE

        def batch_load(self, keys: list[int]) -> list[Any]:
            return world.fetch(keys)

    return NumberLoader


def registry_of(world: World, **options: Any) -> LoaderRegistry:  # noqa: ANN401 - Tiers' options
    """Returns a registry with tiers for it."""
    registry = LoaderRegistry()
    registry.tiers = Tiers(clock=world.clock, **options)
    registry.tiers.use(world)
    return registry
