import json
import logging

from tests.lookahead.brokers.granite.mapping.instruments import Instrument
from tests.lookahead.token_db import get_br_symbol, get_token

logger = logging.getLogger(__name__)


class BrokerData:
    def __init__(self, xts):
        self.xts = xts

    def get_multiquotes(self, symbols, batch_size=50):
        quotes = []
        for i in range(0, len(symbols), batch_size):
            quotes.extend(self._batch(symbols[i : i + batch_size]))
        return quotes

    def _batch(self, symbols):
        wanted = {}
        for item in symbols:
            instrument = Instrument.find(item["symbol"], item["exchange"].replace("_INDEX", ""))
            if instrument is None and item["exchange"].endswith("_INDEX"):
                # indices have tokens of their own table
                instrument = Instrument.find(item["symbol"], item["exchange"])
            if instrument is None:
                continue
            wanted[f"{instrument.segment}_{instrument.instrument_id}"] = (item, instrument)
        body = {"instruments": [i.body() for _, i in wanted.values()], "xtsMessageCode": 1502}
        answer = self.xts.post("/apimarketdata/instruments/quotes", body)
        out = []
        # each quote is JSON in JSON
        for text in answer["result"]["listQuotes"]:
            quote = json.loads(text)
            key = f"{quote['ExchangeSegment']}_{quote['ExchangeInstrumentID']}"
            item, _ = wanted[key]
            out.append({**item, "ltp": quote["Touchline"]["LastTradedPrice"]})
        return out

    def get_history(self, items):
        """Candles come as text: "ts|o|h|l|c|v|oi|,ts|o|..."."""
        closes = []
        for item in items:
            try:
                token = int(get_token(item["symbol"], item["exchange"]))
                br_symbol = get_br_symbol(item["symbol"], item["exchange"])
                answer = self.xts.get(f"/apimarketdata/instruments/ohlc?id={token}")
                bars = [bar.split("|") for bar in answer["result"]["dataReponse"].split(",")]
                closes.append((br_symbol.lower(), [float(bar[4]) for bar in bars]))
            except Exception as e:
                logger.info("no history of %s: %s", item["symbol"], e)
        return closes
