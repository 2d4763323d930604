"""Shows the day's orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.broker.order_book import map_orders
from examples.trading.lookups import expect_broker_symbols, expect_tokens

if TYPE_CHECKING:
    from examples.trading.broker.client import BrokerClient


def order_book(broker: BrokerClient) -> list[dict[str, object]]:
    """Returns the day's orders, under the application's symbols."""
    rows = broker.orders()
    expect_broker_symbols((row["tradingsymbol"], row["exchange"]) for row in rows)
    expect_tokens((row["instrument_token"], row["exchange"]) for row in rows)
    return map_orders(rows)
