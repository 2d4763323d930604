"""The order book, from the broker's terms into the application's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.lookups import get_oa_symbol, get_symbol
from examples.trading.money import rupees

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .payloads import BrokerOrder


def map_orders(rows: Sequence[BrokerOrder]) -> list[dict[str, object]]:
    """Returns the orders under the application's symbols."""
    return [_map_order(row) for row in rows]


def _map_order(row: BrokerOrder) -> dict[str, object]:
    exchange = row["exchange"]
    symbol = get_oa_symbol(row["tradingsymbol"], exchange)
    if symbol is None:
        # A company that changes its name keeps its token; an expired contract is not listed at all.
        symbol = get_symbol(str(row["instrument_token"]), exchange) or row["tradingsymbol"]
    return {
        "order_id": row["order_id"],
        "symbol": symbol,
        "exchange": exchange,
        "action": row["transaction_type"],
        "pricetype": row["order_type"],
        "product": row["product"],
        "status": row["status"].lower(),
        "message": row["status_message"] or "",
        "timestamp": row["order_timestamp"],
        "quantity": row["quantity"],
        "filled_quantity": row["filled_quantity"],
        "price": rupees(row["price"]),
        "average_price": rupees(row["average_price"]),
    }
