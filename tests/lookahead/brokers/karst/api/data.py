import logging
from concurrent.futures import ThreadPoolExecutor, as_completed

from tests.lookahead.token_db import get_brexchange, get_token

logger = logging.getLogger(__name__)


class BrokerData:
    def __init__(self, rest):
        self.rest = rest

    def _one(self, symbol, exchange):
        token = get_token(symbol, exchange)
        if not token:
            raise LookupError(f"no token for {symbol}")
        where = get_brexchange(symbol, exchange)
        quote = self.rest("ScripDetails/getScripQuoteDetails", {"exch": where, "symbol": token})
        if quote.get("stat") != "Ok":
            raise LookupError(quote.get("Emsg"))
        return {"ltp": float(quote["LTP"]), "prev_close": float(quote["PrvClose"])}

    def get_multiquotes(self, symbols):
        """A request for each symbol, ten at a time."""
        results = [None] * len(symbols)
        with ThreadPoolExecutor(max_workers=10) as executor:
            futures = {}
            for n, item in enumerate(symbols):
                futures[executor.submit(self._one, item["symbol"], item["exchange"])] = n
            for future in as_completed(futures):
                n = futures[future]
                try:
                    results[n] = {**symbols[n], "data": future.result()}
                except LookupError as e:
                    results[n] = {**symbols[n], "error": str(e)}
        return results

    def get_history(self, items):
        bars = []
        for item in items:
            try:
                token = get_token(item["symbol"], item["exchange"])
                exchange = item["exchange"]
                if exchange in ("NSE_INDEX", "BSE_INDEX"):
                    exchange = exchange.replace("_INDEX", "::index")
                answer = self.rest("chart/history", {"token": int(token), "exchange": exchange})
                bars.append((item["symbol"], len(answer["result"]), answer["result"][-1]["close"]))
            except (TypeError, KeyError, IndexError) as e:
                logger.debug("history of %s: %s", item, e)
        return bars
