import logging

from tests.lookahead.brokers.birch.mapping.segments import TO_BIRCH, symbol_of_key
from tests.lookahead.token_db import get_token

log = logging.getLogger("birch.feed")


class Feed:
    def __init__(self):
        self.by_key = {}
        self.closes = {}

    def subscribe(self, symbols, exchanges, modes):
        groups = {}
        for symbol, exchange, mode in zip(symbols, exchanges, modes):
            if not symbol:
                continue
            token = get_token(symbol=symbol, exchange=exchange)
            if token is None:
                log.debug("cannot subscribe %s", symbol)
                continue
            key = "%s|%s" % (TO_BIRCH.get(exchange, exchange), token)
            self.by_key[key] = symbol
            groups.setdefault(mode, []).append(key)
        return groups

    def on_candles(self, message):
        """Keeps the closes of every instrument, newest last."""
        for key in message["feeds"]:
            if key in self.by_key:
                name = self.by_key[key]
            else:
                name, _ = symbol_of_key(key)
                if name is None:
                    continue
                self.by_key[key] = name
            self.closes.setdefault(name, []).append(message["feeds"][key]["c"])
        return self.closes


def subscribe_all(symbols, exchanges, modes):
    return Feed().subscribe(symbols, exchanges, modes)


def replay(messages):
    feed = Feed()
    for message in messages:
        feed.on_candles(message)
    return feed.closes
