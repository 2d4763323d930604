"""Subscriptions to live prices, from the application's terms into Ordinal's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.brokers.subscription import Subscription
from examples.trading.lookups import get_brexchange, get_symbol_info, get_token

from .segments import CODES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from examples.trading.requests import WantedSymbol


def subscription_to(wanted: Sequence[WantedSymbol], mode: str) -> Subscription:
    """Returns the subscription: `{"md": "full", "in": {segment: [token, …]}}` is its message."""
    tokens: dict[int, list[int]] = {}
    subscription = Subscription({"md": mode, "in": tokens})
    for each in wanted:
        info = get_symbol_info(each.symbol, each.exchange)
        token = get_token(each.symbol, each.exchange)
        if info is None or token is None:
            subscription.leave_out(each)
            continue
        exchange = get_brexchange(each.symbol, each.exchange) or each.exchange
        segment = CODES.get(exchange, 0)
        tokens.setdefault(segment, []).append(int(token))
        subscription.add(each, token, segment, info)
    return subscription
