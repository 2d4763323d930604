import logging

import pandas as pd

from tests.lookahead.brokers.dolomite.mapping.util import ticker_of
from tests.lookahead.token_db import get_br_symbol, get_symbol_info

logger = logging.getLogger(__name__)


class BrokerData:
    def __init__(self, http):
        self.http = http

    def get_multiquotes(self, symbols):
        SIZE = 20
        quotes = []
        for i in range(0, len(symbols), SIZE):
            batch = symbols[i : i + SIZE]
            tickers = {}
            for item in batch:
                ticker = ticker_of(item["symbol"], item["exchange"])
                if ticker:
                    tickers[ticker] = item
                else:
                    quotes.append({**item, "error": "Symbol not found"})
            answer = self.http("GET", "/quotes", list(tickers))
            for d in answer["d"]:
                item = tickers[d["n"]]
                if d["s"] != "ok":
                    quotes.append({**item, "error": d["s"]})
                    continue
                quotes.append({**item, "ltp": d["v"]["lp"], "bid": d["v"]["bid"]})
        return quotes

    def history_frame(self, items):
        """Daily bars of several symbols in one frame; the summary by symbol."""
        frames = []
        for item in items:
            try:
                ticker = ticker_of(item["symbol"], item["exchange"])
                candles = self.http("GET", "/history", {"symbol": ticker})["candles"]
                df = pd.DataFrame(candles, columns=["ts", "close"])
                df["symbol"] = item["symbol"]
                frames.append(df)
            except KeyError as e:
                logger.info("no history for %s: %s", item, e)
        if not frames:
            return []
        df = pd.concat(frames)
        mean = df.groupby("symbol", sort=True)["close"].mean()
        return mean.round(3).reset_index().to_dict("records")

    def get_option_chain(self, underlying, expiry, strikes, exchange="NFO"):
        """Calls and puts by strike; strikes of which one side is missing are left out."""
        chain = []
        for strike in strikes:
            text = f"{strike:g}"
            ce_symbol = f"{underlying}{expiry}{text}CE"
            pe_symbol = f"{underlying}{expiry}{text}PE"
            ce = get_br_symbol(ce_symbol, exchange)
            pe = get_br_symbol(pe_symbol, exchange)
            if not ce or not pe:
                continue
            info = get_symbol_info(ce_symbol, exchange)
            answer = self.http("GET", "/quotes", [f"NSE:{ce}", f"NSE:{pe}"])["d"]
            chain.append({"strike": info.strike, "lot": info.lotsize, "ce": answer[0], "pe": answer[1]})
        return chain
