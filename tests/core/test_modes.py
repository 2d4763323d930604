"""The way back: a query for each lookup, and batches that are compared with such queries."""

from __future__ import annotations

import asyncio
import gc
import logging
import subprocess
import sys
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from dataloaders import DataLoader, LoaderRegistry
from dataloaders.errors import ConfigurationError
from dataloaders.modes import mode_of
from dataloaders.shadow import Differences


class Source:
    """Answers keys; what it is asked for, it notes."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.wrong: set[int] = set()
        self.changing = False

    def fetch(self, keys: list[int]) -> list[Any]:
        self.asked.append(list(keys))
        if self.changing:
            return [len(self.asked)] * len(keys)
        return [
            ValueError(key)
            if key < 0
            else None
            if key == 0
            else -key
            if key in self.wrong and len(keys) > 1
            else key
            for key in keys
        ]


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture(autouse=True)
def differences(monkeypatch: pytest.MonkeyPatch) -> Differences:
    """Those of a test alone."""
    found = Differences()
    monkeypatch.setattr("dataloaders.shadow.differences", found)
    return found


def loader_of(source: Source, mode: str, kind: str = "sync") -> DataLoader[int, Any]:
    class NumberLoader(DataLoader[int, Any]):
        lookahead = "on"

        def batch_load(self, keys: list[int]) -> Any:  # noqa: ANN401 - see DataLoader
            return source.fetch(keys)

    class AsyncNumberLoader(DataLoader[int, Any]):
        async def batch_load(self, keys: list[int]) -> Any:  # noqa: ANN401 - see DataLoader
            return source.fetch(keys)

    registry = LoaderRegistry()
    registry.mode = mode
    return registry.scope().loader(AsyncNumberLoader if kind == "async" else NumberLoader)


def outcomes(loader: DataLoader[int, Any], way: str, keys: list[int]) -> list[Any]:
    """What each key comes to, errors by their type and text."""

    async def loaded() -> list[Any]:
        if way == "load":
            found = await asyncio.gather(*map(loader.load, keys), return_exceptions=True)
        else:
            found = await loader.load_many(keys, return_exceptions=True)
        await asyncio.sleep(0.1)  # for what goes on beside them
        return found

    if way in {"load", "load_many"}:
        found = asyncio.run(loaded())
    elif way == "get_many":
        found = loader.get_many(keys, return_exceptions=True)
    else:
        found = []
        for key in keys:
            try:
                found.append(loader.get(key))
            except ValueError as error:
                found.append(error)
    return [repr(each) for each in found]


WAYS = [
    *(("sync", way) for way in ("get", "get_many", "load", "load_many")),
    *(("async", way) for way in ("load", "load_many")),
]


@pytest.mark.parametrize(("kind", "way"), WAYS)
def test_off_asks_for_each_lookup_alone_with_the_same_answers(
    source: Source, way: str, kind: str
) -> None:
    keys = [1, 2, 0, -3, 1, 2]
    expected = outcomes(loader_of(Source(), "on", kind), way, keys)
    assert outcomes(loader_of(source, "off", kind), way, keys) == expected
    asked = [[key] for key in keys]
    # Those of an event loop are under way at the same time, in threads.
    assert source.asked == asked or (
        way.startswith("load") and sorted(source.asked) == sorted(asked)
    )


@pytest.mark.parametrize(("kind", "way"), WAYS)
def test_shadow_gives_the_answers_of_single_queries_and_asks_a_batch_beside_them(
    source: Source,
    way: str,
    kind: str,
    differences: Differences,
) -> None:
    keys = [1, 2, 0, -3, 4]
    expected = outcomes(loader_of(Source(), "on", kind), way, keys)
    source.wrong = {2, 4}
    loader = loader_of(source, "shadow", kind)
    assert outcomes(loader, way, keys) == expected
    assert [asked for asked in source.asked if len(asked) > 1]  # the batch
    assert differences.compared == len(keys)
    assert sorted((each.key, each.single, each.batched) for each in differences.newest) == [
        (2, 2, -2),
        (4, 4, -4),
    ]
    assert differences.differed == 2


def test_what_changes_between_the_two_is_no_difference(
    source: Source, differences: Differences
) -> None:
    loader = loader_of(source, "shadow")

    def changes_once(keys: list[int]) -> list[Any]:
        source.asked.append(keys)
        return [min(len(source.asked), 2)] * len(keys)

    source.fetch = changes_once  # type: ignore[method-assign]  # the test's own
    assert loader.get(1) == 1
    assert (differences.changed, differences.differed) == (1, 0)


def test_a_batch_that_fails_is_a_difference_and_no_error(
    source: Source, differences: Differences, caplog: pytest.LogCaptureFixture
) -> None:
    right = source.fetch

    def fetch(keys: list[int]) -> list[Any]:
        if len(keys) > 1:
            raise OSError("the batch is too large")
        return right(keys)

    source.fetch = fetch  # type: ignore[method-assign]  # the test's own
    with caplog.at_level(logging.WARNING):
        assert loader_of(source, "shadow").get_many([1, 2]) == [1, 2]
    assert differences.differed == 2
    assert "too large" in caplog.text


def shadow_of(answers: Any) -> DataLoader[int, Any]:  # noqa: ANN401 - any batch function
    """A loader of what an async batch function answers, that is compared with one that batches."""

    class AnyLoader(DataLoader[int, Any]):
        async def batch_load(self, keys: list[int]) -> Any:  # noqa: ANN401 - see DataLoader
            return await answers(keys)

    registry = LoaderRegistry()
    registry.mode = "shadow"
    return registry.scope().loader(AnyLoader)


@pytest.fixture
def unseen() -> list[str]:
    """What event loops say of errors that nobody has seen."""
    return []


def run_until_idle(asking: Any, unseen: list[str]) -> Any:  # noqa: ANN401 - a coroutine, and its result
    async def main() -> Any:  # noqa: ANN401 - as above
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: unseen.append(str(context)))
        found = await asking
        await asyncio.sleep(0.1)
        gc.collect()
        return found

    return asyncio.run(main())


def test_one_keys_error_raised_by_load_many_leaves_the_other_keys_compared(
    differences: Differences, unseen: list[str]
) -> None:
    async def answers(keys: list[int]) -> list[Any]:
        wrong = len(keys) > 1
        return [ValueError(key) if key < 0 else -key if wrong else key for key in keys]

    async def ask() -> None:
        with pytest.raises(ValueError, match="-3"):
            await shadow_of(answers).load_many([1, -3, 2])

    run_until_idle(ask(), unseen)
    assert differences.compared == 3
    assert [each.key for each in differences.newest] == [1, 2]
    assert unseen == []


def test_a_list_that_its_caller_goes_on_to_change_is_no_difference(
    differences: Differences, unseen: list[str]
) -> None:
    async def answers(keys: list[int]) -> list[int]:
        await asyncio.sleep(0.02 if len(keys) > 1 else 0)
        return keys

    async def ask() -> None:
        found = await shadow_of(answers).load_many([1, 2, 3])
        found.pop()

    run_until_idle(ask(), unseen)
    assert (differences.compared, differences.differed) == (3, 0)
    assert unseen == []


def test_a_caller_is_answered_when_the_batch_is_done_too(differences: Differences) -> None:
    under_way: set[tuple[int, ...]] = set()

    async def answers(keys: list[int]) -> list[int]:
        under_way.add(tuple(keys))
        await asyncio.sleep(0.05 * len(keys))
        under_way.discard(tuple(keys))
        return keys

    async def ask() -> set[tuple[int, ...]]:
        loader = shadow_of(answers)
        assert [*await asyncio.gather(loader.load(1), loader.load(2))] == [1, 2]
        assert differences.compared == 2
        return set(under_way)

    assert asyncio.run(ask()) == set()


def test_what_a_loop_that_ends_leaves_undone_is_no_difference(
    differences: Differences, caplog: pytest.LogCaptureFixture
) -> None:
    async def answers(keys: list[int]) -> list[int]:
        if len(keys) > 1:
            await asyncio.sleep(60)
        return keys

    async def ask() -> None:
        loader = shadow_of(answers)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.gather(loader.load(1), loader.load(2)), 0.05)

    asyncio.run(ask())
    gc.collect()
    assert differences.differed == 0
    assert caplog.text == ""


def test_a_loop_that_ends_before_a_difference_is_asked_for_again_finds_none(
    differences: Differences, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[list[int]] = []

    async def answers(keys: list[int]) -> list[int]:
        asked.append(keys)
        if len(asked) > 3:  # each alone, and both together
            await asyncio.sleep(60)
        return [-key for key in keys] if len(keys) > 1 else keys

    async def ask() -> None:
        loader = shadow_of(answers)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.gather(loader.load(1), loader.load(2)), 0.05)

    asyncio.run(ask())
    gc.collect()
    assert len(asked) > 3
    assert differences.differed == 0
    assert caplog.text == ""


def test_callers_who_go_away_leave_no_error_behind(
    differences: Differences, unseen: list[str]
) -> None:
    async def answers(keys: list[int]) -> list[int]:
        if len(keys) > 1:
            raise OSError("the batch is too large")
        await asyncio.sleep(0.05)
        return keys

    async def ask() -> None:
        loader = shadow_of(answers)
        futures = [loader.load(1), loader.load(2)]
        await asyncio.sleep(0.01)
        for future in futures:
            future.cancel()

    run_until_idle(ask(), unseen)
    assert (differences.compared, differences.differed) == (2, 2)
    assert unseen == []


class Plain:
    """A value that equals itself alone."""

    def __init__(self, value: object) -> None:
        self.value = value
        self._number = next(_numbers)


_numbers = count()


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value


@dataclass
class Priced:
    price: float


class Hostile:
    """A value that cannot be compared, and hardly looked at."""

    __hash__ = None  # type: ignore[assignment]  # as with any __eq__

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("ambiguous")

    def __repr__(self) -> str:
        raise RuntimeError("unwritable")


@pytest.mark.parametrize(
    ("one", "other", "is_difference"),
    [
        (float("nan"), float("nan"), False),
        (Priced(float("nan")), Priced(float("nan")), False),
        ([Plain(1), Plain(2)], [Plain(1), Plain(2)], False),
        ([Plain(1), Plain(2)], [Plain(2), Plain(1)], True),
        ([Plain(1)], [Plain(1), Plain(2)], True),
        ({"a": Plain([1])}, {"a": Plain([1])}, False),
        ({"a": Plain([1])}, {"a": Plain([2])}, True),
        (Slotted("x"), Slotted("x"), False),
        (Slotted("x"), Slotted("y"), True),
        (Hostile(), Hostile(), True),
        (1, "1", True),
        (None, [], True),
        (ValueError("a"), ValueError("a"), False),
        (ValueError("a"), ValueError("b"), True),
        (ValueError("a"), KeyError("a"), True),
        (ValueError("a\n[one key]"), ValueError("a\n[two keys]"), False),
        (ValueError("a"), None, True),
    ],
)
def test_values_are_compared_by_what_they_are(
    one: object,
    other: object,
    is_difference: bool,  # noqa: FBT001 - a parameter
    differences: Differences,
) -> None:
    registry = LoaderRegistry()
    registry.mode = "shadow"

    class OneLoader(DataLoader[int, Any]):
        def batch_load(self, keys: list[int]) -> list[Any]:
            return [one] if len(keys) == 1 else [other] * len(keys)

    registry.scope().loader(OneLoader).get_many([1, 2], return_exceptions=True)
    assert differences.compared == 2
    assert differences.differed == (2 if is_difference else 0)


def test_an_error_that_load_many_raises_is_not_taken_for_a_change(
    differences: Differences, unseen: list[str]
) -> None:
    async def answers(keys: list[int]) -> list[Any]:
        return [ValueError(key) if key < 0 else key for key in keys]

    async def ask() -> None:
        with pytest.raises(ValueError, match="-3"):
            await shadow_of(answers).load_many([1, -3, 2])

    run_until_idle(ask(), unseen)
    assert (differences.compared, differences.changed, differences.differed) == (3, 0, 0)


def test_what_an_error_says_of_its_batch_is_no_difference(
    source: Source, differences: Differences
) -> None:
    source.fetch = lambda keys: [*keys, 0]  # type: ignore[method-assign]  # the test's own
    loader_of(source, "shadow").get_many([1, 2], return_exceptions=True)
    assert (differences.compared, differences.differed) == (2, 0)


@pytest.mark.parametrize("way", ["clear", "clear_all"])
def test_what_is_forgotten_is_no_difference(
    source: Source, differences: Differences, way: str
) -> None:
    loader = loader_of(source, "shadow")
    assert loader.get(1) == 1
    source.fetch = lambda keys: [10 * key for key in keys]  # type: ignore[method-assign]  # the test's own
    loader.clear(1) if way == "clear" else loader.clear_all()
    assert loader.get(1) == 10
    assert (differences.compared, differences.differed) == (2, 0)


def test_what_is_primed_or_announced_is_so_for_the_one_that_batches(
    source: Source, differences: Differences
) -> None:
    loader = loader_of(source, "shadow")
    assert loader.prime(1, 99).get(1) == 1
    assert [(each.single, each.batched) for each in differences.newest] == [(1, 99)]
    source.asked.clear()
    loader.expect(iter([2, 3]))
    for row in loader.over([{"n": 4}], "n"):
        assert loader.get(2) == 2
        assert loader.get(row["n"]) == 4
    assert source.asked == [[2], [2, 3, 4], [4]]
    assert loader.stats.used == 1


def test_a_batch_function_that_is_the_loaders_own_method_goes_along(source: Source) -> None:
    class MethodLoader(DataLoader[int, Any]):
        def __init__(self) -> None:
            super().__init__(self.fetch)

        def fetch(self, keys: list[int]) -> list[Any]:
            source.asked.append([self.mode, *keys])  # type: ignore[list-item]  # to tell them apart
            return keys

    registry = LoaderRegistry()
    registry.mode = "shadow"
    registry.scope().loader(MethodLoader).get_many([1, 2])
    assert source.asked == [["shadow", 1], ["shadow", 2], ["on", 1, 2]]


def test_what_a_subclass_gives_itself_late_is_there_in_shadow(
    differences: Differences, monkeypatch: pytest.MonkeyPatch
) -> None:
    class LateLoader(DataLoader[int, int]):
        def __init__(self) -> None:
            super().__init__()
            self.factor = 10

        def batch_load(self, keys: list[int]) -> list[int]:
            return [self.factor * key for key in keys]

    monkeypatch.setattr("dataloaders.modes.default_mode", lambda: "shadow")
    assert LateLoader().get_many([1, 2]) == [10, 20]
    assert (differences.compared, differences.changed, differences.differed) == (2, 0, 0)


@pytest.mark.parametrize("mode", ["off", "shadow"])
def test_a_cache_map_is_only_for_those_that_batch(source: Source, mode: str) -> None:
    kept: dict[Any, Any] = {1: "old"}

    class KeptLoader(DataLoader[int, Any]):
        def __init__(self) -> None:
            super().__init__(source.fetch, cache_map=kept)

    registry = LoaderRegistry()
    registry.mode = mode
    assert registry.scope().loader(KeptLoader).get_many([1, 2]) == [1, 2]


def test_differences_are_kept_and_logged_up_to_a_limit(
    source: Source, differences: Differences, caplog: pytest.LogCaptureFixture
) -> None:
    source.wrong = set(range(1, 301))
    loader_of(source, "shadow").get_many(range(1, 301))
    assert differences.differed == 300
    assert len(differences.newest) == 100
    assert len(caplog.records) == 100


def test_the_mode_is_asked_for_once_in_each_scope(source: Source) -> None:
    class NumberLoader(DataLoader[int, Any]):
        def batch_load(self, keys: list[int]) -> list[Any]:
            return source.fetch(keys)

    modes = iter(["off", "on", None])
    registry = LoaderRegistry()
    registry.mode = lambda: next(modes)
    sizes = []
    for _ in range(3):
        source.asked.clear()
        with registry.scope() as scope:
            scope.loader(NumberLoader).get_many([1, 2, 3])
        sizes.append(len(source.asked))
    assert sizes == [3, 1, 1]


def test_a_choice_that_fails_is_that_of_the_process(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataloaders.modes._told", [])

    def broken() -> str:
        raise KeyError("flag")

    assert mode_of(broken) == "on"
    assert mode_of(lambda: "sometimes") == "on"
    assert mode_of(None) == "on"
    assert mode_of("off") == "off"
    assert [record.levelname for record in caplog.records] == ["ERROR"]  # and no second time


def test_the_environment_says_it_for_a_process() -> None:
    program = (
        "from dataloaders import DataLoader\n"
        "asked = []\n"
        "loader = DataLoader(lambda keys: asked.append(keys) or keys)\n"
        "loader.get_many([1, 2]); print(asked)"
    )
    for mode, expected in (
        ("on", "[[1, 2]]"),
        ("off", "[[1], [2]]"),
        ("shadow", "[[1], [2], [1, 2]]"),
    ):
        done = subprocess.run(  # noqa: S603 - this test's own program
            [sys.executable, "-c", program],
            env={"DATALOADERS_MODE": mode},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert done.stdout.strip() == expected
    done = subprocess.run(  # noqa: S603 - as above
        [sys.executable, "-c", program],
        env={"DATALOADERS_MODE": "maybe"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "DATALOADERS_MODE must be on, shadow or off" in done.stderr


def test_a_primed_value_is_no_answer_when_batching_is_off(source: Source) -> None:
    loader = loader_of(source, "off")
    loader.prime(1, 99)
    assert loader.get(1) == 1
    loader.expect([1, 2])
    loader.clear(1)
    loader.clear_all()
    assert loader.get(2) == 2
    assert source.asked == [[1], [2]]


def test_a_setting_that_is_no_mode_is_an_error() -> None:
    from dataloaders.modes import checked_mode

    with pytest.raises(ConfigurationError, match="on, shadow or off"):
        checked_mode("DATALOADERS_MODE", "maybe")


def test_in_a_process_in_shadow_mode_a_loader_has_what_its_own_init_gives_it() -> None:
    program = (
        "from dataloaders import DataLoader\n"
        "from dataloaders.shadow import differences\n"
        "class Doubling(DataLoader):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.factor, self.asked = 2, []\n"
        "    def batch_load(self, keys):\n"
        "        self.asked.append(keys)\n"
        "        return [key * self.factor for key in keys]\n"
        "loader = Doubling()\n"
        "print(loader.get_many([1, 2]), loader.asked)\n"
        "print(differences.compared, differences.changed, differences.differed)\n"
    )
    done = subprocess.run(  # noqa: S603 - this test's own program
        [sys.executable, "-c", program],
        env={"DATALOADERS_MODE": "shadow"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "[2, 4] [[1], [2], [1, 2]]\n2 0 0\n"
