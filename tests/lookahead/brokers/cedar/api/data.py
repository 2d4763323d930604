from tests.lookahead.brokers.cedar.mapping.util import logger, parse
from tests.lookahead.token_db import get_oa_symbol, get_symbol, get_token


def multiQuotes(client, symbols):
    wanted = {}
    for s in symbols:
        token = get_token(s["symbol"], s["exchange"])
        if token:
            exch = s["exchange"].replace("_INDEX", "")
            wanted.setdefault(exch, []).append(token)
    fetched = parse(client.post("/quote", {"mode": "LTP", "tokens": wanted}))["data"]["fetched"]
    result = []
    for q in fetched:
        sym = get_symbol(q["symbolToken"], q["exchange"])
        if sym is None:
            # indices are quoted under the cash exchange
            sym = get_symbol(q["symbolToken"], q["exchange"] + "_INDEX")
        result.append({"symbol": sym, "ltp": q["ltp"]})
    return result


def optionChain(client, underlying, expiry, count):
    body = parse(client.post("/option/greeks", {"name": underlying, "expiry": expiry}))
    rows = sorted(body["data"], key=lambda r: (float(r["strike"]), r["optionType"]))
    chain = {}
    for r in rows[: count * 2]:
        sym = get_oa_symbol(r["tradingSymbol"], "NFO")
        if not sym:
            continue
        # the side is the end of our symbol
        chain.setdefault(float(r["strike"]), {})[sym[-2:]] = (sym, r["delta"])
    return chain


def prevCloses(store, files):
    """Adds closing prices of Cedar's end-of-day rows to `store`, by symbol."""
    for day in files:
        for line in day["rows"]:
            token, _, close = line.split(",")
            symbol = get_symbol(token, day["exchange"])
            if symbol is None:
                logger.debug("eod: number %s", token)
                continue
            store.setdefault(symbol, {})[day["date"]] = float(close)
    return len(store)
