"""The order book, from Wicker's terms into the application's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.money import rupees
from examples.trading.shown import Order

from .instruments import symbol_of
from .segments import EXCHANGES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .payloads import WickerOrder


def map_orders(rows: Mapping[str, WickerOrder]) -> list[Order]:
    """Returns the orders under the application's symbols; an unknown one is shown by its id.

    The rows' segments are overwritten by exchanges.
    """
    orders = []
    for order_id, row in rows.items():
        instrument, terms, state = row["instrument"], row["terms"], row["state"]
        instrument["segment"] = EXCHANGES.get(instrument["segment"], instrument["segment"])
        orders.append(
            Order(
                order_id=order_id,
                symbol=symbol_of(instrument["id"], instrument["segment"]),
                exchange=instrument["segment"],
                action=terms["side"],
                pricetype=terms["kind"],
                product=terms["product"],
                status=state["name"].lower(),
                message=state["reason"] or "",
                timestamp=state["since"],
                quantity=terms["quantity"],
                filled_quantity=state["filled"],
                price=rupees(terms["price"]),
                average_price=rupees(state["average"]),
            )
        )
    return orders
