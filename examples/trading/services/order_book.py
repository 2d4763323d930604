"""Shows the day's orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.broker.order_book import map_orders

if TYPE_CHECKING:
    from examples.trading.broker.client import BrokerClient


def order_book(broker: BrokerClient) -> list[dict[str, object]]:
    """Returns the day's orders, under the application's symbols."""
    return map_orders(broker.orders())
