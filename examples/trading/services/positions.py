"""Shows the open positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.broker.position_book import map_positions
from examples.trading.lookups import expect_broker_symbols

if TYPE_CHECKING:
    from examples.trading.broker.client import BrokerClient


def position_book(broker: BrokerClient) -> list[dict[str, object]]:
    """Returns the net positions, under the application's symbols."""
    rows = broker.positions()
    expect_broker_symbols((row["tradingsymbol"], row["exchange"]) for row in rows)
    return map_positions(rows)
