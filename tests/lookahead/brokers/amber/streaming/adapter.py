import logging

from tests.lookahead.token_db import get_symbol, get_token

logger = logging.getLogger(__name__)

# low byte of the instrument token
SEGMENT = {1: "NSE", 2: "NFO", 3: "CDS", 4: "BSE", 5: "BFO", 7: "MCX", 9: "NSE_INDEX"}
CODE = {name: code for code, name in SEGMENT.items()}


class AmberAdapter:
    def __init__(self):
        self.subscriptions = {}
        self.published = []

    def subscribe(self, items, mode="quote"):
        tokens = []
        for item in items:
            try:
                exchange = item["exchange"]
                wire = int(get_token(item["symbol"], exchange)) * 256 + CODE[exchange]
            except (KeyError, TypeError, ValueError) as e:
                logger.info("cannot subscribe %s: %s", item, e)
            else:
                if wire not in self.subscriptions:
                    self.subscriptions[wire] = (item["symbol"], exchange)
                    tokens.append(wire)
        return [{"a": "subscribe", "v": tokens}, {"a": "mode", "v": [mode, tokens]}]

    def on_ticks(self, ticks):
        for tick in ticks:
            wire = tick["instrument_token"]
            if wire in self.subscriptions:
                symbol, exchange = self.subscriptions[wire]
            else:
                # after a reconnect the map may be empty
                exchange = SEGMENT.get(wire & 0xFF, "NSE")
                symbol = get_symbol(str(wire >> 8), exchange)
            if not symbol:
                continue
            topic = f"{exchange}_{symbol}_LTP"
            self.published.append((topic, tick["last_price"]))
        return self.published
