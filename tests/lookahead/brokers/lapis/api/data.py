import logging
from itertools import islice

from tests.lookahead.brokers.lapis.mapping.symid import symid_of
from tests.lookahead.token_db import get_symbol_info, get_token

logger = logging.getLogger(__name__)


def batched(rows, size):
    rows = iter(rows)
    while batch := list(islice(rows, size)):
        yield batch


class BrokerData:
    def __init__(self, api):
        self.api = api

    def get_multiquotes(self, symbols):
        quotes = []
        for batch in batched(symbols, 25):
            back = {}
            for item in batch:
                if symid := symid_of(item["symbol"], item["exchange"]):
                    back[symid] = item
            answer = self.api.send("/api/mkt-data/quotes", {"symIds": sorted(back)})
            for row in answer["d"]:
                quotes.append({**back[row["symId"]], "ltp": row["ltp"]})
        return quotes

    def get_history(self, items):
        for item in items:
            token = get_token(item["symbol"], item["exchange"])
            if not token:
                yield {"symbol": item["symbol"], "bars": []}
                continue
            answer = self.api.send("/api/mkt-data/chart", {"listingId": f"{token}_{item['exchange']}"})
            yield {"symbol": item["symbol"], "bars": [bar[4] for bar in answer["d"]["bars"]]}

    def get_depth(self, items):
        """Best prices, rounded to the tick."""
        out = []
        for item in items:
            info = get_symbol_info(item["symbol"], item["exchange"])
            if info is None:
                out.append(None)
                continue
            row = self.api.send("/api/mkt-data/depth", {"listingId": f"{info.token}_{info.exchange}"})
            tick = info.tick_size or 0.05
            out.append((round(round(row["bid"] / tick) * tick, 4), info.lotsize))
        return out
