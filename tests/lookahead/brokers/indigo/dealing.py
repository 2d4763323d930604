"""Dealing at Indigo: baskets, quotes, feeds, cancelling."""

import concurrent.futures
import logging
import threading

from tests.lookahead.brokers.indigo.codes import (
    CODES,
    MARKETS,
    IndigoError,
    key_of_symbol,
    rupees,
)
from tests.lookahead.token_db import get_br_symbol, get_symbol, get_token

log = logging.getLogger(__name__)


class Dealer:
    """Deals for one client."""

    def __init__(self, http, client_code):
        self.http = http
        self.client_code = client_code
        self.sequence = 0

    def _ticket(self, request):
        key = key_of_symbol(request["symbol"], request["exchange"])
        market, instrument = key.split("|")
        return {
            "ClientCode": self.client_code,
            "Market": int(market),
            "Instrument": int(instrument),
            "Side": 1 if request["action"] == "BUY" else 2,
            "Qty": int(request["quantity"]),
        }

    def deal(self, numbered):
        """Worker of a pool: takes (place, request)."""
        place, request = numbered
        outcome = {"place": place, "symbol": request.get("symbol")}
        try:
            ticket = self._ticket(request)
        except IndigoError as error:
            outcome["error"] = str(error)
            return outcome
        answer = self.http.post("order", ticket)
        outcome["reference"] = answer["Reference"]
        return outcome

    def deal_all(self, requests):
        executor = concurrent.futures.ThreadPoolExecutor(10)
        try:
            outcomes = list(executor.map(self.deal, enumerate(requests)))
        finally:
            executor.shutdown(wait=True)
        return sorted(outcomes, key=lambda outcome: outcome["place"])

    def quotes_in_parallel(self, instruments):
        """One request per instrument, answers sorted by place."""
        collected = {}
        with concurrent.futures.ThreadPoolExecutor(max_workers=10) as pool:
            waiting = {
                pool.submit(self._one_quote, item["symbol"], item["exchange"]): place
                for place, item in enumerate(instruments)
            }
            for done in concurrent.futures.as_completed(waiting):
                collected[waiting[done]] = done.result()
        return [collected[place] for place in range(len(instruments))]

    def _one_quote(self, symbol, exchange):
        token = get_token(symbol, exchange)
        if not token:
            return {"symbol": symbol, "exchange": exchange, "error": "no token"}
        quote = self.http.get("quote", key=f"{CODES[exchange]}|{token}")
        return {"symbol": symbol, "exchange": exchange, "ltp": rupees(quote["Ltp"])}

    def cancel_everything(self):
        """Cancels order by order and tells what was cancelled by symbol."""
        book = self.http.get("orders")
        cancelled = []
        errors = []
        for order in book["Body"][::-1]:
            if order.get("State") not in {"Open", "Parked"}:
                continue
            try:
                reply = self.http.post("cancel", {"Instrument": order["Id"]})
                exchange = MARKETS[order["Market"]]
                name = get_symbol(f"{order['Instrument']}", exchange)
                cancelled.append((reply["Reference"], name if name is not None else order["Label"]))
            except KeyError as error:
                errors.append(f"order {order.get('Id')}: {error}")
        return {"cancelled": cancelled, "errors": errors}


def deal_basket(http, requests):
    return Dealer(http, "C77").deal_all(requests)


def parallel_quotes(http, instruments):
    return Dealer(http, "C78").quotes_in_parallel(instruments)


def cancel_everything(http):
    return Dealer(http, "C79").cancel_everything()


def margin_legs(basket):
    """Legs of several strategies; each strategy is priced on its own."""
    strategies = []
    for strategy in basket["strategies"]:
        legs = []
        broken = False
        for leg in strategy["legs"]:
            name = get_br_symbol(leg["symbol"], leg["exchange"])
            if name is None:
                broken = True
                break
            legs.append({"Name": name, "Market": CODES[leg["exchange"]], "Qty": leg["quantity"]})
        strategies.append({"id": strategy["id"], "legs": [] if broken else legs, "broken": broken})
    return strategies


class TickRouter:
    """Websocket side: subscribes keys, and gives ticks their symbols."""

    def __init__(self):
        self._lock = threading.RLock()
        self._by_key = {}
        self.rejected = []

    def subscribe(self, symbols):
        added = []
        for text in symbols:
            exchange, _, symbol = text.partition(":")
            if not symbol:
                self.rejected.append(text)
                continue
            token = get_token(symbol.strip(), exchange.strip().upper())
            if token is None:
                self.rejected.append(text)
                continue
            key = f"{CODES.get(exchange.upper(), 0)}|{token}"
            with self._lock:
                if key in self._by_key:
                    continue
                self._by_key[key] = text
            added.append(key)
        return added

    def route(self, ticks):
        """Ticks that nobody subscribed are named by the contract."""
        named = []
        for tick in ticks:
            market, instrument = tick["k"].split("|")
            symbol = get_symbol(instrument, MARKETS.get(int(market)))
            if symbol is None:
                continue
            named.append({"symbol": symbol, "ltp": rupees(tick["p"])})
        return named


def subscribe_all(symbols):
    router = TickRouter()
    added = router.subscribe(symbols)
    return {"added": added, "rejected": router.rejected}


def route_ticks(ticks):
    return TickRouter().route(ticks)
