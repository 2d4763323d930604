"""The fields that the application reads of the broker's payloads, and those that it sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, NotRequired, TypedDict

if TYPE_CHECKING:
    from decimal import Decimal

    Amount = int | Decimal


class BrokerPosition(TypedDict):
    """A row of the position book."""

    tradingsymbol: str
    exchange: str
    instrument_token: int
    product: str
    quantity: int
    multiplier: int
    average_price: Amount
    last_price: Amount
    buy_value: Amount
    sell_value: Amount


class BrokerOrder(TypedDict):
    """A row of the order book."""

    order_id: str
    tradingsymbol: str
    exchange: str
    instrument_token: int
    transaction_type: str
    order_type: str
    product: str
    status: str
    status_message: str | None
    order_timestamp: str
    quantity: int
    filled_quantity: int
    price: Amount
    average_price: Amount


class NewOrder(TypedDict):
    """An order to be placed; the price is text, so that it arrives as it was written."""

    tradingsymbol: str
    exchange: str
    instrument_token: int
    transaction_type: str
    order_type: str
    product: str
    validity: str
    quantity: int
    price: str


class Refusal(TypedDict):
    """Why the broker did not take an order."""

    message: str


class Placement(TypedDict):
    """What became of a new order: either of the two is there."""

    order_id: NotRequired[str]
    error: NotRequired[Refusal]


class SubscriptionMessage(TypedDict):
    """`{"a": "mode", "v": ["full", [token, …]]}`: the broker's way to say what is to be sent."""

    a: str
    v: tuple[str, list[int]]
