"""New orders, from the application's terms into Kite's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.lookups import get_br_symbol, get_brexchange, get_token

if TYPE_CHECKING:
    from collections.abc import Sequence

    from examples.trading.requests import BasketLeg

    from .payloads import KiteNewOrder


def new_orders(legs: Sequence[BasketLeg]) -> list[KiteNewOrder | None]:
    """Returns each leg's order, or None for one whose symbol the master contract does not have."""
    orders: list[KiteNewOrder | None] = []
    for leg in legs:
        token = get_token(leg.symbol, leg.exchange)
        if token is None:
            orders.append(None)
            continue
        orders.append(
            {
                "tradingsymbol": get_br_symbol(leg.symbol, leg.exchange) or leg.symbol,
                "exchange": get_brexchange(leg.symbol, leg.exchange) or leg.exchange,
                "instrument_token": int(token),
                "transaction_type": leg.action,
                "order_type": leg.price_type,
                "product": leg.product,
                "validity": "DAY",
                "quantity": leg.quantity,
                "price": str(leg.price),
            }
        )
    return orders
