"""The holdings, from Wicker's terms into the application's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.money import rupees, to_paisa
from examples.trading.shown import Holding

from .instruments import symbol_of
from .segments import EXCHANGES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .payloads import WickerHolding


def map_holdings(rows: Sequence[WickerHolding]) -> list[Holding]:
    """Returns the holdings under the application's symbols; an unknown one is shown by its id.

    A share has a listing for each exchange; the first is the one that it was bought on.
    """
    holdings = []
    for row in rows:
        listing = row["listings"][0]
        exchange = EXCHANGES.get(listing["segment"], listing["segment"])
        holdings.append(
            Holding(
                symbol=symbol_of(listing["id"], exchange),
                exchange=exchange,
                product=row["product"],
                quantity=row["quantity"],
                average_price=rupees(row["price"]["average"]),
                ltp=rupees(row["price"]["last"]),
                pnl=to_paisa(rupees(row["profit"])),
            )
        )
    return holdings
