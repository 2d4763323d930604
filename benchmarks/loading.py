"""What a loader costs without a source: against aiodataloader, on an event loop."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import aiodataloader

import dataloaders

from .measure import compare

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from .measure import Result

KEYS_PER_ROUND = 3_000


async def echo(keys: list[int]) -> list[int]:
    """Answers each key with itself."""
    return keys


async def gathered(loader: aiodataloader.DataLoader[int, int], keys: list[int]) -> float:
    """Loads each key by itself and gathers the futures; returns seconds."""
    begin = time.perf_counter()
    await asyncio.gather(*[loader.load(key) for key in keys])
    return time.perf_counter() - begin


async def many(loader: aiodataloader.DataLoader[int, int], keys: list[int]) -> float:
    """Loads all keys by one `load_many`; returns seconds."""
    begin = time.perf_counter()
    await loader.load_many(keys)
    return time.perf_counter() - begin


def results(rounds: int) -> Iterator[Result]:
    """Yields the comparisons, on one event loop; each batch has a loader of its own."""
    with asyncio.Runner() as runner:
        for way, title, wanted in (
            (gathered, "`load` of each key, gathered", 0.85),
            (many, "`load_many`", 0.3),
        ):
            for size in (10, 50, 1_000):
                yield compare(
                    f"{title}, {size} keys",
                    _timed(runner, way, dataloaders.DataLoader, size),
                    _timed(runner, way, aiodataloader.DataLoader, size),
                    against="aiodataloader, the same calls",
                    units=KEYS_PER_ROUND // size * size,
                    unit="key",
                    rounds=rounds,
                    wanted=wanted,
                )


def _timed(
    runner: asyncio.Runner,
    way: Callable[[aiodataloader.DataLoader[int, int], list[int]], Coroutine[Any, Any, float]],
    loader_class: type[aiodataloader.DataLoader[int, int]],
    size: int,
) -> Callable[[], float]:
    keys = list(range(size))

    async def batches() -> float:
        return sum([await way(loader_class(echo), keys) for _ in range(KEYS_PER_ROUND // size)])

    return lambda: runner.run(batches())
