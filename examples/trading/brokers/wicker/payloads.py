"""The objects that the application reads of Wicker's payloads, and those that it sends."""

from __future__ import annotations

from decimal import Decimal
from typing import TypedDict

Amount = int | Decimal


class Instrument(TypedDict):
    """What an instrument is to Wicker."""

    id: int
    segment: str


class Held(TypedDict):
    """How much of an instrument is held: `net` times `multiplier` units of its price."""

    net: int
    multiplier: int


class Prices(TypedDict):
    """What one unit is worth, in rupees."""

    average: Amount
    last: Amount


class Values(TypedDict):
    """What was bought and sold in all, in rupees."""

    bought: Amount
    sold: Amount


class WickerPosition(TypedDict):
    """A row of the position book."""

    instrument: Instrument
    product: str
    quantity: Held
    price: Prices
    value: Values


class State(TypedDict):
    """What became of an order."""

    name: str
    reason: str | None
    since: str
    filled: int
    average: Amount


class Terms(TypedDict):
    """What is ordered: units, and the price of one in rupees, 0 for one at the market."""

    side: str
    kind: str
    product: str
    quantity: int
    price: Amount


class WickerOrder(TypedDict):
    """A row of the order book, whose key is the order's id."""

    instrument: Instrument
    terms: Terms
    state: State


class NewTerms(TypedDict):
    """As `Terms`; the price is text, so that it arrives as it was written."""

    side: str
    kind: str
    product: str
    quantity: int
    price: str


class WickerNewOrder(TypedDict):
    """An order to be placed; the label has to be that of the instrument."""

    instrument: Instrument
    label: str
    terms: NewTerms


class TradedOrder(TypedDict):
    """What a trade says of its order."""

    id: str
    side: str
    product: str


class WickerTrade(TypedDict):
    """A row of the trade book; the key is the instrument's, as `NSE_EQ|1594`."""

    id: str
    instrument_key: str
    order: TradedOrder
    at: str
    quantity: int
    price: Amount


class WickerHolding(TypedDict):
    """A row of the holdings."""

    listings: list[Instrument]
    product: str
    quantity: int
    price: Prices
    profit: Amount
