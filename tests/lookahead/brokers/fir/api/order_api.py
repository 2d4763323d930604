import logging
from concurrent.futures import ThreadPoolExecutor, as_completed

import pandas as pd

from tests.lookahead.brokers.fir.mapping.segs import SEG, SEG_BACK, clean, number, ours
from tests.lookahead.token_db import get_br_symbol, get_oa_symbol, get_symbol, get_token

logger = logging.getLogger("fir.api")


def get_open_position(client, symbol, exchange):
    for pos in client("GET", "/positions", None)["data"]:
        if not pos["trdSym"]:
            continue
        exch = SEG.get(pos["exSeg"])
        if get_oa_symbol(clean(pos["trdSym"]), exch) != symbol or exch != exchange:
            continue
        return pos["buyQty"] - pos["sellQty"]
    return 0


def square_off(client):
    """Table of what is open, then one order per line of it."""
    df = pd.DataFrame(client("GET", "/positions", None)["data"])
    df["net"] = df["buyQty"] - df["sellQty"]
    sent = []
    for _, line in df[df["net"] != 0].iterrows():
        try:
            tok = number(line["tok"])
        except (TypeError, ValueError):
            logger.debug("no number in %s", line["trdSym"])
            continue
        symbol = get_symbol(tok, SEG[line["exSeg"]])
        if not symbol:
            continue
        side = "S" if line["net"] > 0 else "B"
        body = {"tok": tok, "qty": int(abs(line["net"])), "side": side}
        sent.append((symbol, client("POST", "/orders", body)["nOrdNo"]))
    return sent


def _payload(order):
    br = get_br_symbol(order["symbol"], order["exchange"])
    if not br:
        raise LookupError(order["symbol"])
    return {"trdSym": br, "exSeg": SEG_BACK[order["exchange"]], "qty": order["qty"]}


def place_basket(client, orders):
    results = {}
    with ThreadPoolExecutor(max_workers=10) as executor:
        waiting = {}
        for n, order in enumerate(orders):
            waiting[executor.submit(lambda o: client("POST", "/orders", _payload(o)), order)] = n
        for done in as_completed(waiting):
            n = waiting[done]
            try:
                results[n] = {"status": "success", "orderid": done.result()["nOrdNo"]}
            except LookupError as e:
                results[n] = {"status": "error", "message": "Symbol %s not found" % e}
    return [results[n] for n in range(len(orders))]


def close_many(client, symbols, exchanges):
    """Cancels whatever rests in some instruments."""

    def cancel(symbol, exchange):
        token = get_token(symbol, exchange)
        if token is None:
            return 0
        answer = client("POST", "/cancel", {"tok": token, "exSeg": SEG_BACK.get(exchange)})
        return answer["count"]

    with ThreadPoolExecutor(10) as pool:
        return list(pool.map(cancel, symbols, exchanges))


def rejected_names(client, limit=40):
    """Names of the orders that failed, each one once, in the order of the book."""
    seen = []
    rows = client("GET", "/orders", None)["data"]
    for i, o in enumerate(rows[-limit:]):
        if o["ordSt"] != "rejected":
            continue
        name = get_oa_symbol(clean(o["trdSym"]), ours(o["exSeg"])) if o["trdSym"] else None
        if name and name not in seen:
            seen.append(name)
            logger.debug("row %d is a rejected %s", i, name)
    return seen
