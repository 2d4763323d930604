"""Places baskets of orders."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from dataloaders import ScopeThreadPoolExecutor

from .orders import place_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from examples.trading.brokers.client import BrokerClient
    from examples.trading.requests import NewOrder

AT_ONCE: Final = 10
"""Orders that are on their way to the broker at the same time: it takes them one by one."""


def place_basket(client: BrokerClient, orders: Sequence[NewOrder]) -> list[dict[str, object]]:
    """Places all orders that can be placed; returns what became of each, in their order."""
    with ScopeThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(partial(place_order, client), orders))
