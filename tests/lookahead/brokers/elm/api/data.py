import logging

from tests.lookahead.brokers.elm.mapping.ticker import HOUSES, ticker_of
from tests.lookahead.token_db import get_oa_symbol, get_symbol_info

logger = logging.getLogger(__name__)


class ElmQuotes:
    def __init__(self, client, rows):
        self.client = client
        self.rows = rows
        self.tickers = []

    def prepare(self):
        for row in self.rows:
            try:
                row["ticker"] = ticker_of(row["symbol"], row["exchange"])
            except ValueError:
                row["ticker"] = None
                continue
            self.tickers.append(row["ticker"])

    def fetch(self):
        at = 0
        prices = {}
        while at < len(self.tickers):
            part = self.tickers[at : at + 30]
            prices.update(self.client.fetch("quotes?symbols=" + ",".join(part))["d"])
            at += 30
        return [prices.get(row["ticker"]) for row in self.rows]


def quotes(client, rows):
    job = ElmQuotes(client, rows)
    job.prepare()
    return job.fetch()


def chain_rows(client, underlying, exchange="NFO"):
    out = []
    body = client.fetch("chain?symbol=" + underlying)
    for side, legs in body["optionsChain"].items():
        for leg in legs[:40]:
            name = get_oa_symbol(leg["ticker"].partition(":")[2], exchange)
            if name is None:
                continue
            info = get_symbol_info(name, exchange)
            out.append((side, info.strike, name, leg["ltp"], info.lotsize))
    return sorted(out)


def history_index(candles):
    """First and last time of each instrument in a dict of candles keyed by our 'EXCH:NAME'."""
    index = {}
    for key, bars in candles.items():
        exchange, _, symbol = key.partition(":")
        info = get_symbol_info(symbol, exchange)
        if info is None or not bars:
            continue
        index[HOUSES[exchange] + ":" + info.brsymbol] = (bars[0][0], bars[-1][0])
    return index
