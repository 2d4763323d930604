"""Subscriptions to live prices, from the application's terms into Kite's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.brokers.subscription import Subscription
from examples.trading.lookups import get_brexchange, get_symbol_info, get_token

if TYPE_CHECKING:
    from collections.abc import Sequence

    from examples.trading.requests import WantedSymbol


def subscription_to(wanted: Sequence[WantedSymbol], mode: str) -> Subscription:
    """Returns the subscription: `{"a": "mode", "v": ["full", [token, …]]}` is its message."""
    tokens: list[int] = []
    subscription = Subscription({"a": "mode", "v": (mode, tokens)})
    for each in wanted:
        token = get_token(each.symbol, each.exchange)
        info = get_symbol_info(each.symbol, each.exchange)
        if token is None or info is None:
            subscription.leave_out(each)
            continue
        tokens.append(int(token))
        segment = get_brexchange(each.symbol, each.exchange) or each.exchange
        subscription.add(each, token, segment, info)
    return subscription
