"""The trade book, from Wicker's terms into the application's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.money import rupees
from examples.trading.shown import Trade

from .instruments import symbol_of
from .segments import EXCHANGES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .payloads import WickerTrade


def map_trades(rows: Sequence[WickerTrade]) -> list[Trade]:
    """Returns the trades under the application's symbols; an unknown one is shown by its id."""
    return [_map_trade(row) for row in rows]


def _map_trade(row: WickerTrade) -> Trade:
    segment, _, token = row["instrument_key"].partition("|")
    exchange = EXCHANGES.get(segment, segment)
    return Trade(
        trade_id=row["id"],
        order_id=row["order"]["id"],
        symbol=symbol_of(int(token), exchange),
        exchange=exchange,
        action=row["order"]["side"],
        product=row["order"]["product"],
        timestamp=row["at"],
        quantity=row["quantity"],
        average_price=rupees(row["price"]),
    )
