"""What clients send, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from .money import rupees

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    T = TypeVar("T")

ACTIONS: Final = ("BUY", "SELL")
PRICE_TYPES: Final = ("MARKET", "LIMIT")
PRODUCTS: Final = ("CNC", "MIS", "NRML")
MODES: Final = ("ltp", "quote", "full")
LARGEST_BASKET: Final = 100
LARGEST_SUBSCRIPTION: Final = 3_000
MOST_SLICES: Final = 100
INTERVALS: Final = ("minute", "5minute", "15minute", "60minute", "day")


class InvalidRequestError(Exception):
    """A client's request that cannot be carried out as it stands."""


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order to be placed, in the application's own terms."""

    symbol: str
    exchange: str
    action: str
    product: str
    price_type: str
    quantity: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class WantedSymbol:
    """A symbol whose prices a client wants to see."""

    symbol: str
    exchange: str


@dataclass(frozen=True, slots=True)
class SplitOrder:
    """An order that goes to the exchange in slices.

    Attributes:
        whole: All of it.
        slice_size: The most units that one slice may have.
    """

    whole: NewOrder
    slice_size: int


@dataclass(frozen=True, slots=True)
class Period:
    """A time in the past, and the length of a candle; times are as `2026-08-18 09:15:00`."""

    interval: str
    start: str
    end: str


def parse_basket(document: object) -> list[NewOrder]:
    """Reads `{"orders": [{"symbol": …, "exchange": …, …}, …]}`.

    Raises:
        InvalidRequestError: It is something else.
    """
    return _each(_field(document, "orders", "The body"), "orders", LARGEST_BASKET, _order)


def parse_subscription(document: object) -> tuple[str, list[WantedSymbol]]:
    """Reads `{"mode": "quote", "symbols": [{"symbol": …, "exchange": …}, …]}`.

    Raises:
        InvalidRequestError: It is something else.
    """
    return _one_of(document, "mode", "The body", MODES), parse_symbols(document)


def parse_split(document: object) -> SplitOrder:
    """Reads an order like a basket's, with `slice`, the most units of one of its parts.

    Raises:
        InvalidRequestError: It is something else, or would be too many parts.
    """
    whole = _order(document, "The body")
    slice_size = _count(document, "slice", "The body")
    if whole.quantity > slice_size * MOST_SLICES:
        raise InvalidRequestError(
            f"The body: slice must be at least a {MOST_SLICES}th of quantity."
        )
    return SplitOrder(whole, slice_size)


def parse_history(document: object) -> tuple[Period, list[WantedSymbol]]:
    """Reads `{"interval": "5minute", "from": "2026-08-18 09:15:00", "to": …, "symbols": […]}`.

    Raises:
        InvalidRequestError: It is something else.
    """
    interval = _one_of(document, "interval", "The body", INTERVALS)
    start, end = (_text(document, name, "The body") for name in ("from", "to"))
    return Period(interval, start, end), parse_symbols(document)


def parse_symbols(document: object) -> list[WantedSymbol]:
    """Reads `{"symbols": [{"symbol": …, "exchange": …}, …]}`.

    Raises:
        InvalidRequestError: It is something else.
    """
    symbols = _field(document, "symbols", "The body")
    return _each(symbols, "symbols", LARGEST_SUBSCRIPTION, _wanted)


def _order(row: object, name: str) -> NewOrder:
    price_type = _one_of(row, "pricetype", name, PRICE_TYPES)
    return NewOrder(
        symbol=_text(row, "symbol", name),
        exchange=_text(row, "exchange", name),
        action=_one_of(row, "action", name, ACTIONS),
        product=_one_of(row, "product", name, PRODUCTS),
        price_type=price_type,
        quantity=_count(row, "quantity", name),
        price=_limit_price(row, name) if price_type == "LIMIT" else rupees(0),
    )


def _wanted(row: object, name: str) -> WantedSymbol:
    return WantedSymbol(_text(row, "symbol", name), _text(row, "exchange", name))


def _each(rows: object, name: str, limit: int, parse: Callable[[object, str], T]) -> list[T]:
    if not isinstance(rows, list) or not 1 <= len(rows) <= limit:
        raise InvalidRequestError(f"{name} must be a list of 1 to {limit} objects.")
    return [parse(row, f"{name}[{index}]") for index, row in enumerate(rows)]


def _field(row: object, field: str, name: str) -> object:
    if not isinstance(row, dict):
        raise InvalidRequestError(f"{name} must be a JSON object.")
    if field not in row:
        raise InvalidRequestError(f"{name}: {field} is missing.")
    value: object = row[field]
    return value


def _count(row: object, field: str, name: str) -> int:
    value = _field(row, field, name)
    if type(value) is not int or value < 1:
        raise InvalidRequestError(f"{name}: {field} must be a whole number from 1 up.")
    return value


def _text(row: object, field: str, name: str) -> str:
    value = _field(row, field, name)
    if not isinstance(value, str) or not value.strip():
        raise InvalidRequestError(f"{name}: {field} must be a text that is not empty.")
    return value


def _one_of(row: object, field: str, name: str, choices: tuple[str, ...]) -> str:
    value = _field(row, field, name)
    if not isinstance(value, str) or value not in choices:
        raise InvalidRequestError(f"{name}: {field} must be one of {', '.join(choices)}.")
    return value


def _limit_price(row: object, name: str) -> Decimal:
    try:
        price = rupees(_field(row, "price", name))
    except ValueError as error:
        raise InvalidRequestError(f"{name}: price: {error}.") from error
    if price <= 0:
        raise InvalidRequestError(f"{name}: price must be above 0 for a LIMIT order.")
    return price
