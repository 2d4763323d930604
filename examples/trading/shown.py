"""What clients are shown, whoever the broker is.

A symbol, exchange, action, product or price type is in the application's terms, an id, status,
message or time as the broker wrote it. Amounts are in rupees, quantities in units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Position:
    """What is held of an instrument; a quantity below 0 is owed."""

    symbol: str
    exchange: str
    brsymbol: str
    brexchange: str
    token: str
    product: str
    quantity: int
    average_price: Decimal
    ltp: Decimal
    pnl: Decimal


@dataclass(frozen=True, slots=True)
class Order:
    """An order and what became of it; the price is 0 for one at the market."""

    order_id: str
    symbol: str
    exchange: str
    action: str
    pricetype: str
    product: str
    status: str
    message: str
    timestamp: str
    quantity: int
    filled_quantity: int
    price: Decimal
    average_price: Decimal


@dataclass(frozen=True, slots=True)
class Trade:
    """A part of an order that was filled."""

    trade_id: str
    order_id: str
    symbol: str
    exchange: str
    action: str
    product: str
    timestamp: str
    quantity: int
    average_price: Decimal


@dataclass(frozen=True, slots=True)
class Holding:
    """Shares that were delivered."""

    symbol: str
    exchange: str
    product: str
    quantity: int
    average_price: Decimal
    ltp: Decimal
    pnl: Decimal


@dataclass(frozen=True, slots=True)
class Prices:
    """What an instrument costs, and how many units of it were traded."""

    ltp: Decimal
    previous_close: Decimal
    volume: int


@dataclass(slots=True)
class Quote:
    """An instrument's prices; None if nobody has any."""

    symbol: str
    exchange: str
    prices: Prices | None = None


@dataclass(frozen=True, slots=True)
class Candle:
    """Prices between two times in the past, and how many units were traded."""

    time: str
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int


@dataclass(frozen=True, slots=True)
class History:
    """An instrument's candles; none if the master contract does not have the symbol."""

    symbol: str
    exchange: str
    candles: list[Candle]
