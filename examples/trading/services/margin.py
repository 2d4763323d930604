"""Says what orders would tie up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.money import rupees

if TYPE_CHECKING:
    from collections.abc import Sequence

    from examples.trading.brokers.client import BrokerClient
    from examples.trading.requests import NewOrder


def show_margin(client: BrokerClient, orders: Sequence[NewOrder]) -> dict[str, object]:
    """Returns the rupees that all orders together would tie up, and which symbols are unknown."""
    listed = client.broker.get_symbols_for_orders(orders)
    placeable = [
        client.broker.prepare_order_data(order, found)
        for order, found in zip(orders, listed, strict=True)
        if found is not None
    ]
    unknown = [
        {"symbol": order.symbol, "exchange": order.exchange}
        for order, found in zip(orders, listed, strict=True)
        if found is None
    ]
    margin = client.margin(placeable) if placeable else rupees(0)
    return {"margin": margin, "unknown": unknown}
