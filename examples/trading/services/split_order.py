"""Places an order that is too large for the exchange, in slices."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .orders import place_order

if TYPE_CHECKING:
    from examples.trading.brokers.client import BrokerClient
    from examples.trading.requests import SplitOrder


def place_slices(client: BrokerClient, split: SplitOrder) -> list[dict[str, object]]:
    """Places the slices one after another; returns what became of each."""
    results = []
    left = split.whole.quantity
    while left > 0:
        units = min(left, split.slice_size)
        results.append(place_order(client, replace(split.whole, quantity=units)))
        left -= units
    return results
