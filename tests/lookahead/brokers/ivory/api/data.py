import logging
from concurrent.futures import ThreadPoolExecutor

from tests.lookahead.brokers.ivory.mapping.segments import REVERSE
from tests.lookahead.token_db import get_br_symbol, get_token

logger = logging.getLogger(__name__)


class BrokerData:
    CHUNK = 10

    def __init__(self, http):
        self.http = http

    def _chunk(self, symbols):
        """Quotes of up to ten instruments, in one request."""
        queries = {}
        for item in symbols:
            exchange = item["exchange"]
            if exchange.endswith("INDEX"):
                # indices go by name
                ident = get_br_symbol(item["symbol"], exchange)
            else:
                ident = get_token(item["symbol"], exchange)
            if ident:
                queries[f"{REVERSE[exchange]}|{ident}"] = item
        rows = []
        for quote in self.http("/quotes", ",".join(queries)):
            item = queries.get(f"{quote['exchange']}|{quote['exchange_token']}")
            if item is not None:
                rows.append({**item, "ltp": float(quote["ltp"])})
        return rows

    def get_multiquotes(self, symbols):
        chunks = [symbols[i : i + self.CHUNK] for i in range(0, len(symbols), self.CHUNK)]
        with ThreadPoolExecutor(max_workers=10) as pool:
            return [row for rows in pool.map(self._chunk, chunks) for row in rows]

    def get_quotes(self, symbols):
        """The same, one after the other."""
        quotes = []
        for item in symbols:
            token = get_token(item["symbol"], item["exchange"])
            if not token:
                quotes.append(None)
                continue
            answer = self.http("/quotes", f"{REVERSE[item['exchange']]}|{token}")
            quotes.append(float(answer[0]["ltp"]) if answer else None)
        return quotes
