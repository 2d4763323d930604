"""What a lookup costs: batches on SQLite against the bare driver, hits against a full copy."""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
import time
from dataclasses import fields
from typing import TYPE_CHECKING

from sqlalchemy import Engine, create_engine, event

from dataloaders.symbols import (
    Symbol,
    SymbolLoader,
    SymbolMaster,
    generate_contract,
    get_token,
    replace_contract,
)

from .full_copy import FullCopy
from .measure import TIME, compare, repeated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .measure import Result

COLUMNS = ", ".join(f"s.{field.name}" for field in fields(Symbol))
ALL_ROWS = f"SELECT {COLUMNS} FROM symtoken AS s"  # noqa: S608 - made of field names

HITS_PER_ROUND = 20_000
SCOPES_PER_ROUND = 5_000


def make_contract(path: Path) -> None:
    """Generates a contract of 150,000 rows."""
    engine = create_engine(f"sqlite:///{path}")
    replace_contract(engine, generate_contract())
    engine.dispose()


def results(rounds: int, path: Path) -> Iterator[Result]:
    """Yields the comparisons, on the contract in a database."""
    engine = create_engine(f"sqlite:///{path}")
    master = SymbolMaster(engine)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        pairs = connection.execute("SELECT symbol, exchange FROM symtoken").fetchall()
        for size, wanted in ((1, None), (10, None), (50, 1.3), (150, None), (1_000, None)):
            yield from _batch(size, rounds, master, connection, pairs, wanted=wanted)
        everything = connection.execute(ALL_ROWS).fetchall()
    yield _hit(rounds, master, FullCopy(Symbol(*row) for row in everything))
    yield _scope(rounds, master)
    master.close()
    engine.dispose()


def _batch(
    size: int,
    rounds: int,
    master: SymbolMaster,
    connection: sqlite3.Connection,
    pairs: list[tuple[str, str]],
    *,
    wanted: float | None,
) -> Iterator[Result]:
    keys = random.Random(size).sample(pairs, size)  # noqa: S311 - which keys is no secret

    statement = _statement(master, keys)

    def raw() -> list[Symbol | None]:
        found: list[Symbol | None] = [None] * len(keys)
        for row in connection.execute(statement, (json.dumps(keys),)).fetchall():
            if row[1] is not None:
                found[row[0]] = Symbol(*row[2:])
        return found

    def batched() -> list[Symbol | None]:
        with master.scope():
            return master.symbols.get_many(keys)

    if raw() != batched():
        raise SystemExit("The driver and the loader gave different answers.")
    times = max(3, 2_000 // size)

    def call_alone() -> float:
        seconds = 0.0
        for _ in range(times):
            with master.scope():
                loader = master.symbols
                begin = time.perf_counter()
                loader.get_many(keys)
                seconds += time.perf_counter() - begin
        return seconds

    for title, ours, limit in (
        (f"`get_many` on SQLite, {size} keys", call_alone, wanted),
        (f"the same, and the scope that it is in, {size} keys", repeated(batched, times), None),
    ):
        yield compare(
            title,
            ours,
            repeated(raw, times),
            against="the same statement on a bare sqlite3 connection, into the same records",
            units=times,
            unit="batch",
            rounds=rounds,
            wanted=limit,
        )


def _statement(master: SymbolMaster, keys: list[tuple[str, str]]) -> str:
    """Returns the statement that the loader sends for more than one key, to be run as it is."""
    sent: list[str] = []
    assert isinstance(master.bind, Engine)  # noqa: S101 - results made it
    listening = create_engine(master.bind.url)  # a listener would slow the engine that is measured
    event.listen(listening, "before_cursor_execute", lambda *event: sent.append(event[2]))
    SymbolLoader(listening).get_many([*keys, ("", "")])
    listening.dispose()
    (statement,) = sent
    return statement


def _hit(rounds: int, master: SymbolMaster, copy: FullCopy) -> Result:
    if get_token("RELIANCE", "NSE") != copy.get_token("RELIANCE", "NSE"):
        raise SystemExit("The copy and the loader gave different answers.")

    def in_scope(call: Callable[[str, str], str | None]) -> Callable[[], float]:
        def timed() -> float:
            with master.scope():
                call("RELIANCE", "NSE")
                begin = time.perf_counter()
                for _ in range(HITS_PER_ROUND):
                    call("RELIANCE", "NSE")
                return time.perf_counter() - begin

        return timed

    return compare(
        "`get_token` of a symbol that the scope knows",
        in_scope(get_token),
        in_scope(copy.get_token),
        against="a full copy of the table in memory, valid for the session (full_copy.py)",
        units=HITS_PER_ROUND,
        unit="call",
        rounds=rounds,
        wanted=300,
        of=TIME,
    )


def _scope(rounds: int, master: SymbolMaster) -> Result:
    def scope() -> None:
        with master.scope():
            pass

    def nothing() -> None:
        with contextlib.nullcontext():
            pass

    return compare(
        "a scope, opened and closed unused",
        repeated(scope, SCOPES_PER_ROUND),
        repeated(nothing, SCOPES_PER_ROUND),
        against="`contextlib.nullcontext()`",
        units=SCOPES_PER_ROUND,
        unit="scope",
        rounds=rounds,
        wanted=2_000,
        of=TIME,
    )
