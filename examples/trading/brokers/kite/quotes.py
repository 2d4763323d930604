"""Quotes, from Kite's terms into the application's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from examples.trading.money import rupees
from examples.trading.shown import Quote

from .symbols import symbol_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .payloads import KiteQuote


def map_quotes(quotes: Mapping[str, KiteQuote]) -> list[Quote]:
    """Returns the quotes under the application's symbols."""
    shown = []
    for name, quote in quotes.items():
        exchange, _, tradingsymbol = name.partition(":")
        symbol = symbol_of(tradingsymbol, exchange, quote["instrument_token"])
        shown.append(Quote(symbol, exchange, rupees(quote["last_price"])))
    return shown
