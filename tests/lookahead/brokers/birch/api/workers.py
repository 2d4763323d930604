"""What runs inside the pools."""

import json

from tests.lookahead.brokers.birch.mapping.segments import exchange_of
from tests.lookahead.token_db import get_symbol


def flatten_one(client, position):
    exchange = exchange_of(position["segment"])
    symbol = get_symbol(str(position["instrument_id"]), exchange)
    if symbol is None:
        return position["instrument_id"], None
    side = "SELL" if position["quantity"] > 0 else "BUY"
    body = {"symbol": symbol, "side": side, "quantity": abs(position["quantity"])}
    answer = json.loads(client.request("POST", "/v2/order", json.dumps(body)))
    return exchange + ":" + symbol, answer["data"]["order_id"]
