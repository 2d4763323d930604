from tests.lookahead.brokers.basalt.mapping.exchange import instrument_key, map_exchange
from tests.lookahead.token_db import get_symbol


class BasaltAdapter:
    """Feeds of Basalt come keyed by instrument key."""

    def __init__(self):
        self.keys = {}
        self.errors = []

    def subscribe_all(self, instruments):
        for instrument in instruments:
            response = self.subscribe(instrument["symbol"], instrument["exchange"])
            if response["status"] == "error":
                self.errors.append(response["message"])
        return {"method": "sub", "data": {"mode": "full", "instrumentKeys": list(self.keys)}}

    def subscribe(self, symbol, exchange):
        key = instrument_key(symbol, exchange)
        if not key:
            return {"status": "error", "message": f"Symbol {symbol} not found for {exchange}"}
        self.keys[key] = f"{exchange}_{symbol}"
        return {"status": "success"}

    def on_message(self, message):
        out = {}
        try:
            for key, feed in message["feeds"].items():
                topic = self.keys.get(key)
                if topic is None:
                    segment, token = key.split("|")
                    exchange = map_exchange(segment)
                    topic = f"{exchange}_{get_symbol(token, exchange) or token}"
                if "ltpc" in feed:
                    out[topic] = feed["ltpc"]["ltp"]
        except (KeyError, ValueError) as e:
            out["error"] = str(e)
        return out
