from concurrent.futures import ThreadPoolExecutor, as_completed

from tests.lookahead.brokers.cedar.mapping.util import (
    logger,
    lookup_name,
    parse,
    with_series,
    without_series,
)
from tests.lookahead.token_db import get_br_symbol, get_oa_symbol, get_symbol, get_token


def getOpenPosition(client, symbol, exchange, product):
    body = parse(client.post("/position/net", ""))
    if not body["status"]:
        return 0
    for p in body["data"]:
        if p["exchange"] == exchange and p["productType"] == product:
            if lookup_name(p["tradingSymbol"], p["exchange"]) == symbol:
                return int(p["buyQty"]) - int(p["sellQty"])
    return 0


def closeAll(client):
    report = []
    for p in parse(client.post("/position/net", ""))["data"]:
        net = int(p["buyQty"]) - int(p["sellQty"])
        if net == 0:
            continue
        try:
            symbol = get_symbol(p["symbolToken"], p["exchange"])
            if symbol is None:
                raise LookupError(p["symbolToken"])
            order = {
                "tradingSymbol": p["tradingSymbol"],
                "symbolToken": p["symbolToken"],
                "qty": str(abs(net)),
                "side": "SELL" if net > 0 else "BUY",
            }
            answer = parse(client.post("/order/place", order))
            report.append((symbol, answer["data"]["orderid"]))
        except LookupError as e:
            logger.debug("close: %s", e)
            report.append((p["tradingSymbol"], None))
    return report


def _order_body(order):
    br = get_br_symbol(symbol=order["symbol"], exchange=order["exchange"])
    token = get_token(symbol=order["symbol"], exchange=order["exchange"])
    if not br or not token:
        return None
    return {
        "variety": "NORMAL",
        "tradingSymbol": with_series(br, order["exchange"]),
        "symbolToken": token,
        "qty": str(order["quantity"]),
        "side": order["action"],
    }


def _place(client, order):
    body = _order_body(order)
    if body is None:
        return {"symbol": order["symbol"], "status": "error"}
    answer = parse(client.post("/order/place", body))
    return {"symbol": order["symbol"], "status": "success", "orderid": answer["data"]["orderid"]}


def basketOrder(client, basket):
    # buys first, so that the margin is there for the sells
    buys = [o for o in basket["orders"] if o["action"] == "BUY"]
    sells = [o for o in basket["orders"] if o["action"] != "BUY"]
    results = []
    for part in (buys, sells):
        with ThreadPoolExecutor(max_workers=10) as executor:
            results += executor.map(lambda o: _place(client, o), part)
    return results


def fillNames(client, order_ids):
    """Looks up single orders, in parallel; the answer names the instrument."""

    def one(order_id):
        o = parse(client.post("/order/details", {"id": order_id}))["data"]
        name = o["tradingSymbol"]
        if not name:
            return order_id, ""
        return order_id, get_oa_symbol(without_series(name), o["exchange"]) or name

    names = {}
    with ThreadPoolExecutor(10) as ex:
        for fut in as_completed([ex.submit(one, i) for i in order_ids]):
            order_id, name = fut.result()
            names[order_id] = name
    return dict(sorted(names.items()))


def gttRules(client):
    out = []
    body = parse(client.post("/gtt/list", {"page": 1}))
    for rule in body["data"]["rules"]:
        legs = rule["legs"]
        first = legs[0]
        symbol = get_oa_symbol(without_series(first["tradingSymbol"]), first["exchange"])
        if symbol is None:
            logger.debug("gtt %s is stale", rule["id"])
            continue
        out.append({"id": rule["id"], "symbol": symbol, "triggers": [l["price"] for l in legs]})
    return out
