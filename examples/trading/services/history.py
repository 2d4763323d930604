"""Shows prices of the past."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.brokers.base import find_listed
from examples.trading.shown import History

if TYPE_CHECKING:
    from collections.abc import Iterable

    from examples.trading.brokers.client import BrokerClient
    from examples.trading.requests import Period, WantedSymbol


def show_history(
    client: BrokerClient, wanted: Iterable[WantedSymbol], period: Period
) -> list[History]:
    """Returns the candles of the wanted symbols; the broker is asked for one at a time."""
    histories = []
    for each in wanted:
        listed = find_listed(each.symbol, each.exchange)
        candles = [] if listed is None else client.candles(listed, period)
        histories.append(History(each.symbol, each.exchange, candles))
    return histories
