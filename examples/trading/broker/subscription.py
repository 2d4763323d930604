"""Subscriptions to live prices, from the application's terms into the broker's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from examples.trading.lookups import get_brexchange, get_symbol_info, get_token
from examples.trading.money import rupees

if TYPE_CHECKING:
    from collections.abc import Sequence

    from examples.trading.requests import WantedSymbol

    from .payloads import SubscriptionMessage


@dataclass(slots=True)
class Subscription:
    """What is asked of the broker, and how its prices are to be read.

    Attributes:
        message: The message to the broker.
        instruments: What the client needs to know of each instrument that was found.
        unknown: The symbols that the master contract does not have.
    """

    message: SubscriptionMessage
    instruments: list[dict[str, object]] = field(default_factory=list)
    unknown: list[dict[str, str]] = field(default_factory=list)


def subscription_to(wanted: Sequence[WantedSymbol], mode: str) -> Subscription:
    """Returns the subscription to the wanted symbols."""
    tokens: list[int] = []
    subscription = Subscription({"a": "mode", "v": (mode, tokens)})
    for each in wanted:
        token = get_token(each.symbol, each.exchange)
        info = get_symbol_info(each.symbol, each.exchange)
        if token is None or info is None:
            subscription.unknown.append({"symbol": each.symbol, "exchange": each.exchange})
            continue
        tokens.append(int(token))
        subscription.instruments.append(
            {
                "symbol": each.symbol,
                "exchange": each.exchange,
                "segment": get_brexchange(each.symbol, each.exchange) or each.exchange,
                "token": token,
                "lotsize": info.lotsize,
                "tick_size": rupees(str(info.tick_size or 0)),
            }
        )
    return subscription
