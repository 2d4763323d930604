"""Places baskets of orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from examples.trading.brokers.errors import BrokerRefusalError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from examples.trading.brokers.broker import Broker
    from examples.trading.brokers.client import BrokerClient
    from examples.trading.requests import BasketLeg


def place_basket(client: BrokerClient, legs: Sequence[BasketLeg]) -> list[dict[str, object]]:
    """Places all legs that can be placed; returns what became of each, in their order."""
    orders = client.broker.new_orders(legs)
    placeable = [order for order in orders if order is not None]
    answers = iter(client.place(placeable) if placeable else ())
    results = []
    for leg, order in zip(legs, orders, strict=True):
        result: dict[str, object] = {"symbol": leg.symbol, "exchange": leg.exchange}
        if order is None:
            result |= {"status": "error", "message": "The master contract has no such symbol."}
        else:
            result |= {"sent": order} | _outcome(client.broker, next(answers))
        results.append(result)
    return results


def _outcome(broker: Broker, answer: dict[str, Any]) -> dict[str, object]:
    try:
        return {"status": "success", "order_id": broker.order_id(answer)}
    except BrokerRefusalError as error:
        return {"status": "error", "message": str(error)}
