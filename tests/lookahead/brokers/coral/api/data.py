import logging

from tests.lookahead.brokers.coral.mapping.lookup import instrument_kind
from tests.lookahead.brokers.coral.mapping.transform_data import map_exchange_type
from tests.lookahead.token_db import get_brexchange, get_token

logger = logging.getLogger(__name__)


class BrokerData:
    def __init__(self, api):
        self.api = api

    def get_multiquotes(self, symbols, batch_size=20):
        results = []
        for i in range(0, len(symbols), batch_size):
            try:
                results.extend(self._batch(symbols[i : i + batch_size]))
            except ConnectionError as e:
                logger.info("batch at %s failed: %s", i, e)
        return results

    def _batch(self, symbols):
        payload = {}
        by_id = {}
        bad = []
        for item in symbols:
            segment = map_exchange_type(item["exchange"])
            token = get_token(item["symbol"], item["exchange"])
            if token and segment:
                payload.setdefault(segment, []).append(int(token))
                by_id[segment, token] = item
            else:
                bad.append({**item, "error": "Could not resolve"})
        answer = self.api.post("/marketfeed/quote", payload)["data"]
        good = []
        for (segment, token), item in by_id.items():
            quote = answer.get(segment, {}).get(token)
            if quote is None:
                bad.append({**item, "error": "No data"})
            else:
                good.append({**item, "ltp": quote["last_price"], "oi": quote.get("oi", 0)})
        return good + bad

    def get_history(self, symbol, exchange):
        security_id = get_token(symbol, exchange)
        if not security_id:
            return None
        kind = instrument_kind(symbol, exchange)
        brexchange = get_brexchange(symbol, exchange)
        body = {
            "securityId": security_id,
            "exchangeSegment": map_exchange_type(exchange),
            "venue": brexchange,
            "instrument": kind,
        }
        chart = self.api.post("/charts/historical", body)
        return list(zip(chart["timestamp"], chart["close"]))

    def last_closes(self, symbols):
        closes = []
        for item in symbols:
            bars = self.get_history(item["symbol"], item["exchange"])
            if not bars:
                closes.append(None)
                continue
            closes.append(bars[-1][1])
        return closes
