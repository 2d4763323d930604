"""What the application asks brokers for, as far as it is the same for all."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints, is_typeddict

from examples.trading import exact_json

from .errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from decimal import Decimal

    from examples.trading.requests import Period
    from examples.trading.shown import Candle, Prices

    from .base import BaseBroker, Book, Listed
    from .transports import Transport

T = TypeVar("T")


class BrokerClient:
    """Asks a broker.

    Args:
        transport: The way to it.
        broker: Which it is.

    Raises:
        BrokerError: Each method does, if what it asks for is not to be had.
    """

    def __init__(self, transport: Transport, broker: BaseBroker) -> None:
        self._transport = transport
        self.broker = broker

    def rows(self, book: Book) -> list[Any] | dict[str, Any]:
        """Returns a book's rows as the broker sends them, each with all of its fields."""
        rows = self._ask("GET", book.path)
        for field in book.at:
            rows = rows.get(field) if isinstance(rows, dict) else None
        if not isinstance(rows, list | dict):
            raise BrokerError(f"The broker's {book.path} has no rows.")
        for place, row in rows.items() if isinstance(rows, dict) else enumerate(rows):
            _check(row, book.row, f"Row {place} of the broker's {book.path}")
        return rows

    def place(self, order: Mapping[str, object]) -> str:
        """Places an order, which is in the broker's terms; returns its id."""
        path = self.broker.order_path
        return _read(self.broker.order_id, self._ask("POST", path, order), path)

    def margin(self, orders: Sequence[Mapping[str, object]]) -> Decimal:
        """Returns the rupees that orders, which are in the broker's terms, would tie up."""
        path = self.broker.margin_path
        return _read(self.broker.margin, self._ask("POST", path, orders), path)

    def quotes(self, instruments: Sequence[Listed]) -> list[Prices | None]:
        """Returns each instrument's prices, or None, in one call."""
        market = self.broker.market
        method, target, document = market.ask_for_quotes(instruments)
        answer = self._ask(method, target, document)
        return _read(lambda quotes: market.read_quotes(quotes, instruments), answer, target)

    def candles(self, instrument: Listed, period: Period) -> list[Candle]:
        """Returns an instrument's prices in the past."""
        market = self.broker.market
        method, target, document = market.ask_for_candles(instrument, period)
        return _read(market.read_candles, self._ask(method, target, document), target)

    def subscribe(self, message: object) -> None:
        """Says which instruments' prices are to be sent."""
        self._ask("POST", self.broker.market.feed_path, message)

    def _ask(self, method: str, target: str, document: object = None) -> Any:  # noqa: ANN401 - JSON
        body = b"" if document is None else json.dumps(document).encode()
        try:
            answer = exact_json.loads(self._transport.ask(method, target, body))
        except ValueError as error:
            raise BrokerError(f"The broker's answer is not readable: {error!r}.") from error
        if not isinstance(answer, dict):
            raise BrokerError("The broker's answer is no object.")
        return self.broker.unwrap(answer)


def _read(read: Callable[[Any], T], answer: Any, target: str) -> T:  # noqa: ANN401 - JSON
    try:
        return read(answer)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        path = target.partition("?")[0]
        raise BrokerError(f"The broker's {path} is not readable: {error!r}.") from error


def _check(value: object, kind: type, name: str) -> None:
    """Refuses an object that lacks a field, in itself or in an object inside it."""
    required, objects = _fields(kind)
    if not isinstance(value, dict):
        raise BrokerError(f"{name} is no object.")
    if missing := sorted(required - value.keys()):
        raise BrokerError(f"{name} has no {', '.join(missing)}.")
    for field, inner in objects:
        _check(value[field], inner, f"{name}, {field},")


@cache
def _fields(kind: Any) -> tuple[frozenset[str], list[tuple[str, type]]]:  # noqa: ANN401 - a TypedDict
    """Returns the names of the fields, and those that are objects with their kinds."""
    required: frozenset[str] = kind.__required_keys__
    types = get_type_hints(kind)
    return required, [(name, types[name]) for name in required if is_typeddict(types[name])]
