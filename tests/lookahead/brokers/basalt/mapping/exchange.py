"""Segments of Basalt's instrument keys ("NSE_FO|54321") and our exchanges."""

from tests.lookahead.token_db import get_brexchange, get_oa_symbol, get_symbol, get_token

FROM_SEGMENT = {
    "NSE_EQ": "NSE",
    "BSE_EQ": "BSE",
    "NSE_FO": "NFO",
    "BSE_FO": "BFO",
    "MCX_FO": "MCX",
    "NCD_FO": "CDS",
    "NSE_INDEX": "NSE_INDEX",
    "BSE_INDEX": "BSE_INDEX",
}
TO_SEGMENT = {ours: theirs for theirs, ours in FROM_SEGMENT.items()}


def map_exchange(segment):
    return FROM_SEGMENT.get(segment, segment)


def instrument_key(symbol, exchange):
    """"NSE_EQ|2885", or None for what we do not know."""
    token = get_token(symbol, exchange)
    if token is None:
        return None
    return f"{TO_SEGMENT.get(exchange, exchange)}|{token}"


def symbol_of_key(key):
    """Our symbol and exchange of an instrument key; (None, exchange) if unknown."""
    segment, _, token = key.partition("|")
    exchange = map_exchange(segment)
    if not token:
        return None, exchange
    return get_symbol(token, exchange), exchange


def symbol_of_row(row):
    """Rows have a key; very old ones only the trading symbol."""
    key = row.get("instrument_token")
    if key and "|" in key:
        symbol, exchange = symbol_of_key(key)
        if symbol:
            return symbol, exchange
    exchange = row.get("exchange", "NSE")
    return get_oa_symbol(row.get("trading_symbol"), exchange), exchange


def listed_on(symbol, exchange):
    return get_brexchange(symbol, exchange) or "N/A"
