"""The position book, from Wicker's terms into the application's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.money import profit, rupees
from examples.trading.shown import Position

from .instruments import names_of
from .segments import EXCHANGES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .payloads import WickerPosition


def map_positions(rows: Sequence[WickerPosition]) -> list[Position]:
    """Returns the positions under the application's symbols; an unknown one is shown by its id.

    The rows' segments are overwritten by exchanges.
    """
    positions = []
    for row in rows:
        instrument, held = row["instrument"], row["quantity"]
        instrument["segment"] = EXCHANGES.get(instrument["segment"], instrument["segment"])
        names = names_of(instrument["id"], instrument["segment"])
        positions.append(
            Position(
                symbol=names.symbol,
                exchange=instrument["segment"],
                brsymbol=names.brsymbol,
                brexchange=names.brexchange,
                token=str(instrument["id"]),
                product=row["product"],
                quantity=held["net"],
                average_price=rupees(row["price"]["average"]),
                ltp=rupees(row["price"]["last"]),
                pnl=profit(
                    held["net"] * held["multiplier"],
                    row["price"]["last"],
                    row["value"]["bought"],
                    row["value"]["sold"],
                ),
            )
        )
    return positions
