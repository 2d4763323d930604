"""New orders, from the application's terms into Wicker's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.lookups import get_br_symbol

from .instruments import instrument_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from examples.trading.requests import BasketLeg

    from .payloads import WickerNewOrder


def new_orders(legs: Sequence[BasketLeg]) -> list[WickerNewOrder | None]:
    """Returns each leg's order, or None for one whose symbol the master contract does not have."""
    return [_new_order(leg) for leg in legs]


def _new_order(leg: BasketLeg) -> WickerNewOrder | None:
    instrument = instrument_of(leg.symbol, leg.exchange)
    if instrument is None:
        return None
    return {
        "instrument": instrument,
        "label": get_br_symbol(leg.symbol, leg.exchange) or leg.symbol,
        "terms": {
            "side": leg.action,
            "kind": leg.price_type,
            "product": leg.product,
            "quantity": leg.quantity,
            "price": str(leg.price),
        },
    }
