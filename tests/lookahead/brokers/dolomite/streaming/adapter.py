from tests.lookahead.brokers.dolomite.mapping.util import bare, ticker_of
from tests.lookahead.token_db import get_oa_symbol, get_symbol, get_token


class DolomiteAdapter:
    def __init__(self):
        self.tickers = {}
        self.by_fy_token = {}

    def subscribe(self, symbols):
        failed = []
        for item in symbols:
            symbol, exchange = item["symbol"], item["exchange"]
            ticker = ticker_of(symbol, exchange)
            token = get_token(symbol, exchange)
            if not ticker or not token:
                failed.append(symbol)
                continue
            self.tickers[ticker] = (exchange, symbol)
            self.by_fy_token[f"1010000000{token}"] = ticker
        return {"tickers": sorted(self.tickers), "failed": failed}

    def on_message(self, messages):
        """Symbol updates; those not subscribed (another tab's) are looked up."""
        out = []
        for message in messages:
            if message.get("type") not in ("sf", "if", "dp"):
                continue
            ticker = message["symbol"]
            if ticker in self.tickers:
                exchange, symbol = self.tickers[ticker]
            else:
                exchange = "NSE_INDEX" if message["type"] == "if" else message["exch"]
                symbol = get_oa_symbol(bare(ticker), exchange)
            if symbol:
                out.append((exchange, symbol, message["ltp"]))
        return out

    def on_order_update(self, updates):
        """Order postbacks have a fytoken whose first ten digits are no token."""
        for update in updates:
            try:
                token = update["fyToken"][10:]
                update["symbol"] = get_symbol(token, update["exch"]) or update["symbol"]
                update["fyToken"] = int(token)
            except (KeyError, ValueError, TypeError):
                update["fyToken"] = 0
        return updates
