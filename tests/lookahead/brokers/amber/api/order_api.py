import logging
from concurrent.futures import ThreadPoolExecutor

from tests.lookahead.brokers.amber.mapping.margin_data import (
    parse_margin_response,
    transform_margin_positions,
)
from tests.lookahead.brokers.amber.mapping.order_data import map_position_data
from tests.lookahead.brokers.amber.mapping.transform_data import transform_data
from tests.lookahead.token_db import get_br_symbol, get_oa_symbol, get_token

logger = logging.getLogger(__name__)


def get_order_book(auth):
    return auth.request("GET", "/orders")


def get_positions(auth):
    return auth.request("GET", "/portfolio/positions")


def place_order_api(data, auth):
    token = get_token(data["symbol"], data["exchange"])
    newdata = transform_data(data, token)
    logger.debug("placing %s", newdata)
    res = auth.request("POST", "/orders/regular", newdata)
    orderid = res["data"]["order_id"] if res["status"] == "success" else None
    return res, orderid


def get_open_position(symbol, exchange, product, auth):
    """Net quantity held of an instrument and product; 0 if there is none."""
    wanted = (get_br_symbol(symbol, exchange), exchange, product)
    book = get_positions(auth).get("data") or {}
    for row in book.get("net", ()):
        if (row["tradingsymbol"], row["exchange"], row["product"]) == wanted:
            return int(row["quantity"])
    return 0


def place_smartorder(data, auth):
    """Brings the position to data["position_size"]; None if it is there already."""
    held = get_open_position(data["symbol"], data["exchange"], data.get("product", "MIS"), auth)
    missing = int(data["position_size"]) - held
    if missing == 0:
        return None
    side = "BUY" if missing > 0 else "SELL"
    return place_order_api({**data, "action": side, "quantity": abs(missing)}, auth)


def smart_basket(orders, auth):
    placed = []
    for order in orders:
        outcome = place_smartorder(order, auth)
        if outcome is None:
            placed.append("as wanted")
            continue
        answer, orderid = outcome
        placed.append(orderid or answer.get("message"))
    return placed


def close_all_positions(auth):
    """Sends the opposite of every open position at market."""
    closed = 0
    try:
        for row in get_positions(auth)["data"]["net"]:
            held = int(row["quantity"])
            if not held:
                continue
            exit_order = {
                "symbol": get_oa_symbol(row["tradingsymbol"], row["exchange"]),
                "exchange": row["exchange"],
                "action": "SELL" if held > 0 else "BUY",
                "quantity": abs(held),
                "product": row["product"],
                "pricetype": "MARKET",
            }
            _, orderid = place_order_api(exit_order, auth)
            logger.debug("exit of %s: %s", exit_order["symbol"], orderid)
            closed += orderid is not None
    except Exception as e:
        logger.info("stopped after %s: %s", closed, e)
        return {"closed": closed, "error": str(e)}

    return {"closed": closed}


def place_basket(orders, auth):
    """Buys first, then sells; each lot of orders goes out ten at a time."""
    buys = [o for o in orders if o["action"].upper() == "BUY"]
    sells = [o for o in orders if o["action"].upper() != "BUY"]
    results = []
    for group in (buys, sells):
        with ThreadPoolExecutor(max_workers=10) as executor:
            answers = executor.map(lambda o: _place_one(o, auth), group)
            results.extend(answers)
    return results


def _place_one(order, auth):
    try:
        _, orderid = place_order_api(order, auth)
    except Exception as e:
        logger.exception("basket")
        return {"symbol": order.get("symbol"), "status": "error", "message": str(e)}
    if not orderid:
        return {"symbol": order.get("symbol"), "status": "error"}
    return {"symbol": order.get("symbol"), "status": "success", "orderid": orderid}


def calculate_margin(positions, auth):
    basket = transform_margin_positions(positions)
    if not basket:
        return {"status": "error", "message": "No valid positions"}
    return parse_margin_response(auth.request("POST", "/margins/basket", basket))


def open_pnl(auth):
    """Sum of pnl by symbol for the dashboard."""
    total = {}
    for position in map_position_data(get_positions(auth)):
        name = position.get("tradingsymbol") or "?"
        total[name] = round(total.get(name, 0) + (position.get("pnl") or 0), 2)
    return total
