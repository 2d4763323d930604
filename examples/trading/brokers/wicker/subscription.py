"""Subscriptions to live prices, from the application's terms into Wicker's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.brokers.subscription import Subscription
from examples.trading.lookups import get_symbol_info

from .instruments import instrument_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from examples.trading.requests import WantedSymbol

    from .payloads import Instrument


def subscription_to(wanted: Sequence[WantedSymbol], mode: str) -> Subscription:
    """Returns the subscription: `{"subscribe": {"full": [instrument, …]}}` is its message."""
    instruments: list[Instrument] = []
    subscription = Subscription({"subscribe": {mode: instruments}})
    for each in wanted:
        instrument = instrument_of(each.symbol, each.exchange)
        info = get_symbol_info(each.symbol, each.exchange)
        if instrument is None or info is None:
            subscription.leave_out(each)
            continue
        instruments.append(instrument)
        subscription.add(each, str(instrument["id"]), instrument["segment"], info)
    return subscription
