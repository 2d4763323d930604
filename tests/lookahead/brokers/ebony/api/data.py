import json
import logging
from datetime import date, timedelta

from tests.lookahead.token_db import get_symbol, get_token

logger = logging.getLogger(__name__)


class BrokerData:
    def __init__(self, conn):
        self.conn = conn

    def get_multiquotes(self, symbols):
        out = []
        for start in range(0, len(symbols), 50):
            out += self._fetch(symbols[start : start + 50])
        return out

    def _fetch(self, symbols):
        exchange_tokens = {}
        lookup = {}
        out = []
        for item in symbols:
            symbol, exchange = item["symbol"], item["exchange"]
            token = get_token(symbol, exchange)
            api_exchange = exchange
            if exchange in ("NSE_INDEX", "BSE_INDEX"):
                api_exchange = exchange.split("_")[0]
            if token is None:
                out.append({"symbol": symbol, "exchange": exchange, "error": "token"})
                continue
            exchange_tokens.setdefault(api_exchange, []).append(token)
            lookup[f"{api_exchange}:{token}"] = (symbol, exchange)

        body = json.dumps({"mode": "FULL", "exchangeTokens": exchange_tokens})
        data = self.conn.post("/rest/secure/market/v1/quote/", body)["data"]
        for quote in data["fetched"]:
            symbol, exchange = lookup.pop(f"{quote['exchange']}:{quote['symbolToken']}")
            out.append({"symbol": symbol, "exchange": exchange, "ltp": quote["ltp"]})
        for symbol, exchange in lookup.values():
            out.append({"symbol": symbol, "exchange": exchange, "error": "unfetched"})
        return out

    def get_history(self, symbol, exchange, start, end, step=30):
        """The service gives thirty days at a time."""
        candles = []
        day = start
        while day <= end:
            last = min(day + timedelta(days=step - 1), end)
            token = get_token(symbol, exchange)
            if not token:
                break
            body = {
                "exchange": exchange,
                "symboltoken": token,
                "interval": "ONE_DAY",
                "fromdate": day.isoformat(),
                "todate": last.isoformat(),
            }
            candles += self.conn.post("/historical/v1/getCandleData", json.dumps(body))["data"]
            day = last + timedelta(days=1)
        return candles

    def get_histories(self, items):
        closes = []
        for item in items:
            candles = self.get_history(
                item["symbol"], item["exchange"], date(2026, 5, 1), date(2026, 7, 31)
            )
            closes.append((item["symbol"], candles[-1][4] if candles else None))
        return closes

    def gainers(self, rows):
        """The gainers list gives tokens as floats and names of futures only."""
        names = []
        for row in rows:
            token = str(int(row["symbolToken"])) if row["symbolToken"] else None
            symbol = get_symbol(token, "NFO")
            if not symbol:
                continue
            names.append(f"{symbol.removesuffix('FUT')} {row['percentChange']:+.2f}%")
        return names
