"""New orders, from the application's terms into Ordinal's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .segments import CODES

if TYPE_CHECKING:
    from examples.trading.brokers.base import Listed
    from examples.trading.requests import NewOrder

    from .payloads import OrdinalNewOrder


def transform_data(order: NewOrder, listed: Listed) -> OrdinalNewOrder:
    """Puts an order into Ordinal's terms."""
    return {
        "tk": int(listed.token),
        "sg": CODES.get(listed.brexchange, 0),
        "nm": listed.brsymbol,
        "bs": order.action,
        "ty": order.price_type,
        "pr": order.product,
        "qy": str(order.quantity),
        "px": str(order.price),
    }
