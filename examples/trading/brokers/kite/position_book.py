"""The position book, from Kite's terms into the application's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.lookups import get_brexchange, get_oa_symbol, get_token
from examples.trading.money import profit, rupees
from examples.trading.shown import Position

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .payloads import KitePosition


def map_positions(rows: Sequence[KitePosition]) -> list[Position]:
    """Returns the positions under the application's symbols.

    One whose symbol the master contract does not have, an expired contract for example, keeps the
    names that Kite gave it.
    """
    positions = []
    for row in rows:
        exchange = row["exchange"]
        symbol = get_oa_symbol(row["tradingsymbol"], exchange)
        if symbol is None:
            symbol, token, brexchange = row["tradingsymbol"], None, None
        else:
            token = get_token(symbol, exchange)
            brexchange = get_brexchange(symbol, exchange)
        positions.append(
            Position(
                symbol=symbol,
                exchange=exchange,
                brsymbol=row["tradingsymbol"],
                brexchange=brexchange or exchange,
                token=token or str(row["instrument_token"]),
                product=row["product"],
                quantity=row["quantity"],
                average_price=rupees(row["average_price"]),
                ltp=rupees(row["last_price"]),
                pnl=profit(
                    row["quantity"] * row["multiplier"],
                    row["last_price"],
                    row["buy_value"],
                    row["sell_value"],
                ),
            )
        )
    return positions
