"""The list of used keys, and what is loaded because of it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from dataloaders.errors import ConfigurationError
from dataloaders.tiers import usage as usage_module
from dataloaders.tiers.tiers import Tiers
from dataloaders.tiers.usage import DAY, Usage
from tests.threads import SECONDS, until
from tests.tiers.world import World, loader_class_of, registry_of

if TYPE_CHECKING:
    from pathlib import Path


def listed(path: Path, loader: str = "NumberLoader") -> list[Any]:
    return list(json.loads(path.read_text())["loaders"][loader])


def test_the_keys_of_requests_are_listed_by_how_many_asked_for_them(tmp_path: Path) -> None:
    path = tmp_path / "used.json"
    world = World()
    registry = registry_of(world, warm_file=path, warm_keys=3)
    loader_class = loader_class_of(world)
    for keys in ([1, 2, 3, 4], [2, 2, 3], [2]):
        with registry.scope() as scope:
            for key in keys:
                scope.loader(loader_class).get(key)
    assert registry.tiers is not None
    assert registry.tiers.usage is not None
    registry.tiers.usage.save()
    assert listed(path) == [[2, 3], [3, 2], [1, 1]]


def test_another_process_loads_them_in_the_background(tmp_path: Path) -> None:
    path = tmp_path / "used.json"
    path.write_text(
        json.dumps({"since": time.time(), "loaders": {"NumberLoader": [[7, 9], [8, 1]]}})
    )
    world = World()
    registry = registry_of(world, warm_file=path)
    loader_class = loader_class_of(world)
    with registry.scope() as scope:
        assert scope.loader(loader_class).get(1) == (1, 0)
    until(lambda: [7, 8] in world.asked)
    tiers = registry.tiers
    assert tiers is not None

    def are_kept() -> bool:
        shelves = [] if tiers.newest is None else tiers.newest.shelves.values()
        return any(7 in shelf and 8 in shelf for _, shelf in shelves)

    until(are_kept)
    world.asked.clear()
    with registry.scope() as scope:
        assert scope.loader(loader_class).get_many([7, 8]) == [(7, 0), (8, 0)]
    assert world.asked == []


def test_no_request_waits_for_the_warming(tmp_path: Path) -> None:
    path = tmp_path / "used.json"
    keys = [[key, 1] for key in range(100, 200)]
    path.write_text(json.dumps({"since": time.time(), "loaders": {"NumberLoader": keys}}))
    world = World()
    gate = threading.Event()
    right = world.fetch

    def fetch(keys: list[int]) -> list[Any]:
        if 100 in keys:
            assert gate.wait(SECONDS)
        return right(keys)

    world.fetch = fetch  # type: ignore[method-assign]  # the test's own
    registry = registry_of(world, warm_file=path)
    loader_class = loader_class_of(world)
    with registry.scope() as scope:
        assert [scope.loader(loader_class).get(key) for key in (1, 2)] == [(1, 0), (2, 0)]
        assert not gate.is_set()
        gate.set()
        assert scope.loader(loader_class).get(150) == (150, 0)


def test_warming_that_fails_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "used.json"
    path.write_text(json.dumps({"since": time.time(), "loaders": {"NumberLoader": [[100, 1]]}}))
    world = World()
    right = world.fetch

    def fetch(keys: list[int]) -> list[Any]:
        if 100 in keys:
            raise OSError("the source is not there")
        return right(keys)

    world.fetch = fetch  # type: ignore[method-assign]  # the test's own
    registry = registry_of(world, warm_file=path)
    with registry.scope() as scope:
        assert scope.loader(loader_class_of(world)).get(1) == (1, 0)
    until(lambda: "is not warmed" in caplog.text)


def test_what_was_counted_long_ago_counts_half(tmp_path: Path) -> None:
    path = tmp_path / "used.json"
    old = {"since": time.time() - DAY - 1, "loaders": {"A": [["x", 10], ["y", 3]]}}
    path.write_text(json.dumps(old))
    usage = Usage(path, 10)
    usage.note("A", ["y", "y", "y"])
    usage.note("A", ["y", "y"])
    usage.save()
    assert listed(path, "A") == [["y", 6], ["x", 5]]
    assert json.loads(path.read_text())["since"] > time.time() - 60


def test_processes_add_to_one_list(tmp_path: Path) -> None:
    path = tmp_path / "used.json"
    one, other = Usage(path, 10), Usage(path, 10)
    one.note("A", [("x", "NSE")])
    other.note("A", [("x", "NSE"), ("y", "NSE")])
    one.save()
    other.save()
    one.save()  # nothing is counted twice
    assert listed(path, "A") == [[["x", "NSE"], 2], [["y", "NSE"], 1]]


def test_the_count_of_a_process_is_bounded(tmp_path: Path) -> None:
    usage = Usage(tmp_path / "used.json", 10)
    for start in range(0, 1_000, 5):
        usage.note("A", [*range(start, start + 5), "often"])
        assert len(usage._counts["A"]) <= 46
    usage.save()
    assert listed(tmp_path / "used.json", "A")[0][0] == "often"


def test_a_key_that_is_no_data_is_left_out(tmp_path: Path) -> None:
    usage = Usage(tmp_path / "used.json", 10)
    usage.note("A", [("x", object()), ("y", 1)])
    usage.save()
    assert listed(tmp_path / "used.json", "A") == [[["y", 1], 1]]


@pytest.mark.parametrize("content", [b"", b"{", b'{"since": "x"}', b"[" * 100_000, b"\xff"])
def test_a_list_that_cannot_be_read_is_begun_anew(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "used.json"
    path.write_bytes(content)
    usage = Usage(path, 10)
    with caplog.at_level(logging.WARNING):
        assert usage.most_used("A") == []
    assert "cannot be read" in caplog.text
    usage.note("A", [1])
    usage.save()
    assert listed(path, "A") == [[1, 1]]


def test_a_list_that_cannot_be_written_harms_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    usage = Usage(folder / "used.json", 10)
    folder.rmdir()
    usage.note("A", [1])
    usage.save()
    assert "cannot be written" in caplog.text
    with pytest.raises(ConfigurationError, match="warm_file"):
        Tiers(warm_file=folder / "used.json")


def test_it_is_saved_when_the_process_ends(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom dataloaders.tiers.usage import Usage\n"
        "usage = Usage(sys.argv[1], 10)\nusage.note('A', [1, 2])\n"
    )
    path = tmp_path / "used.json"
    subprocess.run([sys.executable, "-c", program, path], check=True, timeout=60)  # noqa: S603 - this test's own program
    assert listed(path, "A") == [[1, 1], [2, 1]]


def test_it_is_saved_from_time_to_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_module, "SAVE_SECONDS", 0.0)
    path = tmp_path / "used.json"
    world = World()
    registry = registry_of(world, warm_file=path)
    with registry.scope() as scope:
        scope.loader(loader_class_of(world)).get(1)
    until(path.exists)
    assert listed(path) == [[1, 1]]
