"""Subscribes to live prices."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from examples.trading.brokers.client import BrokerClient
    from examples.trading.requests import WantedSymbol


def subscribe(client: BrokerClient, wanted: Sequence[WantedSymbol], mode: str) -> dict[str, object]:
    """Has the broker send the prices of the wanted symbols; returns how to read them."""
    subscription = client.broker.market.subscription_to(wanted, mode)
    if subscription.instruments:
        client.subscribe(subscription.message)
    return {"instruments": subscription.instruments, "unknown": subscription.unknown}
