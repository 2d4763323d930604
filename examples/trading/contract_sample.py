"""Picks instruments out of whatever contract is in the database, the same ones every time."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Instrument:
    """What the broker and the demo need to know of one."""

    symbol: str
    brsymbol: str
    exchange: str
    brexchange: str
    token: str
    lotsize: int
    tick_size: float


_COLUMNS = ", ".join(field.name for field in fields(Instrument))
_BY_ID = f"SELECT {_COLUMNS} FROM symtoken WHERE id = ?"  # noqa: S608 - names of columns


class ContractTooSmallError(Exception):
    """The contract has fewer instruments than are to be picked."""

    def __init__(self, count: int, found: int) -> None:
        super().__init__(f"{count} instruments are needed, but the contract has only {found}.")


def pick_instruments(database: Path, count: int, *, tradable: bool) -> list[Instrument]:
    """Picks instruments from all exchanges alike, spread evenly over each.

    Args:
        database: The SQLite file.
        count: How many.
        tradable: Whether to leave out indices, which can be watched but not bought.

    Raises:
        ContractTooSmallError: There are not so many.
    """
    with closing(sqlite3.connect(database)) as connection:
        ids: dict[str, list[int]] = {}
        for exchange, row_id in connection.execute("SELECT exchange, id FROM symtoken"):
            if not (tradable and exchange.endswith("_INDEX")):
                ids.setdefault(exchange, []).append(row_id)
        shares = _shares({exchange: len(ids[exchange]) for exchange in sorted(ids)}, count)
        picked = [
            row_id
            for exchange, share in shares.items()
            for row_id in _spread(sorted(ids[exchange]), share)
        ]
        return [Instrument(*connection.execute(_BY_ID, (row_id,)).fetchone()) for row_id in picked]


def _shares(sizes: Mapping[str, int], count: int) -> Counter[str]:
    """Deals `count` out in turn to those who still have some."""
    if sum(sizes.values()) < count:
        raise ContractTooSmallError(count, sum(sizes.values()))
    shares: Counter[str] = Counter()
    while shares.total() < count:
        takers = [name for name, size in sizes.items() if shares[name] < size]
        shares.update(takers[: count - shares.total()])
    return shares


def _spread(values: Sequence[int], count: int) -> list[int]:
    return [values[(2 * index + 1) * len(values) // (2 * count)] for index in range(count)]
