"""The fields that the application reads of Kite's payloads, and those that it sends."""

from __future__ import annotations

from decimal import Decimal
from typing import TypedDict

Amount = int | Decimal


class KiteRow(TypedDict):
    """What every row says of its instrument."""

    tradingsymbol: str
    exchange: str
    instrument_token: int


class KitePosition(KiteRow):
    """A row of the position book."""

    product: str
    quantity: int
    multiplier: int
    average_price: Amount
    last_price: Amount
    buy_value: Amount
    sell_value: Amount


class KiteOrder(KiteRow):
    """A row of the order book."""

    order_id: str
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


class KiteTrade(KiteRow):
    """A row of the trade book."""

    trade_id: str
    order_id: str
    transaction_type: str
    product: str
    fill_timestamp: str
    quantity: int
    average_price: Amount


class KiteHolding(KiteRow):
    """A row of the holdings."""

    product: str
    quantity: int
    average_price: Amount
    last_price: Amount
    pnl: Amount


class KiteNewOrder(KiteRow):
    """An order to be placed; the price is text, so that it arrives as it was written."""

    transaction_type: str
    order_type: str
    product: str
    validity: str
    quantity: int
    price: str
