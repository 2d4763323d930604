import json
import logging
from concurrent.futures import ThreadPoolExecutor, as_completed

from tests.lookahead.brokers.basalt.mapping.exchange import TO_SEGMENT, instrument_key
from tests.lookahead.token_db import get_br_symbol, get_token

logger = logging.getLogger(__name__)


class BrokerData:
    BATCH = 25
    WORKERS = 10

    def __init__(self, auth):
        self.auth = auth

    def _get(self, path):
        return json.loads(self.auth("GET", path, ""))

    def get_multiquotes(self, symbols):
        if len(symbols) <= self.BATCH:
            return self._quotes(symbols)
        results = []
        for i in range(0, len(symbols), self.BATCH):
            batch = symbols[i : i + self.BATCH]
            logger.debug("batch %s: %s symbols", i // self.BATCH + 1, len(batch))
            results.extend(self._quotes(batch))
        return results

    def _quotes(self, batch):
        keys = []
        key_to_symbol = {}
        out = []
        for item in batch:
            key = instrument_key(item["symbol"], item["exchange"])
            if key:
                keys.append(key)
                key_to_symbol[key] = item
            else:
                out.append({"symbol": item["symbol"], "exchange": item["exchange"], "data": None})
        answer = self._get("/v2/market-quote/quotes?instrument_key=" + ",".join(keys))
        # the answer is keyed by "NSE_EQ:SBIN", each with its instrument_token
        by_key = {quote["instrument_token"]: quote for quote in answer["data"].values()}
        for key, item in key_to_symbol.items():
            quote = by_key.get(key)
            out.append({**item, "data": {"ltp": quote["last_price"]} if quote else None})
        return out

    def get_history(self, symbol, exchange):
        token = get_token(symbol, exchange)
        if not token:
            raise ValueError(f"no token: {symbol}")
        br_symbol = get_br_symbol(symbol, exchange)
        path = f"/v2/historical-candle/{TO_SEGMENT[exchange]}|{token}/day"
        candles = self._get(path)["data"]["candles"]
        candles.reverse()
        return {"name": br_symbol, "first": candles[0][0], "close": candles[-1][4]}

    def get_histories(self, symbols):
        """Histories of many symbols at a time, for the scanner."""
        rows = {}
        with ThreadPoolExecutor(max_workers=self.WORKERS) as executor:
            future_to_item = {
                executor.submit(self.get_history, item["symbol"], item["exchange"]): n
                for n, item in enumerate(symbols)
            }
            for future in as_completed(future_to_item):
                n = future_to_item[future]
                try:
                    rows[n] = future.result()
                except ValueError as e:
                    rows[n] = {"error": str(e)}
        return [rows[n] for n in sorted(rows)]

    def get_depth(self, symbol, exchange):
        key = instrument_key(symbol, exchange)
        if key is None:
            return None
        quote = next(iter(self._get(f"/v2/market-quote/quotes?instrument_key={key}")["data"].values()))
        return {"bid": quote["depth"]["buy"][0], "ask": quote["depth"]["sell"][0]}
