"""The order book, from Kite's terms into the application's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.money import rupees
from examples.trading.shown import Order

from .symbols import symbol_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .payloads import KiteOrder


def map_orders(rows: Sequence[KiteOrder]) -> list[Order]:
    """Returns the orders under the application's symbols."""
    return [_map_order(row) for row in rows]


def _map_order(row: KiteOrder) -> Order:
    return Order(
        order_id=row["order_id"],
        symbol=symbol_of(row["tradingsymbol"], row["exchange"], row["instrument_token"]),
        exchange=row["exchange"],
        action=row["transaction_type"],
        pricetype=row["order_type"],
        product=row["product"],
        status=row["status"].lower(),
        message=row["status_message"] or "",
        timestamp=row["order_timestamp"],
        quantity=row["quantity"],
        filled_quantity=row["filled_quantity"],
        price=rupees(row["price"]),
        average_price=rupees(row["average_price"]),
    )
