"""A subscription to live prices, whoever the broker is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from examples.trading.money import rupees

if TYPE_CHECKING:
    from examples.trading.lookups.variants import SymbolInfo
    from examples.trading.requests import WantedSymbol


@dataclass(slots=True)
class Subscription:
    """What is asked of the broker, and how its prices are to be read.

    Attributes:
        message: The message to the broker, in its own terms.
        instruments: What the client needs to know of each instrument that was found.
        unknown: The symbols that the master contract does not have.
    """

    message: object
    instruments: list[dict[str, object]] = field(default_factory=list)
    unknown: list[dict[str, str]] = field(default_factory=list)

    def add(self, wanted: WantedSymbol, token: str, segment: object, info: SymbolInfo) -> None:
        """Notes how an instrument's prices will be named, and what a lot and a price step are.

        Args:
            wanted: What the client asked for.
            token: What the broker sends prices under.
            segment: What the broker calls the instrument's exchange.
            info: Has the lot in units and the price step in rupees.
        """
        self.instruments.append(
            {
                "symbol": wanted.symbol,
                "exchange": wanted.exchange,
                "segment": segment,
                "token": token,
                "lotsize": info.lotsize,
                "tick_size": rupees(str(info.tick_size or 0)),
            }
        )

    def leave_out(self, wanted: WantedSymbol) -> None:
        """Notes a symbol that the master contract does not have."""
        self.unknown.append({"symbol": wanted.symbol, "exchange": wanted.exchange})
