import logging

from tests.lookahead.brokers.ivory.mapping.segments import REVERSE, SEGMENT
from tests.lookahead.token_db import get_br_symbol, get_symbol, get_token

logger = logging.getLogger(__name__)


class IvoryAdapter:
    CHANNEL_SIZE = 50

    def __init__(self):
        self.channels = {}
        self.prices = {}

    def subscribe(self, symbols):
        scrips = []
        for item in symbols:
            try:
                if item["exchange"].endswith("_INDEX"):
                    name = get_br_symbol(item["symbol"], item["exchange"])
                    scrips.append(f"{REVERSE[item['exchange']]}|{name.title()}")
                else:
                    token = get_token(item["symbol"], item["exchange"])
                    scrips.append(REVERSE[item["exchange"]] + "|" + token)
            except (AttributeError, TypeError):
                logger.debug("no scrip for %s", item)
        for channel, i in enumerate(range(0, len(scrips), self.CHANNEL_SIZE), 1):
            self.channels[channel] = "&".join(scrips[i : i + self.CHANNEL_SIZE])
        return self.channels

    def on_message(self, rows):
        for row in rows:
            if row.get("name") != "sf":
                continue
            try:
                exchange = SEGMENT[row["e"]]
                if row.get("tk"):
                    symbol = get_symbol(row["tk"], exchange) or row["tk"]
                    self.prices[f"{exchange}:{symbol}"] = float(row["ltp"])
            except (KeyError, ValueError) as e:
                logger.debug("tick: %s", e)
        return self.prices
