import logging
from concurrent.futures import ThreadPoolExecutor, as_completed

from tests.lookahead.brokers.damson.mapping.exchanges import map_exchange, map_segment
from tests.lookahead.token_db import get_oa_symbol, get_symbol, get_token

logger = logging.getLogger(__name__)


def get_open_position(session, symbol, exchange, product):
    net_qty = "0"
    positions = session.get_json("/positions")
    if isinstance(positions, dict) and positions.get("errorType"):
        return net_qty
    for p in positions:
        exch = map_exchange(p["exchangeSegment"])
        if get_symbol(p["securityId"], exch) == symbol and exch == exchange:
            if p["productType"] == product:
                net_qty = str(p["netQty"])
                break
    return net_qty


def _exit(session, symbol, exchange, quantity):
    token = get_token(symbol, exchange)
    if token is None:
        return {"symbol": symbol, "status": "error"}
    body = {
        "securityId": token,
        "exchangeSegment": map_segment(exchange),
        "transactionType": "SELL" if quantity > 0 else "BUY",
        "quantity": abs(quantity),
    }
    return {"symbol": symbol, "status": "ok", "id": session.post_json("/orders", body)["orderId"]}


def exit_all(session):
    futures = []
    with ThreadPoolExecutor(max_workers=10) as pool:
        for p in session.get_json("/positions"):
            if not p["netQty"]:
                continue
            exchange = map_exchange(p["exchangeSegment"])
            symbol = get_symbol(p["securityId"], exchange)
            if not symbol:
                continue
            futures.append(pool.submit(_exit, session, symbol, exchange, p["netQty"]))
    results = [f.result() for f in as_completed(futures)]
    return sorted(results, key=lambda r: (r["symbol"], r.get("id", "")))


def place_split(session, order, pieces):
    """Cuts orders to the freeze quantity; the pieces of one order follow each other."""
    sent = []
    for n, part in enumerate(pieces):
        token = get_token(symbol=part.get("symbol", order["symbol"]), exchange=order["exchange"])
        if not token:
            sent.append({"n": n, "status": "error"})
            continue
        body = {"securityId": token, "quantity": part["quantity"], "n": n}
        sent.append({"n": n, "status": "ok", "id": session.post_json("/orders", body)["orderId"]})
    return sent


def cancel_symbol(session, wanted):
    """Cancels the pending orders of one of our symbols; returns the ids."""
    cancelled = []
    for row in filter(lambda o: o["orderStatus"] == "PENDING", session.get_json("/orders")):
        exchange = map_exchange(row["exchangeSegment"])
        name = row["tradingSymbol"]
        if not name:
            continue
        if (get_oa_symbol(brsymbol=name, exchange=exchange) or name).startswith(wanted):
            cancelled.append(row["orderId"])
    return cancelled
