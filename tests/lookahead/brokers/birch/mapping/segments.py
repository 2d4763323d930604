"""Birch writes instruments as SEGMENT|number; this is the one place that knows the segments."""

from tests.lookahead.token_db import get_symbol, get_token

TO_OURS = {
    "NSE_EQ": "NSE",
    "BSE_EQ": "BSE",
    "NSE_FO": "NFO",
    "BSE_FO": "BFO",
    "NCD_FO": "CDS",
    "MCX_FO": "MCX",
    "NSE_INDEX": "NSE_INDEX",
    "BSE_INDEX": "BSE_INDEX",
}
TO_BIRCH = {ours: theirs for theirs, ours in TO_OURS.items()}


def exchange_of(segment):
    return TO_OURS.get(segment, segment)


def split_key(key):
    segment, _, number = key.partition("|")
    return exchange_of(segment), number


def symbol_of_key(key):
    """(symbol, exchange) of 'NSE_EQ|2885'; the symbol is None when not in the contract."""
    exchange, number = split_key(key)
    return get_symbol(number, exchange), exchange


def key_of(symbol, exchange):
    number = get_token(symbol, exchange)
    if not number:
        return None
    return f"{TO_BIRCH[exchange]}|{number}"
