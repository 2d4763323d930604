"""What the application calls an instrument of Kite's."""

from __future__ import annotations

from examples.trading.lookups import get_oa_symbol, get_symbol


def symbol_of(tradingsymbol: str, exchange: str, token: int) -> str:
    """Returns the application's symbol; Kite's own if the master contract does not have it."""
    symbol = get_oa_symbol(tradingsymbol, exchange)
    if symbol is None:
        # A company that changes its name keeps its token; an expired contract is not listed at all.
        symbol = get_symbol(str(token), exchange) or tradingsymbol
    return symbol
