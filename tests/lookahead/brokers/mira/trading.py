"""Requests to Mira: margins, baskets, closing of everything."""

from concurrent.futures import ThreadPoolExecutor

from tests.lookahead.brokers.mira.codes import (
    SEGMENT_OF,
    SEGMENTS,
    bare,
    exchange_of,
    instrument_key,
    wire_symbol,
)
from tests.lookahead.token_db import get_br_symbol, get_oa_symbol, get_token


def margin_request(legs):
    body = [
        {
            "seg": SEGMENT_OF[leg["exchange"]],
            "scripId": int(token),
            "trdSym": get_br_symbol(leg["symbol"], leg["exchange"]),
            "qty": str(leg["quantity"]),
            "side": leg["action"][:1].upper(),
            "prc": str(leg.get("price", 0)),
        }
        for leg in legs
        if leg.get("symbol") and (token := get_token(leg["symbol"], leg["exchange"]))
    ]
    return {"count": len(body), "legs": body}


def place_order(client, order):
    symbol, exchange = order.get("symbol"), order["exchange"].upper()
    try:
        key = instrument_key(symbol, exchange)
        if not key:
            return {"status": "error", "message": f"{symbol} is not listed on {exchange}"}
        answer = client.post("/order", {"key": key, "sym": wire_symbol(symbol, exchange), **order})
    except ValueError as error:
        return {"status": "error", "message": str(error)}
    return {"status": "success", "orderid": answer["orderNo"]}


def place_basket(client, orders):
    """Buys first, as the margin benefit of hedges wants it."""
    queue = sorted(orders, key=lambda order: order["action"] != "BUY")
    with ThreadPoolExecutor(10) as pool:
        return list(pool.map(lambda order: place_order(client, order), queue))


def close_all_positions(client):
    closed, failed = [], []
    for pos in client.get("/positions")["net"]:
        if not int(pos["netQty"]):
            continue
        code = pos["trdSym"]
        pos["seg"] = exchange_of(pos)
        pos["trdSym"] = get_oa_symbol(brsymbol=bare(code or ""), exchange=pos["seg"])
        if not pos["trdSym"]:
            failed.append(code)
            continue
        try:
            client.post(
                "/order",
                {
                    "symbol": pos["trdSym"],
                    "exchange": pos["seg"],
                    "action": "SELL" if pos["netQty"] > 0 else "BUY",
                    "quantity": abs(pos["netQty"]),
                },
            )
        except ValueError as error:
            failed.append(f"{code}: {error}")
        else:
            closed.append(pos["trdSym"])
    return closed, failed


def cancel_pending(client):
    """Cancels in parallel; answers with what was cancelled, by the application's names."""

    def cancel(row):
        answer = client.post("/cancel", {"no": row["orderNo"]})
        try:
            row["trdSym"] = get_oa_symbol(bare(row["trdSym"]), SEGMENTS[row["seg"]])
        except (AttributeError, KeyError):
            row["trdSym"] = None
        return row["trdSym"], answer["orderNo"]

    with ThreadPoolExecutor(10) as pool:
        futures = [
            pool.submit(cancel, row)
            for row in client.get("/orders")["data"]
            if row["status"] in ("open", "trigger pending")
        ]
        return [future.result() for future in futures]
