"""What a hit costs against a full copy of the table, and what a scope does."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from dataclasses import fields
from typing import TYPE_CHECKING

from sqlalchemy import create_engine

from dataloaders.symbols import (
    Symbol,
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


def full_copy(path: Path) -> FullCopy:
    """Returns a copy of a contract in a SQLite database."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        everything = connection.execute(ALL_ROWS).fetchall()
    return FullCopy(Symbol(*row) for row in everything)


def results(rounds: int, path: Path) -> Iterator[Result]:
    """Yields the comparisons, on the contract in a database."""
    engine = create_engine(f"sqlite:///{path}")
    master = SymbolMaster(engine)
    yield _hit(rounds, master, full_copy(path))
    yield _scope(rounds, master)
    master.close()
    engine.dispose()


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
