"""Places baskets of orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.broker.order_data import new_orders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from examples.trading.broker.client import BrokerClient
    from examples.trading.broker.payloads import NewOrder, Placement
    from examples.trading.requests import BasketLeg


def place_basket(broker: BrokerClient, legs: Sequence[BasketLeg]) -> list[dict[str, object]]:
    """Places all legs that can be placed; returns what became of each, in their order."""
    orders = new_orders(legs)
    placeable = [order for order in orders if order is not None]
    placements = iter(broker.place(placeable) if placeable else ())
    return [
        _result(leg, order, None if order is None else next(placements))
        for leg, order in zip(legs, orders, strict=True)
    ]


def _result(
    leg: BasketLeg, order: NewOrder | None, placement: Placement | None
) -> dict[str, object]:
    result: dict[str, object] = {"symbol": leg.symbol, "exchange": leg.exchange}
    if order is None or placement is None:
        return result | {"status": "error", "message": "The master contract has no such symbol."}
    result |= {
        "brsymbol": order["tradingsymbol"],
        "brexchange": order["exchange"],
        "token": str(order["instrument_token"]),
    }
    if "order_id" in placement:
        return result | {"status": "success", "order_id": placement["order_id"]}
    reason = placement["error"]["message"] if "error" in placement else "It gave no reason."
    return result | {"status": "error", "message": f"The broker refused: {reason}"}
