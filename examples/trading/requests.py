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


class InvalidRequestError(Exception):
    """A client's request that cannot be carried out as it stands."""


@dataclass(frozen=True, slots=True)
class BasketLeg:
    """One order of a basket, in the application's own terms."""

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


def parse_basket(document: object) -> list[BasketLeg]:
    """Reads `{"orders": [{"symbol": …, "exchange": …, …}, …]}`.

    Raises:
        InvalidRequestError: It is something else.
    """
    return _each(_field(document, "orders", "The body"), "orders", LARGEST_BASKET, _leg)


def parse_subscription(document: object) -> tuple[str, list[WantedSymbol]]:
    """Reads `{"mode": "quote", "symbols": [{"symbol": …, "exchange": …}, …]}`.

    Raises:
        InvalidRequestError: It is something else.
    """
    return _one_of(document, "mode", "The body", MODES), parse_symbols(document)


def parse_symbols(document: object) -> list[WantedSymbol]:
    """Reads `{"symbols": [{"symbol": …, "exchange": …}, …]}`.

    Raises:
        InvalidRequestError: It is something else.
    """
    symbols = _field(document, "symbols", "The body")
    return _each(symbols, "symbols", LARGEST_SUBSCRIPTION, _wanted)


def _leg(row: object, name: str) -> BasketLeg:
    price_type = _one_of(row, "pricetype", name, PRICE_TYPES)
    quantity = _field(row, "quantity", name)
    if type(quantity) is not int or quantity < 1:
        raise InvalidRequestError(f"{name}: quantity must be a whole number from 1 up.")
    return BasketLeg(
        symbol=_text(row, "symbol", name),
        exchange=_text(row, "exchange", name),
        action=_one_of(row, "action", name, ACTIONS),
        product=_one_of(row, "product", name, PRODUCTS),
        price_type=price_type,
        quantity=quantity,
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
