import json
import logging
from concurrent.futures import ThreadPoolExecutor, as_completed

from tests.lookahead.brokers.ebony.mapping.order_data import map_position_data
from tests.lookahead.brokers.ebony.mapping.transform_data import (
    transform_data,
    transform_modify_order_data,
)
from tests.lookahead.token_db import get_br_symbol, get_brexchange, get_symbol, get_token

logger = logging.getLogger(__name__)


def get_positions(conn):
    return conn.get("/rest/secure/order/v1/getPosition")


def place_order_api(data, conn):
    token = get_token(data["symbol"], data["exchange"])
    payload = json.dumps(transform_data(data, token))
    response = conn.post("/rest/secure/order/v1/placeOrder", payload)
    orderid = response["data"]["orderid"] if response["status"] is True else None
    return response, orderid


def get_open_position(symbol, exchange, producttype, conn):
    for position in get_positions(conn).get("data") or []:
        if position["exchange"] != exchange or position["producttype"] != producttype:
            continue
        if get_symbol(position.get("symboltoken"), exchange) == symbol:
            return position.get("netqty", "0")
    return "0"


def close_all_positions(conn):
    done, errors = [], []
    for position in get_positions(conn)["data"]:
        qty = int(position["netqty"])
        if qty == 0:
            continue
        try:
            symbol = get_symbol(position["symboltoken"], position["exchange"])
            if not symbol:
                raise LookupError(f"token {position['symboltoken']} is unknown")
            _, orderid = place_order_api(
                {
                    "symbol": symbol,
                    "action": "SELL" if qty > 0 else "BUY",
                    "exchange": position["exchange"],
                    "pricetype": "MARKET",
                    "product": "MIS" if position["producttype"] == "INTRADAY" else "NRML",
                    "quantity": str(abs(qty)),
                },
                conn,
            )
            done.append((symbol, orderid))
        except LookupError as e:
            errors.append(str(e))
    return done, errors


def _send(order, token, conn):
    """Runs in a worker: the rest of the instrument, then the order."""
    symbol = get_br_symbol(order["symbol"], order["exchange"])
    venue = get_brexchange(order["symbol"], order["exchange"])
    body = {"tradingsymbol": symbol, "symboltoken": token, "exchange": venue}
    body["transactiontype"] = order["action"].upper()
    body["quantity"] = order["quantity"]
    return conn.post("/rest/secure/order/v1/placeOrder", json.dumps(body))


def place_basket(orders, conn):
    results = []
    with ThreadPoolExecutor(max_workers=10) as executor:
        futures = {}
        for n, order in enumerate(orders):
            token = get_token(order["symbol"], order["exchange"])
            if not token:
                results.append((n, "error", "Symbol not found"))
                continue
            futures[executor.submit(_send, order, token, conn)] = n
        for future in as_completed(futures):
            try:
                results.append((futures[future], "success", future.result()["data"]["orderid"]))
            except Exception as e:
                results.append((futures[future], "error", str(e)))
    return sorted(results)


def modify_orders(changes, conn):
    answers = []
    for change in changes:
        try:
            token = get_token(change["symbol"], change["exchange"])
            newdata = transform_modify_order_data(change, token)
            response = conn.post("/rest/secure/order/v1/modifyOrder", json.dumps(newdata))
            answers.append(response["message"])
        except Exception as e:
            logger.info("modify %s: %s", change.get("orderid"), e)
            answers.append(None)
    return answers


def todays_pnl(conn):
    """Realised from the book, unrealised from fresh quotes."""
    realised = unrealised = 0.0
    for position in map_position_data(get_positions(conn)):
        realised += float(position["realised"])
        if position["netqty"] == "0" or position.get("unmapped"):
            continue
        token = get_token(position["tradingsymbol"], position["exchange"])
        if token:
            ltp = conn.ltp(position["exchange"], token)
            unrealised += int(position["netqty"]) * (ltp - float(position["netprice"]))
    return round(realised, 2), round(unrealised, 2)
