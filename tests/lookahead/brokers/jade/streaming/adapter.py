import logging

from tests.lookahead.brokers.jade.mapping.order_data import our_exchange
from tests.lookahead.token_db import get_symbol, get_token

logger = logging.getLogger(__name__)


class JadeAdapter:
    def __init__(self):
        self.topics = {}

    def subscribe(self, symbols):
        for item in symbols:
            token = get_token(item["symbol"], item["exchange"])
            if token:
                topic = f"/ld/{item['exchange'].lower()}/price.{token}"
                self.topics.setdefault(topic, item["symbol"])
            else:
                logger.debug("no topic for %s", item)
        return self.topics

    def on_tick(self, ticks):
        """{"NSE": {"FNO": {"35241": {"ltp": 10}}}} by exchange, segment and token."""
        flat = {}
        for exchange, segments in ticks.items():
            for segment, tokens in segments.items():
                ours = our_exchange(exchange, segment)
                for token, tick in tokens.items():
                    symbol = get_symbol(token, ours) or f"#{token}"
                    flat[f"{ours}:{symbol}"] = tick["ltp"]
        return flat
