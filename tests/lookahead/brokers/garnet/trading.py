"""Orders, squaring off, cancelling, baskets and margins at Garnet."""

import logging
from concurrent.futures import ThreadPoolExecutor, as_completed

from tests.lookahead.brokers.garnet.mapping import (
    application_product,
    extract_items,
    safe_float,
    safe_int,
    to_gateway_order,
    translate_name,
)
from tests.lookahead.token_db import get_br_symbol, get_oa_symbol, get_token

logger = logging.getLogger(__name__)


def find_open_position(client, symbol, exchange, product):
    """Net quantity of one position, as text; '0' if there is none."""
    response = client.get("/portfolio/positions")
    rows = extract_items(response, "net")
    if not rows:
        return "0"
    for row in rows:
        if not row.get("trading_symbol"):
            continue
        row_symbol = get_oa_symbol(row["trading_symbol"], row["exchange"])
        if row_symbol is None:
            continue
        row_product = application_product(row["exchange"], row.get("product"))
        if row_symbol == symbol and row["exchange"] == exchange and row_product == product:
            net_quantity = str(safe_int(row.get("quantity")))
            logger.info("Open position of %s: %s", symbol, net_quantity)
            return net_quantity
    return "0"


def place_order(client, order):
    """Send one order; returns the answer and the order id."""
    try:
        body = to_gateway_order(order)
    except ValueError as error:
        return {"status": "error", "message": str(error)}, None
    except KeyError as error:
        return {"status": "error", "message": f"field {error} is missing"}, None
    answer = client.post("/orders", body)
    order_id = answer.get("result", {}).get("order_ref") if isinstance(answer, dict) else None
    return {"status": "success", "sent": body}, order_id


def close_all_positions(client):
    """Send an opposite market order for every open position."""
    response = client.get("/portfolio/positions")
    positions = extract_items(response, "net")
    if not positions:
        return {"message": "No open positions found", "orders": []}, 200

    outcome = []
    skipped = 0
    for position in positions:
        quantity = safe_int(position.get("quantity"))
        if quantity == 0:
            skipped += 1
            continue
        symbol = get_oa_symbol(brsymbol=position["trading_symbol"], exchange=position["exchange"])
        if not symbol:
            outcome.append({"status": "error", "message": f"cannot close {position['trading_symbol']}"})
            continue
        order = {
            "symbol": symbol,
            "exchange": position["exchange"],
            "action": "SELL" if quantity > 0 else "BUY",
            "quantity": abs(quantity),
            "product": application_product(position["exchange"], position.get("product")),
            "price": 0,
        }
        answer, order_id = place_order(client, order)
        outcome.append({"answer": answer, "order_id": order_id})

    return {"message": "All open positions closed", "orders": outcome, "skipped": skipped}, 200


def cancel_all_orders(client, wanted_exchange=None):
    """Cancel what is still open, reporting the application's symbols."""
    orders = extract_items(client.get("/orders"), "orders")
    cancelled, failed = [], []
    position = 0
    count = len(orders)
    while position < count:
        order = orders[position]
        position += 1
        if order.get("status") not in ("OPEN", "TRIGGER PENDING"):
            continue
        if wanted_exchange is not None and order.get("exchange") != wanted_exchange:
            continue
        label = translate_name(order.get("trading_symbol"), order.get("exchange"))
        answer = client.delete(f"/orders/{order['order_ref']}")
        if answer.get("state") == "ok":
            cancelled.append({"order_id": order["order_ref"], "symbol": label})
        else:
            failed.append({"order_id": order["order_ref"], "symbol": label})
    return cancelled, failed


def build_margin_request(positions):
    """Margin calculator body of a basket; what cannot be mapped is reported beside it."""
    if not isinstance(positions, list):
        raise TypeError("positions must be a list")
    legs = []
    rejected = []
    for number, position in enumerate(positions, start=1):
        symbol = position.get("symbol")
        exchange = position.get("exchange")
        token = get_token(symbol, exchange)
        if not token:
            rejected.append({"leg": number, "symbol": symbol, "reason": "unknown symbol"})
            continue
        broker_symbol = get_br_symbol(symbol, exchange)
        if not token.isdigit():
            rejected.append({"leg": number, "symbol": symbol, "reason": "odd token"})
            continue
        legs.append({
            "leg": number,
            "scrip_token": int(token),
            "trading_symbol": broker_symbol,
            "exchange": exchange,
            "quantity": safe_int(position.get("quantity")),
            "price": safe_float(position.get("price")),
            "side": position.get("action", "BUY")[:1],
        })
    return {"legs": legs, "rejected": rejected, "gross": sum(leg["quantity"] for leg in legs)}


def place_basket(client, orders):
    """All orders of a basket side by side, purchases first; answers in that order."""
    purchases = [order for order in orders if order.get("action") == "BUY"]
    sales = [order for order in orders if order.get("action") != "BUY"]
    arranged = purchases + sales
    results = []

    def send(order):
        answer, order_id = place_order(client, order)
        return {
            "symbol": order.get("symbol"),
            "status": answer["status"],
            "order_id": order_id,
            "scrip_token": answer.get("sent", {}).get("scrip_token"),
        }

    with ThreadPoolExecutor(max_workers=10) as executor:
        for result in executor.map(send, arranged):
            results.append(result)

    failures = [result for result in results if result["status"] != "success"]
    return {"results": results, "failed": len(failures)}


def _place_numbered(client, numbered):
    index, order = numbered
    try:
        broker_symbol = get_br_symbol(symbol=order["symbol"], exchange=order["exchange"])
        if broker_symbol is None:
            return index, {"status": "error", "message": "symbol not found"}
        answer = client.post("/orders/fast", {"trading_symbol": broker_symbol})
        return index, {"status": answer.get("state"), "trading_symbol": broker_symbol}
    except Exception as error:
        logger.exception("Order %s failed", index)
        return index, {"status": "error", "message": str(error)}


def place_split_basket(client, orders):
    """As place_basket, as the answers come in; put back into the basket's order."""
    slots = [None] * len(orders)
    with ThreadPoolExecutor(max_workers=10) as executor:
        futures = [
            executor.submit(_place_numbered, client, (index, order))
            for index, order in enumerate(orders)
        ]
        for future in as_completed(futures):
            try:
                index, answer = future.result()
            except Exception:
                logger.exception("A worker failed")
                continue
            slots[index] = answer
    return slots


def fetch_multi_quotes(client, instruments):
    """Quotes of many instruments, twenty to a request."""
    requested = []
    skipped = []
    for instrument in instruments:
        symbol = instrument["symbol"]
        exchange = instrument["exchange"]
        broker_symbol = get_br_symbol(symbol, exchange)
        if not broker_symbol:
            skipped.append({"symbol": symbol, "exchange": exchange, "error": "not found"})
            continue
        if exchange.endswith("_INDEX"):
            gateway_exchange = exchange.replace("_INDEX", "")
        else:
            gateway_exchange = exchange
        requested.append((f"{gateway_exchange}:{broker_symbol}", symbol, exchange))

    quotes = []
    for start in range(0, len(requested), 20):
        chunk = requested[start:start + 20]
        answer = client.get("/quotes", [key for key, _, _ in chunk])
        for key, symbol, exchange in chunk:
            data = answer.get("result", {}).get(key) or {}
            quotes.append({
                "symbol": symbol,
                "exchange": exchange,
                "ltp": safe_float(data.get("last")),
                "volume": safe_int(data.get("volume")),
            })
    return quotes + skipped
