import json
import logging
from concurrent.futures import ThreadPoolExecutor, as_completed

from tests.lookahead.brokers.birch.api.workers import flatten_one
from tests.lookahead.brokers.birch.mapping.segments import TO_BIRCH, exchange_of
from tests.lookahead.token_db import get_oa_symbol, get_token

log = logging.getLogger("birch.orders")


def call(client, method, path, body=None):
    response = client.request(method, path, None if body is None else json.dumps(body))
    return json.loads(response)


def find_position(client, symbol, exchange):
    found = None
    for pos in call(client, "GET", "/v2/positions")["data"]:
        exch = exchange_of(pos["segment"])
        if exch != exchange:
            continue
        if get_oa_symbol(pos["trading_symbol"], exch) == symbol:
            found = pos
            break
    else:
        log.debug("no open position in %s", symbol)
    return found["quantity"] if found else 0


def flatten(client):
    """Square everything off, ten at a time."""
    positions = call(client, "GET", "/v2/positions")["data"]
    todo = [p for p in positions if p["quantity"]]
    sent, failed = {}, []
    with ThreadPoolExecutor(10) as pool:
        futures = [pool.submit(flatten_one, client, p) for p in todo]
        for f in as_completed(futures):
            who, order_id = f.result()
            if order_id is None:
                failed.append(str(who))
            else:
                sent[who] = order_id
    return {"sent": dict(sorted(sent.items())), "failed": sorted(failed)}


def place_many(client, orders):
    def send(job):
        n, order = job
        token = get_token(order["symbol"], order["exchange"])
        if not token:
            return {"n": n, "error": "symbol not found"}
        segment = TO_BIRCH[order["exchange"]]
        body = {"instrument_key": segment + "|" + token, "quantity": order["quantity"]}
        return {"n": n, "id": call(client, "POST", "/v2/order", body)["data"]["order_id"]}

    pool = ThreadPoolExecutor(max_workers=10)
    try:
        return list(pool.map(send, enumerate(orders)))
    finally:
        pool.shutdown()


def cover_stops(client, stops):
    """Re-arms stop orders; gives up at the first name that Birch does not know."""
    armed = []
    for symbol, exchange, trigger in stops:
        token = get_token(symbol, exchange)
        if token is None:
            return {"armed": armed, "stopped_at": symbol}
        body = {"instrument_token": int(token), "trigger": trigger, "type": "SL-M"}
        armed.append(call(client, "POST", "/v2/gtt", body)["data"]["order_id"])
    return {"armed": armed, "stopped_at": None}
