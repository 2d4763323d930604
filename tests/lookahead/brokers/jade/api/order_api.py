import logging
from concurrent.futures import ThreadPoolExecutor, as_completed

from tests.lookahead.brokers.jade.mapping.order_data import our_exchange
from tests.lookahead.brokers.jade.mapping.transform_data import transform_data
from tests.lookahead.token_db import get_br_symbol, get_oa_symbol, get_symbol

logger = logging.getLogger(__name__)


def place_order_api(data, client):
    body = transform_data(data)
    answer = client("POST", "/v1/order/create", body)
    if answer["status"] != "SUCCESS":
        raise ValueError(answer["error"]["message"])
    return answer["payload"]["groww_order_id"]


def place_basket(orders, client):
    """BUY legs first for the margin benefit."""
    ranked = sorted(range(len(orders)), key=lambda n: orders[n]["action"].upper() != "BUY")
    outcome = {}
    with ThreadPoolExecutor(max_workers=10) as executor:
        futures = {executor.submit(place_order_api, orders[n], client): n for n in ranked}
        for future in as_completed(futures):
            n = futures[future]
            try:
                outcome[n] = {"status": "success", "orderid": future.result()}
            except ValueError as e:
                outcome[n] = {"status": "error", "message": str(e)}
    return [outcome[n] for n in range(len(orders))]


def get_open_position(symbol, exchange, product, client):
    name = get_br_symbol(symbol, exchange)
    if name is None:
        return 0
    for row in client("GET", "/v1/positions/user", None)["payload"]["positions"]:
        if row["trading_symbol"] != name or row["product"] != product:
            continue
        if our_exchange(row["exchange"], row["segment"]) == exchange:
            return row["credit_quantity"] - row["debit_quantity"]
    return 0


def place_smartorders(orders, client):
    out = []
    for order in orders:
        held = get_open_position(order["symbol"], order["exchange"], order["product"], client)
        wanted = int(order["position_size"])
        if held == wanted:
            out.append((order["symbol"], "ok"))
            continue
        change = {"action": "BUY" if wanted > held else "SELL", "quantity": abs(wanted - held)}
        try:
            out.append((order["symbol"], place_order_api({**order, **change}, client)))
        except ValueError as e:
            out.append((order["symbol"], str(e)))
    return out


def _close(row, client):
    net = row["credit_quantity"] - row["debit_quantity"]
    exchange = our_exchange(row["exchange"], row["segment"])
    symbol = get_symbol(row["exchange_token"], exchange) or get_oa_symbol(
        row["trading_symbol"], exchange
    )
    if not symbol:
        return None
    return place_order_api(
        {
            "symbol": symbol,
            "exchange": exchange,
            "action": "SELL" if net > 0 else "BUY",
            "quantity": abs(net),
            "product": row["product"],
            "pricetype": "MARKET",
        },
        client,
    )


def close_all_positions(client):
    rows = client("GET", "/v1/positions/user", None)["payload"]["positions"]
    rows = [row for row in rows if row["credit_quantity"] != row["debit_quantity"]]
    closed = failed = unknown = 0
    with ThreadPoolExecutor(max_workers=10) as executor:
        for future in as_completed([executor.submit(_close, row, client) for row in rows]):
            try:
                if future.result() is None:
                    unknown += 1
                else:
                    closed += 1
            except ValueError:
                failed += 1
    return {"closed": closed, "failed": failed, "unknown": unknown}


def cancel_all_orders(client):
    cancelled = []
    orders = client("GET", "/v1/order/list", None)["payload"]["order_list"]
    for order in orders:
        if order["order_status"] not in ("NEW", "OPEN", "TRIGGER_PENDING"):
            continue
        try:
            answer = client("POST", "/v1/order/cancel", {"id": order["groww_order_id"]})
            order["exchange"] = our_exchange(order["exchange"], order["segment"])
            name = order["trading_symbol"]
            order["trading_symbol"] = get_oa_symbol(name, order["exchange"]) or name
            if answer["status"] == "SUCCESS":
                cancelled.append((order["groww_order_id"], order["trading_symbol"]))
        except KeyError as e:
            logger.debug("order without %s", e)
    return cancelled
