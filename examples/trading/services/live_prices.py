"""Subscribes to live prices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.broker.subscription import subscription_to

if TYPE_CHECKING:
    from collections.abc import Sequence

    from examples.trading.broker.client import BrokerClient
    from examples.trading.requests import WantedSymbol


def subscribe(broker: BrokerClient, wanted: Sequence[WantedSymbol], mode: str) -> dict[str, object]:
    """Has the broker send the prices of the wanted symbols; returns how to read them."""
    subscription = subscription_to(wanted, mode)
    if subscription.instruments:
        broker.subscribe(subscription.message)
    return {"instruments": subscription.instruments, "unknown": subscription.unknown}
