"""Programs that fork: `python -m tests.sql.forking SCENARIO URL` prints what it saw, as JSON.

They are programs, because a test run has threads of its own, whose locks a fork would copy.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import select
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import QueuePool, SingletonThreadPool, StaticPool

from dataloaders.sql import EngineRegistry
from tests.sql.source_helpers import UserLoader, fill, names, users_on
from tests.threads import SECONDS, spawn

if TYPE_CHECKING:
    from collections.abc import Callable

THREADS = 4
REQUESTS = 100  # of each thread


class SharedLoader(UserLoader):
    shared = True


class Child:
    """A forked process, which calls a function and hands back what it returns."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._reading, writing = os.pipe()
        self._pid = os.fork()
        if self._pid:
            os.close(writing)
            return
        try:
            gc.collect()  # what the fork has left without an owner goes now, if it goes
            os.write(writing, json.dumps(function()).encode())
        except BaseException as error:  # noqa: BLE001 - the other process reports it
            os.write(writing, json.dumps(repr(error)).encode())
        finally:
            os._exit(0)  # nothing of the other process's is to be closed

    def result(self) -> Any:  # noqa: ANN401 - whatever it returns
        """Returns it, or says that the child hangs."""
        try:
            if not select.select([self._reading], [], [], SECONDS)[0]:
                return "hangs"
            return json.loads(os.read(self._reading, 65_536))
        finally:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)


class Connections:
    """Takes note of the connections that an engine hands out, by their numbers in the server."""

    def __init__(self, engine: Engine) -> None:
        self._numbers: set[int] = set()
        self._next = count()
        event.listen(engine, "checkout", self._note)

    def _note(self, driver: Any, record: Any, _proxy: object) -> None:  # noqa: ANN401 - of many types
        if hasattr(driver, "thread_id"):
            number = driver.thread_id()
        elif hasattr(driver, "info"):
            number = driver.info.backend_pid
        else:  # SQLite has no server
            number = record.info.setdefault("number", os.getpid() * 1_000 + next(self._next))
        self._numbers.add(number)

    def since(self) -> list[int]:
        """Returns those since the last time."""
        found, self._numbers = sorted(self._numbers), set()
        return found


def load(engine: Engine, requests: int = REQUESTS) -> int:
    """Loads in several threads and on an event loop; returns how many answers were wrong."""
    together = threading.Barrier(THREADS + 1, timeout=SECONDS)

    def wrong(keys: list[int], records: list[Any]) -> bool:
        return names(records) != [f"user {key}" if key <= 20 else None for key in keys]

    def ask() -> int:
        together.wait()
        found = 0
        for _ in range(requests):
            keys = random.sample(range(1, 26), 5)
            found += wrong(keys, users_on(engine).get_many(keys))
        return found

    async def ask_on_loop() -> int:
        together.wait()
        found = 0
        for _ in range(requests):
            keys = random.sample(range(1, 26), 5)
            found += wrong(keys, await users_on(engine).load_many(keys))
        return found

    with ThreadPoolExecutor(THREADS + 1) as executor:
        answers = [executor.submit(ask) for _ in range(THREADS)]
        answers.append(executor.submit(asyncio.run, ask_on_loop()))
        return sum(answer.result(SECONDS) for answer in answers)


def load_in_both(url: str) -> dict[str, Any]:
    """Loads in two processes at the same time."""
    engine = create_engine(url, pool_size=THREADS + 1)
    connections = Connections(engine)
    wrong = load(engine)
    before = connections.since()
    child = Child(lambda: {"wrong": load(engine), "connections": connections.since()})
    wrong += load(engine)
    in_child = child.result()
    wrong += load(engine)
    return {
        "wrong": wrong,
        "before": before,
        "after": connections.since(),
        "child": in_child,
    }


def keep_in_memory(poolclass: str) -> dict[str, Any]:
    """Loads from a database that lives in its connection."""
    engine = {
        "static": lambda: create_engine(
            "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
        ),
        "singleton": lambda: create_engine("sqlite://", poolclass=SingletonThreadPool),
    }[poolclass]()
    fill(engine)
    loader = users_on(engine, cache=False)
    found = names(loader.get_many([1, 2, 30]))
    child = Child(lambda: names(loader.get_many([1, 2, 30])))
    return {"before": found, "child": child.result(), "after": names(loader.get_many([1, 2, 30]))}


def in_the_middle(url: str) -> dict[str, Any]:
    """Forks while threads hold whatever a lookup takes."""
    engine = create_engine(url, pool_size=1, max_overflow=0, pool_timeout=SECONDS)
    registry = EngineRegistry(engine)
    inside, over = threading.Event(), threading.Event()

    def hold(*_: object) -> None:
        inside.set()
        over.wait(SECONDS)

    users_on(engine).get(1)
    # With a time limit there are worker threads as well.
    users_on(engine, timeout=SECONDS).get(1)
    event.listen(engine, "checkout", hold, once=True)
    common = registry.outside(SharedLoader)
    asked = spawn(common.get_many, [1, 2])
    inside.wait(SECONDS)
    assert isinstance(engine.pool, QueuePool)
    queue: Any = engine.pool._pool
    locks = [common._turns._gate, common._store._lock, queue.mutex]
    for lock in locks:
        lock.acquire()

    child = Child(lambda: lookups_of_all_kinds(engine, registry))
    found = child.result()
    for lock in locks:
        lock.release()
    over.set()
    return {"child": found, "parent": names(asked.result(SECONDS))}


def lookups_of_all_kinds(engine: Engine, registry: EngineRegistry) -> list[Any]:
    async def loaded() -> list[Any]:
        return [*await SharedLoader.current().load_many([9, 30]), await users_on(engine).load(10)]

    found = [
        SharedLoader.current().get(3),
        *SharedLoader.current().get_many([1, 4]),
        users_on(engine).get(5),
        users_on(engine, timeout=SECONDS).get(6),
    ]
    with registry.scope():
        found += [SharedLoader.current().get(7), UserLoader.current().get(8)]
    return names([*found, *asyncio.run(loaded())])


SCENARIOS = {
    "load_in_both": load_in_both,
    "keep_in_memory": keep_in_memory,
    "in_the_middle": in_the_middle,
}

if __name__ == "__main__":
    print(json.dumps(SCENARIOS[sys.argv[1]](sys.argv[2])))  # noqa: T201 - the test reads it
