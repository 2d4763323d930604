"""Shows the open positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.broker.position_book import map_positions

if TYPE_CHECKING:
    from examples.trading.broker.client import BrokerClient


def position_book(broker: BrokerClient) -> list[dict[str, object]]:
    """Returns the net positions, under the application's symbols."""
    return map_positions(broker.positions())
