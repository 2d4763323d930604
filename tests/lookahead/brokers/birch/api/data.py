import json
import logging

from tests.lookahead.brokers.birch.mapping.segments import exchange_of, key_of, split_key
from tests.lookahead.token_db import get_oa_symbol, get_symbol

log = logging.getLogger("birch.data")


def get_multiquotes(client, symbols):
    keys = {}
    bad = []
    for s in symbols:
        try:
            key = key_of(s["symbol"], s["exchange"])
        except KeyError:
            key = None
        if key:
            keys[key] = s
        else:
            bad.append(s["symbol"])
    query = ",".join(keys)
    data = json.loads(client.request("GET", "/v2/quotes?instrument_key=" + query, None))["data"]
    quotes = []
    for key, s in keys.items():
        q = data.get(key, {})
        quotes.append({"symbol": s["symbol"], "ltp": q.get("last_price", 0)})
    return {"quotes": quotes, "bad": bad}


def name_quotes(quotes):
    """Quotes of the snapshot endpoint are keyed 'NSE_EQ:NAME'; ours want 'NSE:NAME'."""
    named = {}
    for key, quote in quotes.items():
        segment, brsymbol = key.split(":", 1)
        exchange = exchange_of(segment)
        symbol = get_oa_symbol(brsymbol, exchange)
        if symbol is None:
            continue
        named[exchange + ":" + symbol] = quote["last_price"]
    return named


def option_chain(payload):
    chain = []
    for strike, sides in payload["strikes"].items():
        row = {"strike": float(strike)}
        for side in ("ce", "pe"):
            leg = sides.get(side)
            if not leg:
                continue
            exchange, number = split_key(leg["instrument_key"])
            symbol = get_symbol(int(number), exchange)
            row[side] = {"symbol": symbol or "", "oi": leg["oi"]}
        chain.append(row)
    chain.sort(key=lambda r: r["strike"])
    return chain
