import logging

from tests.lookahead.brokers.flint.mapping.util import scrip
from tests.lookahead.token_db import get_symbol

logger = logging.getLogger(__name__)

PER_MESSAGE = 30


class FlintAdapter:
    def __init__(self):
        self.ltp = {}
        self.sent = []

    def subscribe(self, symbols):
        for i in range(0, len(symbols), PER_MESSAGE):
            keys = []
            for item in symbols[i : i + PER_MESSAGE]:
                try:
                    keys.append(scrip(item["symbol"], item["exchange"]))
                except KeyError:
                    logger.debug("not subscribed: %s", item)
            if keys:
                self.sent.append({"t": "t", "k": "#".join(keys)})
        return self.sent

    def on_feed(self, messages):
        for message in messages:
            if message["t"] not in ("tk", "tf"):
                continue
            exchange = message["e"]
            symbol = get_symbol(message["tk"], exchange)
            if symbol is None:
                # indices come as of their exchange
                exchange = f"{exchange}_INDEX"
                symbol = get_symbol(message["tk"], exchange)
            try:
                if symbol:
                    self.ltp[exchange, symbol] = float(message["lp"])
            except KeyError:
                logger.debug("no price in %s", message)
        return self.ltp
