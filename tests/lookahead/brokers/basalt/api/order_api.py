import json
import logging

from tests.lookahead.brokers.basalt.mapping.exchange import symbol_of_key
from tests.lookahead.brokers.basalt.mapping.order_data import map_order_data, map_position_data
from tests.lookahead.brokers.basalt.mapping.transform_data import transform_data
from tests.lookahead.token_db import get_br_symbol, get_oa_symbol, get_token

logger = logging.getLogger(__name__)


def get_api_response(endpoint, auth, method="GET", payload=""):
    return json.loads(auth(method, endpoint, payload))


def place_order_api(data, auth):
    """The order's number and None, or None and what is wrong."""
    token = get_token(data["symbol"], data["exchange"])
    if not token:
        return None, f"token of {data['symbol']} not found"
    body = json.dumps(transform_data(data, token))
    answer = get_api_response("/v2/order/place", auth, "POST", body)
    if answer["status"] != "success":
        return None, answer.get("errors")
    return answer["data"]["order_id"], None


def place_basket(orders, auth):
    out = []
    for order in orders:
        orderid, message = place_order_api(order, auth)
        if orderid is None:
            out.append({"symbol": order["symbol"], "status": "error", "message": message})
            continue
        out.append({"symbol": order["symbol"], "status": "success", "orderid": orderid})
    return out


def get_open_position(symbol, exchange, product, auth):
    for row in map_position_data(get_api_response("/v2/portfolio/positions", auth)):
        same = row.get("trading_symbol") == symbol and row.get("exchange") == exchange
        if same and row.get("product") == product:
            return str(row.get("quantity", 0))
    return "0"


def close_all_positions(auth):
    rows = get_api_response("/v2/portfolio/positions", auth)["data"] or []
    closed, failed = 0, []
    for row in rows:
        held = int(row["quantity"])
        if held == 0:
            continue
        symbol, exchange = symbol_of_key(row["instrument_token"])
        if not symbol:
            failed.append(row["instrument_token"])
            continue
        orderid, _ = place_order_api(
            {
                "symbol": symbol,
                "exchange": exchange,
                "action": "SELL" if held > 0 else "BUY",
                "product": {"D": "CNC", "I": "MIS"}[row["product"]],
                "pricetype": "MARKET",
                "quantity": abs(held),
            },
            auth,
        )
        if orderid:
            closed += 1
    return {"closed": closed, "failed": failed}


def cancel_all_orders(auth):
    """Cancels what is open; tells which symbols were cancelled and which were not."""
    canceled, failed = [], []
    orders = get_api_response("/v2/order/retrieve-all", auth)["data"]
    for order in [o for o in orders if o["status"] in ("open", "trigger pending")]:
        try:
            order["trading_symbol"] = get_oa_symbol(order["trading_symbol"], order["exchange"])
            path = f"/v2/order/cancel?order_id={order['order_id']}"
            answer = get_api_response(path, auth, "DELETE")
            done = canceled if answer["status"] == "success" else failed
            done.append((order["order_id"], order["trading_symbol"]))
        except (KeyError, ValueError) as e:
            logger.info("cancelling %s: %s", order.get("order_id"), e)
    return canceled, failed


def orders_of_watchlist(watchlist, auth):
    """How many orders stand for each symbol of the list."""
    book = map_order_data(get_api_response("/v2/order/retrieve-all", auth))
    counts = {}
    for item in watchlist:
        br_symbol = get_br_symbol(item["symbol"], item["exchange"])
        if br_symbol is None:
            counts[str(item["symbol"])] = None
            continue
        names = {item["symbol"], br_symbol}
        counts[item["symbol"]] = sum(1 for order in book if order["trading_symbol"] in names)
    return counts
