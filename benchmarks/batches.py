"""What a batch costs on each database, against the bare driver.

The driver runs the very statement that the loader sends, on a connection that it keeps, and makes
the same records of the rows. What the loader adds is all the rest: the cache, the batch, a
connection out of the pool and back into it.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import create_async_engine

from dataloaders.symbols import Symbol, SymbolLoader, SymbolMaster

from .databases import SAMPLE
from .measure import compare, repeated

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from sqlalchemy.ext.asyncio import AsyncEngine

    from .databases import Database, Pair
    from .measure import Result

    Records = list[Symbol | None]

SIZES = (10, 50, 150, 1_000)
KEYS_PER_ROUND = 2_000

WANTED = {
    ("SQLite", 10): 1.5,
    ("SQLite", 50): 1.15,
    ("SQLite", 1_000): 1.05,
    ("PostgreSQL", 10): 1.5,
    ("PostgreSQL", 50): 1.15,
    ("PostgreSQL", 1_000): 1.05,
    ("MariaDB", 50): 1.25,
    ("asyncpg", 50): 1.6,
}
"""How many times the bare driver's time a batch may take, by the number of its keys."""

AGAINST = "the same statement on a bare {} connection, into the same records"


def results(rounds: int, databases: list[Database]) -> Iterator[Result]:
    """Yields the comparisons."""
    for database in databases:
        master = SymbolMaster(database.engine)
        with closing(database.connect()) as connection:
            for size in SIZES:
                yield from _batch(database, master, connection, size, rounds)
        master.close()
        if database.name == "PostgreSQL":
            with asyncio.Runner() as runner:
                yield from _async_batches(database, runner, rounds)


def _batch(
    database: Database,
    master: SymbolMaster,
    connection: Any,  # noqa: ANN401 - each driver's own
    size: int,
    rounds: int,
) -> Iterator[Result]:
    keys = database.pairs(size)
    statement = database.statement()

    def raw() -> Records:
        cursor = connection.cursor()
        cursor.execute(statement, database.parameters(keys))
        return _placed(cursor.fetchall(), size)

    def batched() -> Records:
        with master.scope():
            return master.symbols.get_many(keys)

    if raw() != batched():
        raise SystemExit(f"{database.name}: the driver and the loader gave different answers.")
    times = max(3, KEYS_PER_ROUND // size)

    def call_alone() -> float:
        seconds = 0.0
        for _ in range(times):
            with master.scope():
                loader = master.symbols
                begin = time.perf_counter()
                loader.get_many(keys)
                seconds += time.perf_counter() - begin
        return seconds

    for title, ours, wanted in (
        (f"`get_many` on {database.name}", call_alone, WANTED.get((database.name, size))),
        ("the same, and the scope that it is in", repeated(batched, times), None),
    ):
        yield compare(
            f"{title}, {size} keys",
            ours,
            repeated(raw, times),
            against=AGAINST.format(database.engine.driver),
            units=times,
            unit="batch",
            rounds=rounds,
            wanted=wanted,
        )


def _placed(rows: list[Any], size: int) -> Records:
    found: Records = [None] * size
    for row in rows:
        found[row[0]] = Symbol(*row[1:])
    return found


def _async_batches(database: Database, runner: asyncio.Runner, rounds: int) -> Iterator[Result]:
    import asyncpg  # noqa: PLC0415 - the other databases do without it

    url = database.engine.url
    engine = create_async_engine(url.set(drivername="postgresql+asyncpg"))
    statement, order = runner.run(_async_statement(database, engine))
    connection = runner.run(
        asyncpg.connect(
            host=url.query.get("host") or url.host,
            port=url.port,
            user=url.username,
            password=url.password,
            database=url.database,
        )
    )
    master = SymbolMaster(engine)
    for size in SIZES:
        keys = database.pairs(size)

        async def raw(keys: list[Pair] = keys) -> Records:
            given = database.parameters(keys)
            rows = await connection.fetch(statement, *[given[name] for name in order])
            return _placed(rows, len(keys))

        async def batched(keys: list[Pair] = keys) -> Records:
            async with master.scope():
                return await master.symbols.load_many(keys)

        async def gathered(keys: list[Pair] = keys) -> Records:
            async with master.scope():
                return await asyncio.gather(*[master.symbols.load(key) for key in keys])

        if not runner.run(raw()) == runner.run(batched()) == runner.run(gathered()):
            raise SystemExit("asyncpg: the driver and the loader gave different answers.")
        times = max(3, KEYS_PER_ROUND // size)
        for title, ours, wanted in (
            ("`load_many` on asyncpg", batched, WANTED.get(("asyncpg", size))),
            ("`load` of each key on asyncpg, gathered", gathered, None),
        ):
            yield compare(
                f"{title}, and the scope that it is in, {size} keys",
                _awaited(runner, ours, times),
                _awaited(runner, raw, times),
                against=AGAINST.format("asyncpg"),
                units=times,
                unit="batch",
                rounds=rounds,
                wanted=wanted,
            )
    master.close()
    runner.run(connection.close())
    runner.run(engine.dispose())


def _awaited(
    runner: asyncio.Runner, way: Callable[[], Coroutine[Any, Any, Records]], times: int
) -> Callable[[], float]:
    async def timed() -> float:
        begin = time.perf_counter()
        for _ in range(times):
            await way()
        return time.perf_counter() - begin

    return lambda: runner.run(timed())


async def _async_statement(database: Database, engine: AsyncEngine) -> tuple[str, list[str]]:
    """Returns the statement that the loader sends, and the names of its parameters in order."""
    sent: list[Any] = []
    listening = create_async_engine(engine.url)
    event.listen(listening.sync_engine, "before_cursor_execute", lambda *about: sent.extend(about))
    await SymbolLoader(listening).load_many(SAMPLE)
    await listening.dispose()
    names = {value: name for name, value in database.parameters(SAMPLE).items()}
    return sent[2], [names[value] for value in sent[3]]
