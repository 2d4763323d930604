"""Orders and positions of Alder, over a client that is given."""

import logging
from concurrent.futures import ThreadPoolExecutor

from tests.lookahead.brokers.alder.mapping.transform import transform_order
from tests.lookahead.token_db import get_oa_symbol, get_symbol

logger = logging.getLogger(__name__)


def get_open_position(client, tradingsymbol, exchange, product):
    """Net quantity of one position as text, '0' when there is none."""
    positions = client.get("/portfolio/positions").json()
    if not positions.get("ok") or not positions.get("result"):
        return "0"
    for position in positions["result"]["net"]:
        name = get_oa_symbol(brsymbol=position["scrip"], exchange=position["exch"])
        if name == tradingsymbol and position["exch"] == exchange and position["prd"] == product:
            logger.debug("found %s", name)
            return str(position["net_qty"])
    return "0"


def close_all_positions(client):
    done = []
    for row in client.get("/portfolio/positions").json()["result"]["net"]:
        qty = int(row["net_qty"])
        if qty == 0:
            continue
        symbol = get_symbol(row["inst_id"], row["exch"])
        if symbol is None:
            done.append({"status": "error", "scrip": row["scrip"], "message": "not in contract"})
            continue
        order = {
            "symbol": symbol,
            "exchange": row["exch"],
            "action": "SELL" if qty > 0 else "BUY",
            "quantity": abs(qty),
            "product": "MIS",
        }
        answer = client.post("/orders", json=transform_order(order)).json()
        done.append({"status": "success", "symbol": symbol, "orderid": answer["result"]["ord_no"]})
    return done


def place_basket(client, orders):
    def place_one(order):
        try:
            body = transform_order(order)
        except ValueError as exc:
            return {"symbol": order["symbol"], "status": "error", "message": str(exc)}
        answer = client.post("/orders", json=body).json()
        return {
            "symbol": order["symbol"],
            "status": "success",
            "orderid": answer["result"]["ord_no"],
        }

    with ThreadPoolExecutor(10) as pool:
        results = list(pool.map(place_one, orders))
    failed = [r for r in results if r["status"] != "success"]
    return {"results": results, "failed": len(failed)}


def pending_order_ids(client, symbols_wanted):
    """Ids of the resting orders in some symbols, in book order."""
    wanted = {(s["symbol"], s["exchange"]) for s in symbols_wanted}
    ids = []
    for o in client.get("/orders").json()["result"]:
        if o["state"] not in ("OPEN", "TRIGGER PENDING"):
            continue
        if not o["scrip"]:
            continue
        s = get_oa_symbol(o["scrip"], o["exch"])
        if (s, o["exch"]) in wanted:
            ids.append(o["ord_no"])
    return ids
