"""The trade book, from Ordinal's terms into the application's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.lookups import get_symbol
from examples.trading.money import rupees
from examples.trading.shown import Trade

from .segments import EXCHANGES, OTHER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .payloads import OrdinalTrade


def map_trades(rows: Sequence[OrdinalTrade]) -> list[Trade]:
    """Returns the trades under the application's symbols; an unknown one is shown by its token."""
    trades = []
    for row in rows:
        code, _, token = row["it"].partition(":")
        exchange = EXCHANGES.get(int(code), OTHER)
        symbol = get_symbol(token, exchange)
        if symbol is None:
            symbol = token
        trades.append(
            Trade(
                trade_id=str(row["tn"]),
                order_id=str(row["no"]),
                symbol=symbol,
                exchange=exchange,
                action=row["bs"],
                product=row["pr"],
                timestamp=row["tm"],
                quantity=int(row["qy"]),
                average_price=rupees(row["ap"]),
            )
        )
    return trades
