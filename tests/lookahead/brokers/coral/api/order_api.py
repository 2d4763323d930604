import logging
from concurrent.futures import ThreadPoolExecutor

from tests.lookahead.brokers.coral.mapping.lookup import resolve_row
from tests.lookahead.brokers.coral.mapping.transform_data import (
    map_exchange,
    map_product_type,
    transform_data,
)
from tests.lookahead.token_db import get_br_symbol, get_symbol, get_token

logger = logging.getLogger(__name__)

AT_ONCE = 10


def place_order_api(data, api):
    token = get_token(data["symbol"], data["exchange"])
    if token is None:
        return {"status": "error", "message": "Security not found"}, None
    newdata = transform_data(data, token)
    res = api.post("/orders", newdata)
    orderid = res.get("orderId")
    return res, orderid


def get_open_position(tradingsymbol, exchange, product, api):
    """Scans the positions by their broker symbol."""
    br_symbol = get_br_symbol(tradingsymbol, exchange)
    for position in api.get("/positions"):
        if map_exchange(position.get("exchangeSegment")) != exchange:
            continue
        if position.get("productType") != map_product_type(product):
            continue
        if position.get("tradingSymbol") == br_symbol or resolve_row(position) == tradingsymbol:
            return str(position.get("netQty", "0"))
    return "0"


def _square_off(position, api):
    net = int(position["netQty"])
    exchange = map_exchange(position["exchangeSegment"])
    symbol = get_symbol(str(position["securityId"]), exchange)
    if not symbol:
        return {"id": position["securityId"], "status": "unknown"}
    res, orderid = place_order_api(
        {
            "symbol": symbol,
            "exchange": exchange,
            "action": "SELL" if net > 0 else "BUY",
            "pricetype": "MARKET",
            "product": "MIS" if position["productType"] == "INTRADAY" else "NRML",
            "quantity": str(abs(net)),
        },
        api,
    )
    return {"id": position["securityId"], "symbol": symbol, "orderid": orderid}


def close_all_positions(api):
    """Ten square-offs at a time; the broker throttles above that."""
    todo = [p for p in api.get("/positions") if int(p["netQty"]) != 0]
    report = []
    for start in range(0, len(todo), AT_ONCE):
        batch = todo[start : start + AT_ONCE]
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            futures = [pool.submit(_square_off, position, api) for position in batch]
            report.extend(future.result() for future in futures)
    return report


def cancel_all_orders(api):
    cancelled = []
    for order in api.get("/orders"):
        if order["orderStatus"] != "PENDING":
            continue
        try:
            answer = api.delete("/orders/" + order["orderId"])
            exchange = map_exchange(order["exchangeSegment"])
            order["tradingSymbol"] = get_symbol(order["securityId"], exchange) or "?"
            if answer.get("orderStatus") == "CANCELLED":
                cancelled.append(f"{order['orderId']} {order['tradingSymbol']}")
        except Exception as e:
            logger.info("%s not cancelled: %s", order.get("orderId"), e)
    return cancelled


def split_order(order, pieces, api):
    """The same order in pieces, each placed on its own."""
    placed = []
    left = int(order["quantity"])
    while left > 0:
        now = min(left, pieces)
        _, orderid = place_order_api({**order, "quantity": now}, api)
        if orderid is None:
            break
        placed.append(orderid)
        left -= now
    return placed
