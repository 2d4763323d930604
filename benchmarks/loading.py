"""What a loader costs without a source, against those of others, on an event loop."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import aiodataloader
import strawberry.dataloader

import dataloaders

from .measure import compare
from .node import node_peer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator

    from .measure import Result

KEYS_PER_ROUND = 3_000


class Loader(Protocol):
    """What all of them have in common."""

    def load(self, key: int) -> Awaitable[int]:
        """Loads one key."""

    def load_many(self, keys: list[int]) -> Awaitable[list[int]]:
        """Loads several."""


async def echo(keys: list[int]) -> list[int]:
    """Answers each key with itself."""
    return keys


async def gathered(loader: Loader, keys: list[int]) -> float:
    """Loads each key by itself and gathers the futures; returns seconds."""
    begin = time.perf_counter()
    await asyncio.gather(*[loader.load(key) for key in keys])
    return time.perf_counter() - begin


async def many(loader: Loader, keys: list[int]) -> float:
    """Loads all keys by one `load_many`; returns seconds."""
    begin = time.perf_counter()
    await loader.load_many(keys)
    return time.perf_counter() - begin


def results(rounds: int) -> Iterator[Result]:
    """Yields the comparisons, on one event loop; each batch has a loader of its own."""
    with asyncio.Runner() as runner, node_peer() as node:
        for way, title, wanted in (
            (gathered, "`load` of each key, gathered", 0.85),
            (many, "`load_many`", 0.3),
        ):
            for size in (10, 50, 1_000):
                batches = KEYS_PER_ROUND // size
                ours = _timed(runner, way, dataloaders.DataLoader, size, batches)
                peers = {
                    "aiodataloader": _timed(runner, way, aiodataloader.DataLoader, size, batches),
                    "strawberry's DataLoader": _timed(
                        runner, way, strawberry.dataloader.DataLoader, size, batches
                    ),
                }
                if node is not None:
                    peers["graphql/dataloader on Node.js"] = partial(
                        node, way.__name__, size, batches
                    )
                for peer, timed in peers.items():
                    yield compare(
                        f"{title}, {size} keys",
                        ours,
                        timed,
                        against=f"{peer}, the same calls",
                        units=batches * size,
                        unit="key",
                        rounds=rounds,
                        wanted=wanted if peer == "aiodataloader" else None,
                    )


def _timed(
    runner: asyncio.Runner,
    way: Callable[[Loader, list[int]], Coroutine[Any, Any, float]],
    loader_class: Callable[..., Loader],
    size: int,
    batches: int,
) -> Callable[[], float]:
    keys = list(range(size))

    async def seconds() -> float:
        return sum([await way(loader_class(echo), keys) for _ in range(batches)])

    return lambda: runner.run(seconds())
