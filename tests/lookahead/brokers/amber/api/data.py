import logging

from tests.lookahead.token_db import get_br_symbol, get_token

logger = logging.getLogger(__name__)

QUOTE_LIMIT = 20


class BrokerData:
    def __init__(self, auth):
        self.auth = auth
        self.timeframe_map = {"1m": "minute", "5m": "5minute", "D": "day"}

    def get_quotes(self, symbol, exchange):
        br_symbol = get_br_symbol(symbol, exchange)
        # indices are quoted on their exchange
        if exchange == "NSE_INDEX":
            exchange = "NSE"
        elif exchange == "BSE_INDEX":
            exchange = "BSE"
        key = f"{exchange}:{br_symbol}"
        res = self.auth.request("GET", "/quote", [key])
        quote = res["data"].get(key)
        if not quote:
            raise ValueError(f"No quote for {key}")
        return {"ltp": quote["last_price"], "volume": quote["volume"], "oi": quote.get("oi", 0)}

    def get_multiquotes(self, symbols):
        results = []
        for i in range(0, len(symbols), QUOTE_LIMIT):
            results.extend(self._process_batch(symbols[i : i + QUOTE_LIMIT]))
        return results

    def _process_batch(self, batch):
        instruments = []
        key_map = {}
        skipped = []
        for item in batch:
            symbol = item["symbol"]
            exchange = item["exchange"]
            br_symbol = get_br_symbol(symbol, exchange)
            if not br_symbol:
                skipped.append({"symbol": symbol, "exchange": exchange, "error": "unknown"})
                continue
            if exchange.endswith("_INDEX"):
                key = f"{exchange[:-6]}:{br_symbol}"
            else:
                key = f"{exchange}:{br_symbol}"
            instruments.append(key)
            key_map[key] = {"symbol": symbol, "exchange": exchange}

        if not instruments:
            return skipped
        quotes = self.auth.request("GET", "/quote", instruments)["data"]
        results = []
        for key, original in key_map.items():
            quote = quotes.get(key)
            if not quote:
                results.append({**original, "error": "No data"})
                continue
            results.append({**original, "data": {"ltp": quote["last_price"]}})
        return skipped + results

    def watchlist(self, items):
        """Quotes one by one, the way the old watchlist page asked for them."""
        page = []
        for item in items:
            try:
                page.append(self.get_quotes(item["symbol"], item["exchange"]))
            except ValueError as e:
                page.append({"error": str(e)})
        return page

    def get_history(self, symbol, exchange, interval, start, end):
        token = get_token(symbol, exchange)
        if not token:
            raise LookupError(f"{symbol} has no token on {exchange}")
        path = f"/instruments/historical/{token}/{self.timeframe_map[interval]}"
        res = self.auth.request("GET", path, {"from": start, "to": end})
        return [
            dict(zip(("timestamp", "open", "high", "low", "close", "volume"), candle))
            for candle in res["data"]["candles"]
        ]

    def download(self, items, interval="D"):
        out = {}
        failed = 0
        for item in items:
            try:
                bars = self.get_history(
                    item["symbol"], item["exchange"], interval, "2026-07-01", "2026-07-31"
                )
            except LookupError as e:
                logger.info("download: %s", e)
                failed += 1
                continue
            out[f"{item['exchange']}:{item['symbol']}"] = bars[-1]["close"]
        return out, failed
