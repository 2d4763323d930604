import logging
from concurrent.futures import ThreadPoolExecutor

from tests.lookahead.brokers.hematite.mapping.order_data import (
    map_exchange,
    map_position_data,
    product_of,
)
from tests.lookahead.brokers.hematite.mapping.transform_data import transform_data
from tests.lookahead.token_db import get_oa_symbol, get_symbol, get_token

logger = logging.getLogger(__name__)


def place_order_api(data, post):
    try:
        token = get_token(data["symbol"], data["exchange"])
        body = transform_data(data, token)
    except Exception as e:
        return {"status": "error", "message": type(e).__name__}
    answer = post("V1/PlaceOrderRequest", body)
    if answer["body"]["Status"] == 0:
        return {"status": "success", "orderid": answer["body"]["BrokerOrderID"]}
    return {"status": "error", "message": answer["body"]["Message"]}


def place_basket(orders, post):
    """Batches of ten, one batch after the other."""
    answers = []
    for i in range(0, len(orders), 10):
        batch = orders[i : i + 10]
        with ThreadPoolExecutor(max_workers=10) as executor:
            answers.extend(executor.map(place_order_api, batch, [post] * len(batch)))
    return [
        {"symbol": order.get("symbol"), **answer} for order, answer in zip(orders, answers)
    ]


def get_open_position(symbol, exchange, product, post):
    for row in map_position_data(post("V2/NetPositionNetWise", {})):
        if row["ScripName"] != symbol or row["Exch"] != exchange:
            continue
        if product_of(exchange, row["OrderFor"]) == product:
            return row["NetQty"]
    return 0


def close_all_positions(post):
    rows = post("V2/NetPositionNetWise", {})["body"]["NetPositionDetail"]
    report = {}
    for row in rows:
        if row["NetQty"] == 0:
            continue
        exchange = map_exchange(row["Exch"], row["ExchType"])
        symbol = get_symbol(str(row["ScripCode"]), exchange)
        if symbol is None:
            symbol = get_oa_symbol(row["ScripName"], exchange)
        if symbol is None:
            report[row["ScripName"]] = "by hand, please"
            continue
        answer = place_order_api(
            {
                "symbol": symbol,
                "exchange": exchange,
                "action": "SELL" if row["NetQty"] > 0 else "BUY",
                "quantity": abs(row["NetQty"]),
                "product": product_of(exchange, row["OrderFor"]),
            },
            post,
        )
        report[symbol] = answer.get("orderid", answer.get("message"))
    return report


def cancel_all_orders(post, exchange=None):
    cancelled = []
    for order in post("V3/OrderBook", {})["body"]["OrderBookDetail"]:
        if order["OrderStatus"] != "Pending":
            continue
        where = map_exchange(order["Exch"], order["ExchType"])
        if exchange and where != exchange:
            continue
        try:
            symbol = get_symbol(str(int(order["ScripCode"])), where)
            post("V1/CancelOrderRequest", {"ExchOrderID": order["ExchOrderID"]})
        except (TypeError, ValueError, ConnectionError) as e:
            logger.debug("%s not cancelled: %s", order["ExchOrderID"], e)
            continue
        cancelled.append((order["ExchOrderID"], symbol or order["ScripName"]))
    return cancelled
