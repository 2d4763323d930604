"""Programs that measure memory: `python -m tests.sql.measuring SCENARIO URL ...` prints JSON.

They are programs, because in a test run there is more going on.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import sys
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, create_engine, insert

from dataloaders.sql import EngineRegistry, TableLoader

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 2_000
KEYS = 1_000  # of the one large batch

things = Table(
    "things",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("code", String(40), index=True),
    Column("place", String(10)),
    Column("text", String(100)),
)


class ThingLoader(TableLoader[Any]):
    table, key = things, ("code", "place")


def place(number: int) -> str | None:
    return None if number % 7 == 0 else "X"


def fill(engine: Engine) -> None:
    things.create(engine)
    rows = [
        {"id": n, "code": f"code {n}", "place": place(n), "text": f"{n} " * 10}
        for n in range(1, ROWS + 1)
    ]
    with engine.begin() as connection:
        connection.execute(insert(things), rows)


def keys(number: int) -> list[tuple[str, str | None]]:
    """Returns keys of half as many rows; the others are unknown, and never the same."""
    known = random.sample(range(1, ROWS + 1), number // 2)
    unknown = [(f"unknown {random.random()}", "X") for _ in range(number - len(known))]
    return [(f"code {n}", place(n)) for n in known] + unknown


def assert_right(asked: list[tuple[str, str | None]], records: list[Any]) -> None:
    found = [None if record is None else (record.code, record.place) for record in records]
    assert found == [key if key[0].startswith("code") else None for key in asked]


def resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def growth(url: str, batches: str) -> dict[str, int]:
    """Returns by how many bytes the process grows in so many batches, after a warm-up."""
    registry = EngineRegistry(create_engine(url))

    async def load(asked: list[tuple[str, str | None]]) -> None:
        assert_right(asked, await ThingLoader.current().load_many(asked))

    def run(number: int) -> None:
        for each in range(number):
            asked = keys(random.randrange(1, 60))
            with registry.scope():
                if each % 100 == 0:
                    asyncio.run(load(asked))
                else:
                    assert_right(asked, ThingLoader.current().get_many(asked))
                    assert_right(asked[:1], [ThingLoader.current().get(asked[0])])

    run(int(batches) // 5)
    before = resident()
    run(int(batches))
    return {"growth": resident() - before}


def one_batch(url: str) -> dict[str, int]:
    """Returns what a batch takes at its peak, and what of it is left when its scope is closed."""
    registry = EngineRegistry(create_engine(url))
    peaks, left = [], []
    for _ in range(5):
        asked = keys(KEYS)
        gc.collect()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        with registry.scope():
            ThingLoader.current().get_many(asked)
            _, peak = tracemalloc.get_traced_memory()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        peaks.append(peak - before)
        left.append(after - before)
    # The first one has statements made, which are kept.
    return {"peak": max(peaks[1:]), "left": min(left[1:])}


SCENARIOS: dict[str, Callable[..., dict[str, int]]] = {"growth": growth, "one_batch": one_batch}

if __name__ == "__main__":
    print(json.dumps(SCENARIOS[sys.argv[1]](*sys.argv[2:])))  # noqa: T201 - the test reads it
