"""What a strategy looks at: where the money of many instruments is, and which of them moved."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from examples.trading.lookups import get_symbol_info
from examples.trading.money import to_paisa

from .quotes import show_quotes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from examples.trading.brokers.client import BrokerClient
    from examples.trading.requests import WantedSymbol

MOVERS: Final = 5
_HUNDRED: Final = 100


@dataclass(frozen=True, slots=True)
class Mover:
    """An instrument, and how many per cent its price is away from that of the day before."""

    symbol: str
    exchange: str
    change: Decimal


@dataclass(slots=True)
class Analysis:
    """What was found.

    Attributes:
        value: The rupees that a lot of each instrument costs, all of them together.
        by_underlying: The same, by what they are on: a company, an index, a commodity.
        by_expiry: The same, by the day on which they end; shares have none.
        by_type: The same, by EQ, FUT, CE, PE, ….
        risers: What rose most, the most first.
        fallers: What fell most, the most first.
        unknown: The symbols that the master contract does not have, or the broker has no prices of.
    """

    value: Decimal = Decimal(0)
    by_underlying: dict[str, Decimal] = field(default_factory=dict)
    by_expiry: dict[str, Decimal] = field(default_factory=dict)
    by_type: dict[str, Decimal] = field(default_factory=dict)
    risers: list[Mover] = field(default_factory=list)
    fallers: list[Mover] = field(default_factory=list)
    unknown: list[dict[str, str]] = field(default_factory=list)


def analyse(client: BrokerClient, wanted: Sequence[WantedSymbol]) -> Analysis:
    """Looks at the wanted symbols."""
    analysis = Analysis()
    movers = []
    for quote in show_quotes(client, wanted):
        info = get_symbol_info(quote.symbol, quote.exchange)
        if info is None or quote.prices is None:
            analysis.unknown.append({"symbol": quote.symbol, "exchange": quote.exchange})
            continue
        value = quote.prices.ltp * (info.lotsize or 1)
        analysis.value += value
        _add(analysis.by_underlying, info.name or quote.symbol, value)
        _add(analysis.by_expiry, info.expiry or "", value)
        _add(analysis.by_type, info.instrumenttype or "", value)
        if quote.prices.previous_close:
            rise = quote.prices.ltp / quote.prices.previous_close - 1
            movers.append(Mover(quote.symbol, quote.exchange, to_paisa(rise * _HUNDRED)))
    movers.sort(key=lambda mover: mover.change)
    analysis.fallers = [mover for mover in movers[:MOVERS] if mover.change < 0]
    analysis.risers = [mover for mover in movers[: -MOVERS - 1 : -1] if mover.change > 0]
    return analysis


def _add(totals: dict[str, Decimal], name: str, value: Decimal) -> None:
    totals[name] = totals.get(name, Decimal(0)) + value
