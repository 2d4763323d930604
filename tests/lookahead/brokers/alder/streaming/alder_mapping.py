"""Subscriptions and ticks of Alder's socket."""

import logging

from tests.lookahead.token_db import get_brexchange, get_symbol, get_token

logger = logging.getLogger(__name__)

# last byte of the number on the wire
WIRE_SEGMENT = {1: "NSE", 2: "NFO", 3: "CDS", 4: "BSE", 7: "MCX", 9: "NSE_INDEX"}


def build_subscribe(instruments, mode="full"):
    by_exchange = {}
    for inst in instruments:
        symbol, exchange = inst["symbol"], inst["exchange"]
        token = get_token(symbol, exchange)
        brexch = get_brexchange(symbol, exchange)
        if not token or not brexch:
            continue
        by_exchange.setdefault(brexch, []).append(int(token))
    return {"a": "subscribe", "m": mode, "v": by_exchange}


def name_ticks(ticks):
    """Adds symbol and exchange to raw ticks; what is unknown is dropped."""
    named = []
    for n, tick in enumerate(ticks):
        wire = tick["wire"]
        exchange = WIRE_SEGMENT.get(wire & 0xFF)
        if exchange is None:
            continue
        token = wire >> 8
        symbol = get_symbol(token, exchange)
        if not symbol:
            logger.debug("tick %d: token %d unknown", n, token)
            continue
        tick["symbol"] = symbol
        tick["exchange"] = exchange
        named.append(tick)
    return named
