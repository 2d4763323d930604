"""What there is to trade: the instruments of a master contract."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class ContractUnreadableError(Exception):
    """The database has no contract that the simulator can read."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """One instrument.

    Attributes:
        token: Its number.
        name: `EXCHANGE:TRADINGSYMBOL`, in the broker's terms.
        is_index: Whether it can be watched, but not bought.
        is_currency: Whether its prices have four decimal places.
    """

    token: int
    name: str
    is_index: bool
    is_currency: bool


class Instruments:
    """Instruments by name and by token; of several with one name or token, the first.

    Args:
        instruments: They.
    """

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self.by_name: dict[str, Instrument] = {}
        self.by_token: dict[int, Instrument] = {}
        for each in instruments:
            self.by_name.setdefault(each.name, each)
            self.by_token.setdefault(each.token, each)

    @classmethod
    def of(cls, database: Path) -> Self:
        """Reads the master contract of a SQLite file.

        Raises:
            ContractUnreadableError: It has none, or one whose tokens are no numbers.
        """
        query = "SELECT token, brsymbol, brexchange, exchange FROM symtoken ORDER BY id"
        try:
            with closing(
                sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
            ) as db:
                return cls(_instrument(*row) for row in db.execute(query))
        except (sqlite3.Error, ValueError) as error:
            raise ContractUnreadableError(
                f"Expected a table symtoken with numeric tokens in {database}, got: {error}."
                " `flask --app examples.trading.app symbols generate` makes one."
            ) from error


def _instrument(token: str, brsymbol: str, brexchange: str, exchange: str) -> Instrument:
    return Instrument(
        token=int(token),
        name=f"{brexchange}:{brsymbol}",
        is_index=exchange.endswith("_INDEX"),
        is_currency=exchange == "CDS",
    )
