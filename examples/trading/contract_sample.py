"""Picks instruments out of whatever contract is in the database, the same ones every time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from sqlalchemy import create_engine, select
from sqlalchemy.pool import NullPool

from dataloaders.symbols import symtoken

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence


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


TRADABLE: Final = frozenset(("NSE", "BSE", "NFO", "BFO", "CDS", "BCD", "MCX", "NCO"))
SHARES: Final = frozenset(("NSE", "BSE"))
WATCHABLE: Final = TRADABLE | {"NSE_INDEX", "BSE_INDEX", "MCX_INDEX"}
"""An index can be watched, and not bought."""

_COLUMNS = [symtoken.c[field.name] for field in fields(Instrument)]


class ContractTooSmallError(Exception):
    """The contract has fewer instruments than are to be picked."""

    def __init__(self, count: int, found: int) -> None:
        super().__init__(f"{count} instruments are needed, but the contract has only {found}.")


def pick_instruments(
    database: str, count: int, exchanges: Container[str] = TRADABLE
) -> list[Instrument]:
    """Picks instruments from all of some exchanges alike, spread evenly over each.

    Args:
        database: SQLAlchemy's URL of the database.
        count: How many.
        exchanges: Of which exchanges.

    Raises:
        ContractTooSmallError: There are not so many.
    """
    with create_engine(database, poolclass=NullPool).connect() as connection:
        ids: dict[str, list[int]] = {}
        for exchange, row_id in connection.execute(select(symtoken.c.exchange, symtoken.c.id)):
            if exchange in exchanges:
                ids.setdefault(exchange, []).append(row_id)
        shares = _shares({exchange: len(ids[exchange]) for exchange in sorted(ids)}, count)
        picked = [
            row_id
            for exchange, share in shares.items()
            for row_id in _spread(sorted(ids[exchange]), share)
        ]
        rows = connection.execute(select(symtoken.c.id, *_COLUMNS).where(symtoken.c.id.in_(picked)))
        instruments = {row_id: Instrument(*columns) for row_id, *columns in rows}
    return [instruments[row_id] for row_id in picked]


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
