"""New orders, from the application's terms into Ordinal's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.lookups import get_br_symbol, get_brexchange, get_token

from .segments import CODES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from examples.trading.requests import BasketLeg

    from .payloads import OrdinalNewOrder


def new_orders(legs: Sequence[BasketLeg]) -> list[OrdinalNewOrder | None]:
    """Returns each leg's order, or None for one whose symbol the master contract does not have."""
    orders: list[OrdinalNewOrder | None] = []
    for leg in legs:
        token = get_token(leg.symbol, leg.exchange)
        if token is None:
            orders.append(None)
            continue
        exchange = get_brexchange(leg.symbol, leg.exchange) or leg.exchange
        orders.append(
            {
                "tk": int(token),
                "sg": CODES.get(exchange, 0),
                "nm": get_br_symbol(leg.symbol, leg.exchange) or leg.symbol,
                "bs": leg.action,
                "ty": leg.price_type,
                "pr": leg.product,
                "qy": str(leg.quantity),
                "px": str(leg.price),
            }
        )
    return orders
