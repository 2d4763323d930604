"""How Nova writes instruments on the wire."""

from collections import namedtuple

from tests.lookahead.token_db import get_br_symbol, get_oa_symbol, get_token

EXCHANGES = {1: "NSE", 2: "NFO", 3: "CDS", 4: "BSE", 5: "BFO", 6: "MCX"}
NUMBERS = {exchange: number for number, exchange in EXCHANGES.items()}

Composite = namedtuple("Composite", "exchange code token")


def split_composite(text):
    """`"NFO:NIFTY26AUGFUT|4711"` in its three parts; the token may be missing."""
    head, _, token = text.partition("|")
    exchange, _, code = head.rpartition(":")
    return Composite(exchange or "NSE", code, token or None)


def name_of(code, number):
    exchange = EXCHANGES.get(int(number))
    if exchange is None or not code:
        return code
    return get_oa_symbol(code.upper(), exchange) or code


def composite(symbol, exchange):
    token = get_token(symbol=symbol, exchange=exchange)
    if token is None:
        raise LookupError(f"{exchange}:{symbol}")
    return f"{exchange}:{get_br_symbol(symbol=symbol, exchange=exchange)}|{token}"
