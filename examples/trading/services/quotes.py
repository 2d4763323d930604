"""Shows prices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.brokers.base import find_listed
from examples.trading.shown import Quote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from examples.trading.brokers.client import BrokerClient
    from examples.trading.requests import WantedSymbol


def show_quotes(client: BrokerClient, wanted: Iterable[WantedSymbol]) -> list[Quote]:
    """Returns the quotes of the wanted symbols, for which the broker is asked once."""
    quotes: list[Quote] = []
    instruments = []
    for each in wanted:
        quotes.append(Quote(each.symbol, each.exchange))
        listed = find_listed(each.symbol, each.exchange)
        if listed is not None:
            instruments.append((quotes[-1], listed))
    if instruments:
        prices = client.quotes([listed for _, listed in instruments])
        for (quote, _), found in zip(instruments, prices, strict=True):
            quote.prices = found
    return quotes
