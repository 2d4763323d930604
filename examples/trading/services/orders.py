"""Places one order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.brokers.errors import BrokerError

if TYPE_CHECKING:
    from examples.trading.brokers.client import BrokerClient
    from examples.trading.requests import NewOrder


def place_order(client: BrokerClient, order: NewOrder) -> dict[str, object]:
    """Places an order if it can be placed; returns what became of it."""
    result: dict[str, object] = {
        "symbol": order.symbol,
        "exchange": order.exchange,
        "quantity": order.quantity,
    }
    [listed] = client.broker.get_symbols_for_orders([order])
    if listed is None:
        message = "The master contract has no such symbol."
        return result | {"status": "error", "message": message}
    sent = client.broker.prepare_order_data(order, listed)
    try:
        order_id = client.place(sent)
    except BrokerError as error:
        return result | {"sent": sent, "status": "error", "message": str(error)}
    return result | {"sent": sent, "status": "success", "order_id": order_id}
