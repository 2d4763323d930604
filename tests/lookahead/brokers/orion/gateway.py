"""The session of a user with Orion, and what it does with the account's lists."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.lookahead.brokers.orion.models import MARKETS, Leg, Strike, UnknownInstrument
from tests.lookahead.token_db import get_oa_symbol, get_token


class Gateway:
    def __init__(self, http):
        self.http = http
        self.positions = []
        self.errors = Counter()

    def refresh(self):
        self.positions = self.http.get("positions")["positionList"]
        return self

    def _close(self, position):
        exchange = MARKETS.get(position["market"], position["market"])
        symbol = get_oa_symbol(brsymbol=position["scrip"], exchange=exchange)
        if not symbol:
            return {"status": "error", "message": f"no symbol for {position['scrip']!r}"}
        if not position["net"]:
            return {"status": "flat", "symbol": symbol}
        return self._send(symbol, exchange, -position["net"])

    def _send(self, symbol, exchange, quantity):
        token = get_token(symbol, exchange)
        return {
            "status": "success",
            "symbol": symbol,
            "ref": self.http.post("orders", {"token": token, "quantity": quantity})["ref"],
        }

    def close_all(self):
        with ThreadPoolExecutor(10) as pool:
            return list(pool.map(self._close, self.positions))

    def place(self, **order):
        try:
            leg = Leg(**order)
        except UnknownInstrument as error:
            return {"status": "error", "message": f"unknown: {error}"}
        return {"status": "success", **self.http.post("orders", leg.payload())}

    def basket(self, orders):
        with ThreadPoolExecutor(10) as pool:
            return [
                future.result() for future in [pool.submit(self.place, **order) for order in orders]
            ]

    def rebalance(self, targets):
        """Orders that bring the book from where it is to `targets`."""
        book = {}
        for position in self.positions:
            try:
                exchange = MARKETS[position["market"]]
                position["scrip"] = get_oa_symbol(position["scrip"], exchange)
                book[position["scrip"], exchange] = position["net"]
            except KeyError:
                self.errors[position["market"]] += 1
        orders = []
        for (symbol, exchange), wanted in targets.items():
            delta = wanted - book.get((symbol, exchange), 0)
            if delta and (token := get_token(symbol, exchange)):
                orders.append({"token": int(token), "delta": delta})
        return orders

    def chain(self, name, expiry, strikes):
        for strike in strikes:
            pair = Strike(name, expiry, strike)
            call, put = pair.call, pair.put
            if call is None and put is None:
                continue
            yield strike, *(leg and (leg.symbol, self.http.ltp(leg.token)) for leg in (call, put))
