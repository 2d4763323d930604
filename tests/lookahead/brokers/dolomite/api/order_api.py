import logging
from concurrent.futures import ThreadPoolExecutor, as_completed

from tests.lookahead.brokers.dolomite.mapping.transform_data import transform_data
from tests.lookahead.brokers.dolomite.mapping.util import bare, exchange_of, ticker_of
from tests.lookahead.token_db import get_oa_symbol

logger = logging.getLogger(__name__)


def place_order_api(data, http):
    try:
        payload = transform_data(data)
    except ValueError as e:
        return {"s": "error", "message": str(e)}, None
    answer = http("POST", "/orders/sync", payload)
    return answer, answer.get("id") if answer["s"] == "ok" else None


def get_open_position(tradingsymbol, exchange, product, http):
    ticker = ticker_of(tradingsymbol, exchange)
    net = http("GET", "/positions", None)
    if net.get("s") == "ok":
        for position in net["netPositions"]:
            if position["symbol"] == ticker and position["productType"] == product:
                return str(position["netQty"])
    return "0"


def place_smartorders(orders, http):
    ids = []
    for order in orders:
        have = int(get_open_position(order["symbol"], order["exchange"], "INTRADAY", http))
        want = int(order["position_size"])
        if want == have:
            ids.append(None)
            continue
        side = "BUY" if want > have else "SELL"
        _, orderid = place_order_api(
            {**order, "action": side, "quantity": abs(want - have), "product": "MIS"}, http
        )
        ids.append(orderid)
    return ids


def close_all_positions(http):
    net = http("GET", "/positions", None)
    closed = []
    for position in net["netPositions"]:
        if position["netQty"] == 0:
            continue
        exchange = exchange_of(position)
        symbol = get_oa_symbol(bare(position["symbol"] or ""), exchange)
        if not symbol:
            closed.append((position["symbol"], "unknown"))
            continue
        _, orderid = place_order_api(
            {
                "symbol": symbol,
                "exchange": exchange,
                "action": "SELL" if position["netQty"] > 0 else "BUY",
                "product": "MIS" if position["productType"] == "INTRADAY" else "NRML",
                "quantity": abs(position["netQty"]),
            },
            http,
        )
        closed.append((symbol, orderid))
    return closed


def place_basket(orders, http, batch_size=10):
    """Ten orders a second are allowed: batches of ten, each batch at once."""
    results = [None] * len(orders)
    for start in range(0, len(orders), batch_size):
        batch = orders[start : start + batch_size]
        with ThreadPoolExecutor(max_workers=batch_size) as executor:
            futures = {
                executor.submit(place_order_api, order, http): start + n
                for n, order in enumerate(batch)
            }
            for future in as_completed(futures):
                answer, orderid = future.result()
                status = "success" if orderid else "error"
                results[futures[future]] = (status, orderid or answer["message"])
    return results


def cancel_all_orders(http):
    book = http("GET", "/orders", None)["orderBook"]
    pending = [order for order in book if order["status"] in (4, 6)]

    def cancel(order):
        answer = http("DELETE", "/orders/sync", {"id": order["id"]})
        symbol = get_oa_symbol(bare(order["symbol"]), exchange_of(order))
        return order["id"], symbol or order["symbol"], answer["s"]

    with ThreadPoolExecutor(max_workers=10) as executor:
        done = list(executor.map(cancel, pending))
    return [d for d in done if d[2] == "ok"], [d for d in done if d[2] != "ok"]
