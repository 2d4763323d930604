import logging
from concurrent.futures import ThreadPoolExecutor, as_completed

from tests.lookahead.brokers.hematite.mapping.transform_data import CODES
from tests.lookahead.token_db import get_br_symbol, get_symbol, get_token

logger = logging.getLogger(__name__)


class BrokerData:
    def __init__(self, post):
        self.post = post

    def get_multiquotes(self, symbols):
        quotes = []
        for i in range(0, len(symbols), 20):
            quotes += self._feed(symbols[i : i + 20])
        return quotes

    def _feed(self, symbols):
        request, names, out = [], {}, []
        for item in symbols:
            try:
                token = int(get_token(item["symbol"], item["exchange"]))
            except TypeError:
                out.append({**item, "error": "unknown"})
                continue
            exch, exch_type = CODES[item["exchange"]]
            request.append({"Exch": exch, "ExchType": exch_type, "ScripCode": token})
            names[exch, exch_type, token] = item
        for row in self.post("V1/MarketFeed", {"MarketFeedData": request})["body"]["Data"]:
            item = names.get((row["Exch"], row["ExchType"], row["Token"]))
            if item:
                out.append({**item, "ltp": row["LastRate"]})
        return out

    def get_depth(self, symbol, exchange):
        token = get_token(symbol, exchange)
        if not token:
            raise ValueError(f"unknown: {symbol}")
        exch, exch_type = CODES[exchange]
        body = {"Exchange": exch, "ExchangeType": exch_type, "ScripCode": token}
        body["ScripData"] = get_br_symbol(symbol, exchange)
        book = self.post("V2/MarketDepth", body)["body"]["MarketDepthData"]
        return {
            "bids": [level for level in book if level["BbBuySellFlag"] == 66],
            "asks": [level for level in book if level["BbBuySellFlag"] == 83],
        }

    def depths(self, symbols):
        """Depth of a whole watchlist; ten requests under way at a time."""
        books = {}
        with ThreadPoolExecutor(max_workers=10) as executor:
            pending = {
                executor.submit(self.get_depth, item["symbol"], item["exchange"]): item
                for item in symbols
            }
            for future in as_completed(pending):
                item = pending[future]
                key = f"{item['exchange']}:{item['symbol']}"
                try:
                    books[key] = future.result()
                except ValueError as e:
                    books[key] = str(e)
        return [books[key] for key in sorted(books)]

    def movers(self, codes):
        """"N|D|54321" of the movers page."""
        names = []
        for code in codes:
            parts = code.split("|")
            if len(parts) != 3:
                continue
            exchange = next(k for k, v in CODES.items() if list(v) == parts[:2])
            symbol = get_symbol(parts[2], exchange)
            if symbol is None and exchange in ("NSE", "BSE"):
                symbol = get_symbol(parts[2], exchange + "_INDEX")
            names.append(symbol or code)
        return names
