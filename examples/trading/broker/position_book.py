"""The position book, from the broker's terms into the application's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.lookups import get_brexchange, get_oa_symbol, get_token
from examples.trading.money import rupees, to_paisa

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from .payloads import BrokerPosition


def map_positions(rows: Sequence[BrokerPosition]) -> list[dict[str, object]]:
    """Returns the positions under the application's symbols.

    One whose symbol the master contract does not have, an expired contract for example, keeps the
    names that the broker gave it.
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
            {
                "symbol": symbol,
                "exchange": exchange,
                "brexchange": brexchange or exchange,
                "token": token or str(row["instrument_token"]),
                "product": row["product"],
                "quantity": row["quantity"],
                "average_price": rupees(row["average_price"]),
                "ltp": rupees(row["last_price"]),
                "pnl": _profit(row),
            }
        )
    return positions


def _profit(row: BrokerPosition) -> Decimal:
    """What was earned so far, if the position were closed at the last price."""
    worth = row["quantity"] * row["multiplier"] * rupees(row["last_price"])
    return to_paisa(rupees(row["sell_value"]) - rupees(row["buy_value"]) + worth)
