"""Elm's tickers: 'NSE:SBIN-EQ', 'NSE:NIFTY26AUGFUT', 'MCX:GOLD26AUGFUT'.

The part before the colon is the house, not the market, so derivatives need the segment number.
"""

from tests.lookahead.token_db import get_br_symbol, get_oa_symbol

# (house, segment) on the wire
MARKETS = {
    (10, 10): "NSE",
    (10, 11): "NFO",
    (10, 12): "CDS",
    (12, 10): "BSE",
    (12, 11): "BFO",
    (11, 20): "MCX",
}
NUMBERS = {v: k for k, v in MARKETS.items()}
HOUSES = {"NSE": "NSE", "NFO": "NSE", "CDS": "NSE", "BSE": "BSE", "BFO": "BSE", "MCX": "MCX"}


def market(row):
    return MARKETS.get((row["exchange"], row["segment"]))


def strip_ticker(ticker):
    name = ticker.split(":")[-1]
    if name.endswith(("-EQ", "-A")):
        name = name.rsplit("-", 1)[0]
    return name


def our_symbol(ticker, exchange):
    if not ticker or exchange is None:
        return None
    return get_oa_symbol(strip_ticker(ticker), exchange)


def ticker_of(symbol, exchange):
    """Raises ValueError when Elm has no such instrument."""
    br = get_br_symbol(symbol, exchange)
    if br is None:
        raise ValueError(f"Elm does not know {symbol} on {exchange}")
    suffix = {"NSE": "-EQ", "BSE": "-A"}.get(exchange, "")
    return f"{HOUSES.get(exchange, exchange)}:{br}{suffix}"
