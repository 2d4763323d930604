import logging
from concurrent.futures import ThreadPoolExecutor

import pandas as pd

from tests.lookahead.brokers.jade.mapping.transform_data import SEGMENT, venue
from tests.lookahead.token_db import get_br_symbol, get_symbol_info, get_token

logger = logging.getLogger(__name__)


class BrokerData:
    def __init__(self, client):
        self.client = client

    def get_ltp(self, symbols, batch_size=50):
        """Last prices; the service takes fifty of "NSE_RELIANCE" in a segment."""
        result = {}
        for start in range(0, len(symbols), batch_size):
            wanted = {}
            for item in symbols[start : start + batch_size]:
                exchange = item["exchange"].replace("_INDEX", "")
                segment = SEGMENT.get(exchange, "CASH")
                name = get_br_symbol(item["symbol"], item["exchange"])
                if not name:
                    result[f"{item['exchange']}:{item['symbol']}"] = None
                    continue
                head = {"NFO": "NSE", "BFO": "BSE"}.get(exchange, exchange)
                wanted.setdefault(segment, {})[f"{head}_{name.replace(' ', '')}"] = item
            for segment, names in wanted.items():
                answer = self.client("GET", f"/v1/live-data/ltp/{segment}", list(names))
                for key, price in answer["payload"].items():
                    item = names[key]
                    result[f"{item['exchange']}:{item['symbol']}"] = price
        return result

    def _quote(self, item):
        token = get_token(item["symbol"], item["exchange"])
        if token is None:
            return {**item, "error": "no token"}
        where = venue(item["symbol"], item["exchange"])
        answer = self.client("GET", "/v1/live-data/quote", [f"{where}/{token}"])
        return {**item, "ltp": answer["payload"]["last_price"]}

    def get_multiquotes(self, symbols):
        """Full quotes have no batch call; sequential batches of ten workers' worth."""
        quotes = []
        for start in range(0, len(symbols), 10):
            with ThreadPoolExecutor(max_workers=10) as executor:
                quotes.extend(executor.map(self._quote, symbols[start : start + 10]))
        return quotes

    def get_history(self, items):
        """Weekly closes by symbol, from daily candles."""
        frames = {}
        for item in items:
            info = get_symbol_info(item["symbol"], item["exchange"])
            if not info:
                logger.debug("no history of %s", item["symbol"])
                continue
            answer = self.client("GET", "/v1/historical/candle/range", [info.token])
            df = pd.DataFrame(answer["payload"]["candles"], columns=["ts", "close", "volume"])
            df["close"] = (df["close"] / info.tick_size).round() * info.tick_size if info.tick_size else df["close"]
            frames[item["symbol"]] = [round(float(x), 4) for x in df["close"].iloc[::5]]
        return frames
