"""The trade book, from Kite's terms into the application's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.money import rupees
from examples.trading.shown import Trade

from .symbols import symbol_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .payloads import KiteTrade


def map_trades(rows: Sequence[KiteTrade]) -> list[Trade]:
    """Returns the trades under the application's symbols."""
    return [
        Trade(
            trade_id=row["trade_id"],
            order_id=row["order_id"],
            symbol=symbol_of(row["tradingsymbol"], row["exchange"], row["instrument_token"]),
            exchange=row["exchange"],
            action=row["transaction_type"],
            product=row["product"],
            timestamp=row["fill_timestamp"],
            quantity=row["quantity"],
            average_price=rupees(row["average_price"]),
        )
        for row in rows
    ]
