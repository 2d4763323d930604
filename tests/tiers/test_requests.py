"""What requests see of tiers: hits, isolation, flights, what was cleared, what failed."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from typing import Any

import pytest

from dataloaders import DataLoader, LoaderRegistry
from dataloaders.errors import ConfigurationError
from dataloaders.tiers.tiers import Tiers
from tests.threads import SECONDS, spawn
from tests.tiers.world import TABLE, World, loader_class_of, registry_of


@pytest.fixture
def world() -> World:
    return World()


def in_a_request(
    registry: LoaderRegistry, loader_class: type[DataLoader[Any, Any]], *keys: int
) -> list[Any]:
    with registry.scope() as scope:
        loader = scope.loader(loader_class)
        return [loader.get(key) for key in keys]


async def loaded(loader: DataLoader[Any, Any], keys: list[int]) -> list[Any]:
    return await asyncio.gather(*map(loader.load, keys))


def test_what_one_request_has_loaded_the_next_one_need_not(world: World) -> None:
    registry, loader_class = registry_of(world), loader_class_of(world)
    first = in_a_request(registry, loader_class, 1, 2)
    assert in_a_request(registry, loader_class, 2, 1, 3) == [first[1], first[0], (3, 0)]
    assert world.asked == [[1], [2], [3]]


@pytest.mark.parametrize("way", ["get", "get_many", "load", "load_many"])
def test_all_ways_of_asking_find_what_is_kept(world: World, way: str) -> None:
    registry, loader_class = registry_of(world), loader_class_of(world)
    in_a_request(registry, loader_class, 1, 2, 3)
    world.asked.clear()
    with registry.scope() as scope:
        loader = scope.loader(loader_class)

        async def load_many() -> list[Any]:
            return await loader.load_many([3, 4, 1])

        if way == "get":
            answers = [loader.get(key) for key in (3, 4, 1)]
        elif way == "get_many":
            answers = loader.get_many([3, 4, 1])
        elif way == "load":
            answers = asyncio.run(loaded(loader, [3, 4, 1]))
        else:
            answers = asyncio.run(load_many())
    assert answers == [(3, 0), (4, 0), (1, 0)]
    assert world.asked == [[4]]


def test_an_absence_is_kept_for_a_time_of_its_own(world: World) -> None:
    registry, loader_class = (
        registry_of(world, seconds=100, absent_seconds=10),
        loader_class_of(world),
    )
    world.absent = {1}
    assert in_a_request(registry, loader_class, 1, 2) == [None, (2, 0)]
    world.now += 9
    assert in_a_request(registry, loader_class, 1, 2) == [None, (2, 0)]
    assert world.asked == [[1], [2]]
    world.now += 2
    in_a_request(registry, loader_class, 1, 2)
    assert world.asked == [[1], [2], [1]]
    world.now += 100
    in_a_request(registry, loader_class, 1, 2)
    assert world.asked == [[1], [2], [1], [1], [2]]


def test_the_least_recently_asked_keys_go_when_there_are_too_many(world: World) -> None:
    registry, loader_class = registry_of(world, max_keys=2), loader_class_of(world)
    in_a_request(registry, loader_class, 1, 2)
    in_a_request(registry, loader_class, 1)
    in_a_request(registry, loader_class, 3)
    world.asked.clear()
    in_a_request(registry, loader_class, 1, 2)
    assert world.asked == [[2]]


def test_a_request_goes_on_with_the_generation_that_it_began_with(world: World) -> None:
    registry, loader_class = registry_of(world, check_seconds=0), loader_class_of(world)
    in_a_request(registry, loader_class, 1, 2)
    with registry.scope() as scope:
        loader = scope.loader(loader_class)
        assert loader.get(1) == (1, 0)
        world.replace()
        assert in_a_request(registry, loader_class, 1) == [(1, 1)]
        assert loader.get(2) == (2, 0)  # what is kept of its own generation
        assert loader.get(3) == (3, 1)  # what only the source can say, which is newer
        assert [loader.get(key) for key in (1, 2)] == [(1, 1), (2, 1)]  # and so is the rest


def test_all_loaders_of_a_request_go_by_one_generation(world: World) -> None:
    registry = registry_of(world, check_seconds=0)
    one, other = loader_class_of(world), loader_class_of(world)
    other.__name__ = "OtherLoader"
    in_a_request(registry, one, 1)
    in_a_request(registry, other, 1)
    with registry.scope() as scope:
        assert scope.loader(one).get(1) == (1, 0)
        world.replace()
        in_a_request(registry, other, 1)
        assert scope.loader(other).get(1) == (1, 0)
        assert scope.loader(other).get(2) == (2, 1)
        assert scope.loader(one).get(1) == (1, 1)


def test_a_source_that_changes_under_a_batch_is_asked_again(world: World) -> None:
    registry, loader_class = registry_of(world, check_seconds=100), loader_class_of(world)
    in_a_request(registry, loader_class, 1)

    def change() -> None:
        world.while_asked = None
        world.replace()

    with registry.scope() as scope:
        world.while_asked = change
        assert scope.loader(loader_class).get_many([1, 2]) == [(1, 1), (2, 1)]
    assert registry.tiers is not None
    assert registry.tiers.counts()["NumberLoader"].repeated > 0
    world.asked.clear()
    in_a_request(registry, loader_class, 1, 2)
    assert world.asked == []  # what came in the end is kept


def test_a_source_that_never_stands_still_is_answered_from_and_not_kept(world: World) -> None:
    registry, loader_class = registry_of(world, check_seconds=0), loader_class_of(world)
    world.while_asked = world.replace
    (answer,) = in_a_request(registry, loader_class, 1)
    assert answer[0] == 1
    world.while_asked = None
    assert in_a_request(registry, loader_class, 1) == [(1, world.generation)]


def test_without_versions_nothing_is_served_from_tiers(world: World) -> None:
    registry, loader_class = registry_of(world, check_seconds=1), loader_class_of(world)
    in_a_request(registry, loader_class, 1)
    world.is_silent = True
    world.now += 2
    world.replace()  # of which nobody can know
    assert in_a_request(registry, loader_class, 1) == [(1, 1)]
    world.is_silent = False
    world.now += 2
    world.asked.clear()
    assert in_a_request(registry, loader_class, 1) == [(1, 1)]
    assert world.asked == [[1]]


def test_a_cleared_key_is_asked_of_the_source_by_this_request_and_by_others(world: World) -> None:
    registry, loader_class = registry_of(world), loader_class_of(world)
    in_a_request(registry, loader_class, 1, 2)
    world.asked.clear()
    with registry.scope() as scope:
        scope.loader(loader_class).clear(1)
        in_a_request(registry, loader_class, 1)
        assert world.asked == [[1]]
        scope.loader(loader_class).get_many([1, 2])
    assert world.asked == [[1], [1]]


def test_an_answer_from_before_a_clear_is_not_kept(world: World) -> None:
    registry, loader_class = registry_of(world), loader_class_of(world)
    with registry.scope() as scope, registry.scope() as other:
        scope.loader(loader_class).get(2)
        other.loader(loader_class).get(2)

        def clear() -> None:
            world.while_asked = None
            other.loader(loader_class).clear(1)

        world.while_asked = clear
        scope.loader(loader_class).get(1)
    world.asked.clear()
    in_a_request(registry, loader_class, 1)
    assert world.asked == [[1]]


def test_threads_of_several_requests_fetch_a_key_once(world: World) -> None:
    registry, loader_class = registry_of(world), loader_class_of(world)
    in_a_request(registry, loader_class, 100)
    world.asked.clear()
    gate, begun = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        assert gate.wait(SECONDS)

    world.while_asked = wait
    threads = [spawn(in_a_request, registry, loader_class, 1, 2)]
    assert begun.wait(SECONDS)
    threads += [spawn(in_a_request, registry, loader_class, 1, 2) for _ in range(7)]
    assert registry.tiers is not None
    gate.set()
    assert [thread.result(SECONDS) for thread in threads] == [[(1, 0), (2, 0)]] * 8
    asked = [key for keys in world.asked for key in keys]
    assert sorted(asked) == [1, 2]


def test_who_waits_for_a_flight_that_fails_asks_for_itself(world: World) -> None:
    registry, loader_class = registry_of(world), loader_class_of(world)
    in_a_request(registry, loader_class, 100)
    gate, begun = threading.Event(), threading.Event()

    class Killed(BaseException):
        pass

    def die() -> None:
        world.while_asked = None
        begun.set()
        assert gate.wait(SECONDS)
        raise Killed

    world.while_asked = die
    first = spawn(in_a_request, registry, loader_class, 1)
    assert begun.wait(SECONDS)
    second = spawn(in_a_request, registry, loader_class, 1)
    gate.set()
    assert second.result(SECONDS) == [(1, 0)]
    with pytest.raises(Killed):
        first.result(SECONDS)


def test_a_key_that_failed_is_not_kept(world: World) -> None:
    registry = registry_of(world)

    class FailingLoader(DataLoader[int, Any]):
        shared = True
        versioned_table = TABLE

        def batch_load(self, keys: list[int]) -> list[Any]:
            world.asked.append(keys)
            return [ValueError(key) if key == 1 else key for key in keys]

    for _ in range(2):
        with registry.scope() as scope:
            outcomes = scope.loader(FailingLoader).get_many([1, 2], return_exceptions=True)
            assert str(outcomes[0]) == "1"
            assert outcomes[1] == 2
    assert world.asked == [[1, 2], [1]]


async def test_a_cancelled_request_leaves_no_flight_behind(world: World) -> None:
    registry = registry_of(world)
    begun, gate = asyncio.Event(), asyncio.Event()

    class SlowLoader(DataLoader[int, Any]):
        shared = True
        versioned_table = TABLE

        async def batch_load(self, keys: list[int]) -> list[Any]:
            world.asked.append(keys)
            begun.set()
            await gate.wait()
            return keys

    world.is_async = True

    async def request() -> Any:  # noqa: ANN401 - a number
        async with registry.scope() as scope:
            return await scope.loader(SlowLoader).load(1)

    first = asyncio.create_task(request())
    await asyncio.wait_for(begun.wait(), SECONDS)
    second = asyncio.create_task(request())
    await asyncio.sleep(0.05)
    assert world.asked == [[1]]  # the second waits for the first
    first.cancel()
    gate.set()
    assert await asyncio.wait_for(second, SECONDS) == 1
    await asyncio.gather(first, return_exceptions=True)


def test_a_loader_that_is_not_shared_has_no_tier(world: World) -> None:
    registry = registry_of(world)

    class PrivateLoader(DataLoader[int, Any]):
        versioned_table = TABLE

        def batch_load(self, keys: list[int]) -> list[Any]:
            return world.fetch(keys)

    in_a_request(registry, PrivateLoader, 1)
    in_a_request(registry, PrivateLoader, 1)
    assert world.asked == [[1], [1]]
    with pytest.raises(ConfigurationError, match=r"PrivateLoader.*shared"):
        PrivateLoader(tiers=registry.tiers)


def test_a_loader_without_versions_says_itself_how_long_its_values_are_kept(world: World) -> None:
    registry = registry_of(world)

    class PlainLoader(DataLoader[int, Any]):
        shared = True

        def batch_load(self, keys: list[int]) -> list[Any]:
            return world.fetch(keys)

    class KeptLoader(PlainLoader):
        kept_seconds = 5.0

    in_a_request(registry, PlainLoader, 1)
    in_a_request(registry, PlainLoader, 1)
    assert world.asked == [[1], [1]]
    in_a_request(registry, KeptLoader, 2)
    in_a_request(registry, KeptLoader, 2)
    world.now += 6
    in_a_request(registry, KeptLoader, 2)
    assert world.asked == [[1], [1], [2], [2]]


def test_a_loader_made_by_hand_takes_tiers_as_an_argument(world: World) -> None:
    tiers = registry_of(world).tiers
    loader_class = loader_class_of(world)
    assert loader_class(tiers=tiers).get(1) == (1, 0)
    assert loader_class(tiers=tiers).get(1) == (1, 0)
    assert world.asked == [[1]]


def test_lookups_outside_requests_see_a_new_generation(world: World) -> None:
    registry, loader_class = registry_of(world, check_seconds=0), loader_class_of(world)
    assert registry.loader(loader_class).get(1) == (1, 0)
    assert registry.loader(loader_class).get(1) == (1, 0)
    world.replace()
    assert registry.loader(loader_class).get(1) == (1, 1)
    assert world.asked == [[1], [1]]


def test_a_hold_without_an_end_is_looked_at_when_it_is_over(world: World) -> None:
    registry, loader_class = registry_of(world, check_seconds=3_600), loader_class_of(world)
    in_a_request(registry, loader_class, 1)
    assert registry.tiers is not None
    registry.tiers.hold()
    in_a_request(registry, loader_class, 1)  # before the commit
    world.replace()  # and the writer is not heard of again
    world.now += 60
    assert in_a_request(registry, loader_class, 1) == [(1, 1)]
    world.asked.clear()
    world.now += 60
    assert in_a_request(registry, loader_class, 1) == [(1, 1)]


def test_an_empty_table_is_bridged_for_a_time(world: World) -> None:
    registry = registry_of(world, check_seconds=0, bridge_seconds=30)
    loader_class = loader_class_of(world)
    loader_class.source_is_empty = lambda _self: world.absent >= set(range(10))  # type: ignore[assignment, method-assign]  # a test's own
    in_a_request(registry, loader_class, 1)
    world.replace(absent=range(10))  # the first of two transactions
    assert in_a_request(registry, loader_class, 1, 2) == [(1, 0), None]
    world.replace(absent=range(10))
    assert in_a_request(registry, loader_class, 1) == [(1, 0)]
    assert registry.tiers is not None
    assert registry.tiers.counts()["NumberLoader"].bridged == 2
    world.replace(absent=[3])  # the second
    assert in_a_request(registry, loader_class, 1, 3) == [(1, 3), None]
    world.replace(absent=range(10))
    assert in_a_request(registry, loader_class, 1) == [(1, 3)]
    world.now += 31
    assert in_a_request(registry, loader_class, 1) == [None]


def test_a_table_that_is_not_empty_is_not_bridged(world: World) -> None:
    registry = registry_of(world, check_seconds=0, bridge_seconds=30)
    loader_class = loader_class_of(world)
    in_a_request(registry, loader_class, 1)
    world.replace(absent=[1])
    assert in_a_request(registry, loader_class, 1) == [None]


def test_a_closed_request_is_freed_at_once(world: World) -> None:
    registry, loader_class = registry_of(world), loader_class_of(world)
    gc.disable()
    try:
        with registry.scope() as scope:
            loader = scope.loader(loader_class)
            loader.get(1)
        freed = weakref.ref(loader)
        del loader
        assert freed() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_keys", 0), ("seconds", -1), ("check_seconds", "1"), ("bridge_seconds", True)],
)
def test_limits_are_checked(name: str, value: Any) -> None:  # noqa: ANN401 - wrong ones
    with pytest.raises(ConfigurationError, match=f"Tiers.{name}"):
        Tiers(**{name: value})
