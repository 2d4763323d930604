"""The position book, from Ordinal's terms into the application's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.lookups import get_br_symbol, get_brexchange, get_symbol
from examples.trading.money import profit, rupees
from examples.trading.shown import Position

from .segments import EXCHANGES, OTHER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .payloads import OrdinalPosition


def map_positions(rows: Sequence[OrdinalPosition]) -> list[Position]:
    """Returns the positions under the application's symbols.

    One whose token the master contract does not have is shown by its token.
    """
    positions = []
    for row in rows:
        exchange = EXCHANGES.get(int(row["sg"]), OTHER)
        token = str(row["tk"])
        symbol = get_symbol(row["tk"], exchange)
        brsymbol = brexchange = None
        if symbol:
            brsymbol = get_br_symbol(symbol, exchange)
            brexchange = get_brexchange(symbol, exchange)
        quantity = int(row["qy"])
        positions.append(
            Position(
                symbol=symbol or token,
                exchange=exchange,
                brsymbol=brsymbol or token,
                brexchange=brexchange or exchange,
                token=token,
                product=row["pr"],
                quantity=quantity,
                average_price=rupees(row["ap"]),
                ltp=rupees(row["lp"]),
                pnl=profit(quantity * int(row["ml"]), row["lp"], row["bv"], row["sv"]),
            )
        )
    return positions
