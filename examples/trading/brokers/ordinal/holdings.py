"""The holdings, from Ordinal's terms into the application's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.lookups import get_symbol
from examples.trading.money import rupees, to_paisa
from examples.trading.shown import Holding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .payloads import OrdinalHolding


def map_holdings(rows: Sequence[OrdinalHolding]) -> list[Holding]:
    """Returns the holdings under the application's symbols.

    A share is listed on several exchanges, and Ordinal does not say on which it was bought: it is
    shown under the first that has it.
    """
    holdings = []
    for row in rows:
        token = str(row["tk"])
        exchange = "NSE"
        symbol = get_symbol(token, exchange)
        if symbol is None:
            exchange = "BSE"
            symbol = get_symbol(token, exchange) or token
        holdings.append(
            Holding(
                symbol=symbol,
                exchange=exchange,
                product=row["pr"],
                quantity=int(row["qy"]),
                average_price=rupees(row["ap"]),
                ltp=rupees(row["lp"]),
                pnl=to_paisa(rupees(row["pl"])),
            )
        )
    return holdings
