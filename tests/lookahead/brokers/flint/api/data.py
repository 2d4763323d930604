import logging
from concurrent.futures import ThreadPoolExecutor

from tests.lookahead.brokers.flint.api.order_api import call
from tests.lookahead.brokers.flint.mapping.util import as_float, scrip
from tests.lookahead.token_db import get_br_symbol, get_token

logger = logging.getLogger(__name__)


class BrokerData:
    def __init__(self, noren):
        self.noren = noren

    def get_quotes(self, symbol, exchange):
        token = get_token(symbol, exchange)
        if token is None:
            return None
        name = get_br_symbol(symbol, exchange)
        api_exchange = "NSE" if exchange == "NSE_INDEX" else exchange
        quote = call(self.noren, "GetQuotes", exch=api_exchange, token=token)
        if quote["stat"] != "Ok":
            return None
        return {"name": name, "ltp": as_float(quote["lp"]), "bid": as_float(quote.get("bp1"))}

    def get_multiquotes(self, symbols):
        """Flint has no call for many: one each, ten at a time."""
        results = []
        for i in range(0, len(symbols), 20):
            chunk = symbols[i : i + 20]
            with ThreadPoolExecutor(max_workers=10) as pool:
                quotes = list(
                    pool.map(lambda item: self.get_quotes(item["symbol"], item["exchange"]), chunk)
                )
            for item, quote in zip(chunk, quotes):
                results.append({**item, "data": quote})
        return results

    def get_history(self, items):
        series = {}
        for item in items:
            try:
                exch, token = scrip(item["symbol"], item["exchange"]).split("|")
            except KeyError as e:
                logger.debug("no series: %s", e)
                continue
            answer = call(self.noren, "TPSeries", exch=exch, token=token)
            series[item["symbol"]] = [
                (bar["time"], as_float(bar["intc"])) for bar in reversed(answer) if bar["stat"] == "Ok"
            ]
        return series

    def get_depth(self, items):
        """Five levels each; stops at the first instrument that is gone."""
        books = []
        for item in items:
            token = get_token(item["symbol"], item["exchange"])
            if not token:
                books.append(None)
                break
            quote = call(self.noren, "GetQuotes", exch=item["exchange"], token=token)
            books.append([as_float(quote.get(f"bp{n}")) for n in range(1, 6)])
        return books
