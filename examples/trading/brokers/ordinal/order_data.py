"""The order book, from Ordinal's terms into the application's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.lookups import get_symbol
from examples.trading.money import rupees
from examples.trading.shown import Order

from .segments import EXCHANGES, OTHER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .payloads import OrdinalOrder


def map_orders(rows: Sequence[OrdinalOrder]) -> list[Order]:
    """Returns the orders under the application's symbols; an unknown one is shown by its token."""
    orders = []
    for row in rows:
        exchange = EXCHANGES.get(row["sg"], OTHER)
        orders.append(
            Order(
                order_id=str(row["no"]),
                symbol=get_symbol(row["tk"], exchange) or row["tk"],
                exchange=exchange,
                action=row["bs"],
                pricetype=row["ty"],
                product=row["pr"],
                status=row["st"].lower(),
                message=row["ms"],
                timestamp=row["tm"],
                quantity=int(row["qy"]),
                filled_quantity=int(row["fq"]),
                price=rupees(row["px"]),
                average_price=rupees(row["ap"]),
            )
        )
    return orders
