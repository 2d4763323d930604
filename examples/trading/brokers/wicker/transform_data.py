"""New orders, from the application's terms into Wicker's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .instruments import instrument_of

if TYPE_CHECKING:
    from examples.trading.brokers.base import Listed
    from examples.trading.requests import NewOrder

    from .payloads import WickerNewOrder


def transform_data(order: NewOrder, listed: Listed) -> WickerNewOrder:
    """Puts an order into Wicker's terms."""
    return {
        "instrument": instrument_of(listed.token, listed.brexchange),
        "label": listed.brsymbol,
        "terms": {
            "side": order.action,
            "kind": order.price_type,
            "product": order.product,
            "quantity": order.quantity,
            "price": str(order.price),
        },
    }
