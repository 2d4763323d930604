"""New orders, from the application's terms into Kite's."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from examples.trading.brokers.base import Listed
    from examples.trading.requests import NewOrder

    from .payloads import KiteNewOrder


def transform_data(order: NewOrder, listed: Listed) -> KiteNewOrder:
    """Puts an order into Kite's terms."""
    return {
        "tradingsymbol": listed.brsymbol,
        "exchange": listed.brexchange,
        "instrument_token": int(listed.token),
        "transaction_type": order.action,
        "order_type": order.price_type,
        "product": order.product,
        "validity": "DAY",
        "quantity": order.quantity,
        "price": str(order.price),
    }
