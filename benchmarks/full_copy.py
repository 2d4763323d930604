"""A full copy of the master contract in memory, to compare with.

Such applications keep one: every row as an object, four dict indexes over them, counters, and
before each answer a check that the copy is loaded and that this day's session is not over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dataloaders.symbols import Symbol

INDIA = ZoneInfo("Asia/Kolkata")
SESSION_ENDS = time(3, 0)


@dataclass
class Counters:
    """What the copy counts."""

    hits: int = 0
    misses: int = 0


class FullCopy:
    """All rows of the contract, by (symbol, exchange), (brsymbol, exchange) and token."""

    def __init__(self, rows: Iterable[Symbol]) -> None:
        self.by_symbol: dict[tuple[str, str | None], Symbol] = {}
        self.by_brsymbol: dict[tuple[str, str | None], Symbol] = {}
        self.by_token: dict[tuple[str | None, str | None], Symbol] = {}
        self.by_token_alone: dict[str | None, Symbol] = {}
        for row in rows:
            self.by_symbol.setdefault((row.symbol, row.exchange), row)
            self.by_brsymbol.setdefault((row.brsymbol, row.exchange), row)
            self.by_token.setdefault((row.token, row.exchange), row)
            self.by_token_alone.setdefault(row.token, row)
        self.counters = Counters()
        self.loaded_at: datetime | None = datetime.now(INDIA)

    def is_valid(self) -> bool:
        """Whether the copy is loaded and of the current session."""
        if self.loaded_at is None:
            return False
        now = datetime.now(INDIA)
        ends = now.replace(
            hour=SESSION_ENDS.hour, minute=SESSION_ENDS.minute, second=0, microsecond=0
        )
        if now >= ends:
            ends += timedelta(days=1)
        return self.loaded_at >= ends - timedelta(days=1)

    def get_symbol_info(self, symbol: str, exchange: str) -> Symbol | None:
        """Returns the row of a symbol, or None."""
        if not self.is_valid():
            self.counters.misses += 1
            return None
        row = self.by_symbol.get((symbol, exchange))
        if row is None:
            self.counters.misses += 1
            return None
        self.counters.hits += 1
        return row

    def get_token(self, symbol: str, exchange: str) -> str | None:
        """Returns the token of a symbol, or None."""
        row = self.get_symbol_info(symbol, exchange)
        return None if row is None else row.token

    def get_br_symbol(self, symbol: str, exchange: str) -> str | None:
        """Returns the broker's name of a symbol, or None."""
        row = self.get_symbol_info(symbol, exchange)
        return None if row is None else row.brsymbol
