import logging
from concurrent.futures import ThreadPoolExecutor, as_completed

from tests.lookahead.brokers.lapis.mapping.order_data import positions
from tests.lookahead.brokers.lapis.mapping.symid import listing_to_symbol
from tests.lookahead.brokers.lapis.mapping.transform_data import transform_data
from tests.lookahead.token_db import get_br_symbol, get_oa_symbol

logger = logging.getLogger(__name__)


def place_order_api(data, api):
    answer = api.send("/api/oms/place-order", transform_data(data))
    if answer["s"] != "ok":
        raise RuntimeError(answer["msg"])
    return answer["d"]["orderId"]


def place_basket(orders, api):
    def place(order):
        try:
            return {"symbol": order["symbol"], "orderid": place_order_api(order, api)}
        except (LookupError, RuntimeError) as e:
            return {"symbol": order["symbol"], "error": str(e)}

    with ThreadPoolExecutor(max_workers=10) as executor:
        return list(executor.map(place, orders))


def close_all_positions(api):
    lines = []
    for position in positions(api.fetch("/api/oms/positions")):
        order = {
            "symbol": position["symbol"],
            "exchange": position["exchange"],
            "action": "SELL" if position["quantity"] > 0 else "BUY",
            "quantity": abs(position["quantity"]),
            "product": "MIS",
            "pricetype": "MARKET",
        }
        try:
            lines.append((position["symbol"], place_order_api(order, api)))
        except (LookupError, RuntimeError) as e:
            lines.append((position["symbol"], str(e)))
    return lines


def _cancel(row, api):
    if api.send("/api/oms/cancel-order", {"orderId": row["orderId"]})["s"] != "ok":
        return None
    symbol = listing_to_symbol(row.get("listingId"))
    if symbol is None:
        symbol = get_oa_symbol(row["tradingSymbol"], row["exchange"])
    return f"{row['orderId']}: {symbol}"


def cancel_all_orders(api):
    rows = [row for row in api.fetch("/api/oms/orders")["d"] if row["status"] in ("open", "pending")]
    lines = []
    with ThreadPoolExecutor(max_workers=10) as executor:
        futures = [executor.submit(_cancel, row, api) for row in rows]
        for future in as_completed(futures):
            if line := future.result():
                lines.append(line)
    return sorted(lines)


def get_open_position(symbol, exchange, api):
    for position in positions(api.fetch("/api/oms/positions")):
        if (position["symbol"], position["exchange"]) == (symbol, exchange):
            return position["quantity"]
    return 0


def reconcile(orders, api):
    """Our open orders against the broker's: what we have that it has not."""
    theirs = {(row["tradingSymbol"], row["exchange"]) for row in api.fetch("/api/oms/orders")["d"]}
    missing = []
    for order in orders:
        name = get_br_symbol(order["symbol"], order["exchange"])
        if name is None or (name, order["exchange"]) in theirs:
            continue
        missing.append(get_oa_symbol(name, order["exchange"]))
    return missing
