"""The holdings, from Kite's terms into the application's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.money import rupees, to_paisa
from examples.trading.shown import Holding

from .symbols import symbol_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .payloads import KiteHolding


def map_holdings(rows: Sequence[KiteHolding]) -> list[Holding]:
    """Returns the holdings under the application's symbols."""
    return [
        Holding(
            symbol=symbol_of(row["tradingsymbol"], row["exchange"], row["instrument_token"]),
            exchange=row["exchange"],
            product=row["product"],
            quantity=row["quantity"],
            average_price=rupees(row["average_price"]),
            ltp=rupees(row["last_price"]),
            pnl=to_paisa(rupees(row["pnl"])),
        )
        for row in rows
    ]
