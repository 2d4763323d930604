from tests.lookahead.brokers.hematite.mapping.order_data import map_exchange
from tests.lookahead.brokers.hematite.mapping.transform_data import CODES
from tests.lookahead.token_db import get_symbol, get_token


class HematiteAdapter:
    def __init__(self):
        self.scrips = {}
        self.out = []

    def subscribe(self, symbols):
        data = []
        for item in symbols:
            if not item.get("symbol"):
                continue
            token = get_token(item["symbol"], item["exchange"])
            if token is None:
                continue
            exch, exch_type = CODES[item["exchange"]]
            data.append({"Exch": exch, "ExchType": exch_type, "ScripCode": int(token)})
            self.scrips[int(token)] = item
        return {"Method": "MarketFeedV3", "Operation": "Subscribe", "MarketFeedData": data}

    def on_data(self, ticks):
        for tick in ticks:
            item = self.scrips.get(tick["Token"])
            if item:
                self.out.append((item["exchange"], item["symbol"], tick["LastRate"]))
                continue
            exchange = map_exchange(tick["Exch"], tick["ExchType"])
            symbol = get_symbol(str(tick["Token"]), exchange)
            if symbol:
                self.out.append((exchange, symbol, tick["LastRate"]))
        return self.out
