"""Dolomite writes instruments as "NSE:SBIN-EQ" and codes exchanges and segments as numbers."""

from tests.lookahead.token_db import get_br_symbol, get_oa_symbol

EXCHANGE = {
    (10, 10): "NSE",
    (10, 11): "NFO",
    (10, 12): "CDS",
    (12, 10): "BSE",
    (12, 11): "BFO",
    (11, 20): "MCX",
}
SERIES = ("-EQ", "-BE", "-INDEX", "-A", "-X")


def exchange_of(row):
    return EXCHANGE.get((row.get("exchange"), row.get("segment")), "NSE")


def bare(ticker):
    """"NSE:SBIN-EQ" -> "SBIN"."""
    name = ticker.split(":", 1)[-1]
    for series in SERIES:
        if name.endswith(series):
            return name[: -len(series)]
    return name


def to_ours(ticker, exchange):
    if not ticker:
        return None
    return get_oa_symbol(bare(ticker), exchange)


def ticker_of(symbol, exchange):
    """"SBIN", "NSE" -> "NSE:SBIN-EQ"."""
    br_symbol = get_br_symbol(symbol, exchange)
    if br_symbol is None:
        return None
    if exchange in ("NSE", "NSE_INDEX"):
        tail = "-EQ" if exchange == "NSE" else "-INDEX"
        return f"NSE:{br_symbol}{tail}"
    if exchange == "BSE":
        return f"BSE:{br_symbol}-A"
    head = {"NFO": "NSE", "CDS": "NSE", "BFO": "BSE"}.get(exchange, exchange)
    return f"{head}:{br_symbol}"
