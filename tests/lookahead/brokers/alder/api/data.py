"""Quotes, chain and candles of Alder."""

import logging
from concurrent.futures import ThreadPoolExecutor, as_completed

from tests.lookahead.token_db import get_br_symbol, get_token

logger = logging.getLogger(__name__)

BATCH = 25


class AlderData:
    def __init__(self, client):
        self.client = client
        self.bars = {"D": "day", "5m": "5minute"}

    def get_multiquotes(self, symbols):
        results = []
        for start in range(0, len(symbols), BATCH):
            results.extend(self._quotes_batch(symbols[start : start + BATCH]))
        return results

    def _quotes_batch(self, batch):
        keys = []
        back = {}
        for item in batch:
            br = get_br_symbol(item["symbol"], item["exchange"])
            if not br:
                logger.debug("quote: skipping %s", item)
                continue
            key = item["exchange"] + ":" + br
            keys.append(key)
            back[key] = item
        quotes = self.client.get("/quote", params={"i": keys}).json()["result"]
        out = []
        for key in keys:
            q = quotes.get(key)
            if q is None:
                continue
            out.append({**back[key], "ltp": q["ltp"], "volume": q["vol"]})
        return out

    def get_histories(self, instruments, interval="D"):
        """Last close by symbol, several at a time."""
        closes = {}
        errors = []
        with ThreadPoolExecutor(max_workers=10) as executor:
            futures = {
                executor.submit(self._last_close, i["symbol"], i["exchange"], interval): i
                for i in instruments
            }
            for future in as_completed(futures):
                inst = futures[future]
                try:
                    closes[inst["exchange"] + ":" + str(inst["symbol"])] = future.result()
                except LookupError as e:
                    errors.append(str(e))
        return {"closes": dict(sorted(closes.items())), "errors": sorted(errors)}

    def _last_close(self, symbol, exchange, interval):
        token = get_token(symbol, exchange)
        if token is None:
            raise LookupError("no token for %s on %s" % (symbol, exchange))
        path = "/candles/%s/%s" % (token, self.bars[interval])
        return self.client.get(path).json()["result"][-1][4]


def get_option_chain(client, underlying, expiry, strikes, exchange="NFO"):
    chain = []
    for strike in strikes:
        row = {"strike": strike}
        for side in ("CE", "PE"):
            symbol = "%s%s%g%s" % (underlying, expiry, strike, side)
            token = get_token(symbol, exchange)
            if token:
                row[side.lower()] = {"symbol": symbol, "token": int(token)}
            else:
                row[side.lower()] = None
        chain.append(row)
    ids = [leg["token"] for row in chain for leg in (row["ce"], row["pe"]) if leg]
    ltps = client.get("/ltp", params={"i": ids}).json()["result"]
    for row in chain:
        for leg in (row["ce"], row["pe"]):
            if leg:
                leg["ltp"] = ltps[str(leg["token"])]["ltp"]
    return chain
