"""Orders at Helio: book, status scan, baskets, squaring off."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed

from tests.lookahead.brokers.helio.segments import (
    SEGMENT_OF_EXCHANGE,
    BaseService,
    exchange_from_segment,
)
from tests.lookahead.token_db import get_brexchange, get_symbol, get_token

logger = logging.getLogger(__name__)

OPEN_STATES = frozenset({"PENDING", "TRANSIT", "PART_TRADED"})


class OrderService(BaseService):
    def order_book(self, payload):
        if isinstance(payload, dict) and payload.get("status") == "failure":
            return {"error": payload.get("remarks", "unknown"), "orders": []}
        source = payload if isinstance(payload, list) else payload.get("data", [])
        orders = []
        for original in source:
            order = {**original}
            order["symbol"] = self.symbol_for(order.get("securityId"), order.get("exchangeSegment"))
            if order["symbol"] is None:
                order["symbol"] = order.get("tradingSymbol") or ""
            order["exchange"] = exchange_from_segment(order.pop("exchangeSegment", ""))
            order["orderStatus"] = self._readable_status(order.get("orderStatus"))
            orders.append(order)
        return {"orders": orders, "problems": list(self.problems)}

    def _readable_status(self, status):
        if status in OPEN_STATES:
            return "open"
        elif status == "TRADED":
            return "complete"
        elif status in ("REJECTED", "EXPIRED"):
            return "rejected"
        return str(status).lower()

    def waiting_since(self, payload, limit):
        """The first orders that still wait, up to a limit."""
        waiting = []
        for order in payload["data"]:
            if order["orderStatus"] not in OPEN_STATES:
                continue
            segment = order["exchangeSegment"]
            exchange = "NSE" if segment == "NSE_EQ" else "BSE" if segment == "BSE_EQ" else "NFO"
            symbol = get_symbol(int(order["securityId"]), exchange)
            if symbol is None:
                continue
            waiting.append(f"{symbol[:12]}@{exchange}#{order['orderId']}")
            if len(waiting) >= limit:
                break
        return waiting


def read_order_book(payload):
    return OrderService().order_book(payload)


def scan_waiting(payload, limit):
    return OrderService("H0077").waiting_since(payload, limit)


def _order_body(symbol, exchange, action, quantity):
    token = get_token(symbol=symbol, exchange=exchange)
    if token is None:
        raise LookupError(f"{symbol}/{exchange}")
    return {
        "securityId": token,
        "exchangeSegment": SEGMENT_OF_EXCHANGE[exchange],
        "transactionType": action.upper(),
        "quantity": int(quantity),
    }


def _send_guarded(http, symbol, exchange, action, quantity):
    """Runs in a worker: arguments are single fields of the order."""
    try:
        body = _order_body(symbol, exchange, action, quantity)
    except LookupError as error:
        return {"symbol": symbol, "status": "error", "message": f"unknown: {error}"}
    answer = http.post("/v3/orders", body)
    return {"symbol": symbol, "status": "success", "orderId": answer["orderId"], "body": body}


def execute_basket(http, basket):
    """Send a basket in ten threads; purchases and sales keep their places."""
    legs = basket.get("legs") if isinstance(basket, dict) else None
    if not legs:
        return {"status": "error", "message": "empty basket"}
    symbols = [leg["symbol"] for leg in legs]
    exchanges = [leg["exchange"] for leg in legs]
    actions = [leg["action"] for leg in legs]
    quantities = [leg["quantity"] for leg in legs]
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(
            lambda symbol, exchange, action, quantity: _send_guarded(
                http, symbol, exchange, action, quantity),
            symbols, exchanges, actions, quantities))
    succeeded = sum(1 for answer in answers if answer["status"] == "success")
    return {"status": "success" if succeeded else "error", "results": answers, "count": succeeded}


def execute_basket_as_ready(http, legs):
    """Submit each leg with its fields; the future remembers the place."""
    places = {}
    results = {}
    with ThreadPoolExecutor(max_workers=10) as executor:
        for place, leg in enumerate(legs):
            future = executor.submit(
                _send_guarded, http, leg["symbol"], leg["exchange"], leg["action"], leg["quantity"])
            places[future] = place
        for future in as_completed(places):
            place = places[future]
            try:
                results[place] = future.result()
            except Exception as error:
                logger.exception("Leg %s", place)
                results[place] = {"status": "error", "message": str(error)}
    return [results[place] for place in sorted(results)]


def square_off_in_threads(http, positions):
    """One thread for each open position."""
    outcome = [None] * len(positions)

    def square_off(place, row):
        exchange = exchange_from_segment(row["exchangeSegment"])
        symbol = get_symbol(row["securityId"], exchange)
        if symbol is None:
            outcome[place] = "unmapped"
            return
        side = "SELL" if int(row["netQty"]) > 0 else "BUY"
        http.post("/v3/orders", {"securityId": row["securityId"], "transactionType": side})
        outcome[place] = f"{side} {abs(int(row['netQty']))} {symbol}"

    threads = []
    for place, row in enumerate(positions):
        if int(row.get("netQty") or 0) == 0:
            continue
        thread = threading.Thread(target=square_off, args=(place, row))
        threads.append(thread)
        thread.start()
    for thread in threads:
        thread.join()
    return [entry for entry in outcome if entry is not None]


class HelioFeedAdapter:
    """Keeps what is subscribed at the feed, and the way back from a packet to its symbol."""

    MODES = {"ltp": 15, "quote": 17, "depth": 21}

    def __init__(self, transport):
        self.transport = transport
        self.lock = threading.Lock()
        self.routes = {}
        self.failures = []

    def _segment(self, symbol, exchange):
        segment = SEGMENT_OF_EXCHANGE.get(exchange)
        if segment is None:
            self.failures.append(f"{symbol}: no segment for {exchange}")
        return segment

    def subscribe(self, symbols, mode="ltp"):
        request_code = self.MODES.get(mode, 15)
        instruments = []
        for entry in symbols:
            symbol, exchange = entry.get("symbol"), entry.get("exchange")
            token = get_token(symbol, exchange)
            if not token:
                self.failures.append(f"{symbol}: no token on {exchange}")
                continue
            broker_exchange = get_brexchange(symbol, exchange)
            segment = self._segment(symbol, exchange)
            with self.lock:
                self.routes[f"{segment}|{token}"] = (symbol, exchange)
            instruments.append({
                "ExchangeSegment": segment,
                "SecurityId": token,
                "Source": broker_exchange or exchange,
            })
        for start in range(0, len(instruments), 25):
            part = instruments[start:start + 25]
            self.transport.append({
                "RequestCode": request_code,
                "InstrumentCount": len(part),
                "InstrumentList": part,
            })
        return len(instruments)


def open_feed(symbols, mode):
    transport = []
    adapter = HelioFeedAdapter(transport)
    count = adapter.subscribe(symbols, mode)
    return {
        "count": count,
        "frames": transport,
        "routes": {key: list(value) for key, value in adapter.routes.items()},
        "failures": adapter.failures,
    }
