"""The way back: a query for each lookup, and batches that are compared with such queries."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
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


WAYS = ["get", "get_many", "load", "load_many"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_off_asks_for_each_lookup_alone_with_the_same_answers(
    source: Source, way: str, kind: str
) -> None:
    if kind == "async" and way.startswith("get"):
        pytest.skip("an async batch function is for load")
    keys = [1, 2, 0, -3, 1, 2]
    expected = outcomes(loader_of(Source(), "on", kind), way, keys)
    assert outcomes(loader_of(source, "off", kind), way, keys) == expected
    assert source.asked == [[key] for key in keys]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_shadow_gives_the_answers_of_single_queries_and_asks_a_batch_beside_them(
    source: Source,
    way: str,
    kind: str,
    differences: Differences,
) -> None:
    if kind == "async" and way.startswith("get"):
        pytest.skip("an async batch function is for load")
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
