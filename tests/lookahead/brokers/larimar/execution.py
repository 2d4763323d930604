"""Execution at Larimar: baskets, margin, cancelling, chains, the feed."""

import logging
from concurrent import futures

from tests.lookahead.brokers.larimar.core import (
    VENUES,
    GatewayFailure,
    InstrumentDirectory,
    number,
    split_pair,
)
from tests.lookahead.token_db import get_br_symbol, get_brexchange, get_oa_symbol, get_token

logger = logging.getLogger(__name__)

VENUE_OF = {exchange: venue for venue, exchange in VENUES.items()}


class ExecutionService:
    """Turns the application's orders into Larimar's, and sends them."""

    def __init__(self, session):
        self.session = session
        self.directory = InstrumentDirectory()

    def _ticket(self, order):
        token, name = self.directory.listing(order["symbol"], order["exchange"])
        return {
            "instrument": {
                "venue": VENUE_OF.get(order["exchange"]),
                "id": int(token),
                "code": name,
            },
            "side": "LONG" if order["action"] == "BUY" else "SHORT",
            "quantity": int(order["quantity"]),
        }

    def _execute(self, order):
        try:
            ticket = self._ticket(order)
            reply = self.session.request("POST", "/tickets", ticket)
        except GatewayFailure as failure:
            return {"ok": False, "reason": str(failure)}
        return {"ok": True, "ticket": reply["ticket"]}

    def basket(self, orders):
        replies = []
        with futures.ThreadPoolExecutor(10) as pool:
            for order, reply in zip(orders, pool.map(self._execute, orders), strict=True):
                reply["symbol"] = order["symbol"]
                replies.append(reply)
        return replies

    def _name_pair(self, place, pair):
        exchange, symbol = split_pair(pair)
        name = get_br_symbol(symbol=symbol, exchange=exchange)
        return place, pair, name

    def multi_quotes(self, pairs):
        """Names in ten threads, then one request for all."""
        named = []
        with futures.ThreadPoolExecutor(max_workers=10) as pool:
            jobs = [pool.submit(self._name_pair, place, pair) for place, pair in enumerate(pairs)]
            for job in futures.as_completed(jobs):
                named.append(job.result())
        named.sort()
        known = [(pair, name) for _, pair, name in named if name]
        reply = self.session.request("POST", "/quotes", {"codes": [name for _, name in known]})
        quotes = {pair: reply["quotes"].get(name) for pair, name in known}
        return {"quotes": quotes, "unknown": [pair for _, pair, name in named if not name]}

    def flatten(self):
        """Closes every open position with the opposite ticket."""
        book = self.session.request("GET", "/positions", None)
        tickets = []
        problems = []
        for row in book.get("items", []):
            quantity = int(row.get("quantity") or 0)
            if quantity == 0:
                continue
            instrument = row["instrument"]
            symbol = self.directory.symbol_by_instrument(instrument)
            if not symbol:
                problems.append(row["ref"])
                continue
            try:
                tickets.append(self._ticket({
                    "symbol": symbol,
                    "exchange": VENUES[instrument["venue"]],
                    "action": "SELL" if row["side"] == "LONG" else "BUY",
                    "quantity": quantity,
                }))
            except (GatewayFailure, KeyError) as failure:
                problems.append(repr(failure))
        answers = [self.session.request("POST", "/tickets", ticket)["ticket"] for ticket in tickets]
        return {"answers": answers, "problems": problems}

    def withdraw(self, only=None):
        """Withdraws working orders, of one exchange or of all."""
        report = {"withdrawn": [], "kept": 0, "failed": []}
        for page in self.session.request("GET", "/orders", None)["pages"]:
            for row in page["items"]:
                if row["state"] not in ("WORKING", "HELD"):
                    report["kept"] += 1
                    continue
                code = row["instrument"]["code"].strip().upper()
                exchange = VENUES[row["instrument"]["venue"]]
                if only and exchange != only:
                    report["kept"] += 1
                    continue
                symbol = get_oa_symbol(code, exchange) or code
                reply = self.session.request("DELETE", row["ref"], None)
                report["withdrawn" if reply["ok"] else "failed"].append(symbol)
        return report


def execute_basket(session, orders):
    return ExecutionService(session).basket(orders)


def fetch_multi_quotes(session, pairs):
    return ExecutionService(session).multi_quotes(pairs)


def flatten_account(session):
    return ExecutionService(session).flatten()


def withdraw_all(session, only):
    return ExecutionService(session).withdraw(only)


def margin_request(strategy):
    """Body for the margin of a strategy: legs with their venue as the contract names it."""
    legs = []
    notes = []
    for name, leg in strategy["legs"].items():
        symbol, exchange = leg["symbol"], leg["exchange"]
        if not symbol:
            notes.append(f"{name}: empty")
            continue
        token = get_token(symbol, exchange)
        if not token:
            notes.append(f"{name}: {symbol} unknown")
            continue
        venue = get_brexchange(symbol, exchange)
        legs.append({
            "leg": name,
            "id": int(token),
            "code": get_br_symbol(symbol, exchange),
            "venue": VENUE_OF.get(venue, venue),
            "quantity": leg["quantity"] * (1 if leg["action"] == "BUY" else -1),
        })
    return {"legs": legs, "notes": notes, "net": sum(leg["quantity"] for leg in legs)}


def chain_sheet(reply, around):
    """The strikes of a chain next to a price, nearest first."""
    ranked = sorted(reply["contracts"], key=lambda entry: (abs(entry["strike"] - around), entry["code"]))
    sheet = []
    for entry in ranked[:40]:
        code = entry["code"].replace(" ", "")
        symbol = get_oa_symbol(brsymbol=code, exchange="NFO")
        if symbol is None:
            logger.info("chain: %s", code)
            continue
        sheet.append({
            "symbol": symbol,
            "kind": symbol[-2:],
            "strike": number(entry["strike"]),
            "premium": number(entry["premium"]),
        })
    return sheet


class LarimarSocketAdapter:
    """Subscriptions by exchange; one frame for each venue."""

    def __init__(self):
        self.directory = InstrumentDirectory()
        self.routes = {}
        self.errors = []

    def subscribe(self, symbols):
        by_venue = {}
        for symbol_info in symbols:
            try:
                symbol = symbol_info["symbol"].strip().upper()
                exchange = symbol_info.get("exchange", "NSE")
            except (AttributeError, KeyError):
                self.errors.append("no symbol")
                continue
            route = self._route(symbol, exchange)
            if route is None:
                self.errors.append(symbol)
                continue
            venue, token = route
            self.routes[token] = f"{exchange}:{symbol}"
            by_venue.setdefault(venue, []).append(token)
        return [{"venue": venue, "ids": ids} for venue, ids in sorted(by_venue.items())]

    def _route(self, symbol, exchange):
        venue = self._venue(symbol, exchange)
        token = get_token(symbol, exchange)
        if venue is None or token is None:
            return None
        return venue, int(token)

    def _venue(self, symbol, exchange):
        return self.directory.venue_of(symbol, exchange)


def subscribe_feed(symbols):
    adapter = LarimarSocketAdapter()
    frames = adapter.subscribe(symbols)
    return {"frames": frames, "routes": adapter.routes, "errors": adapter.errors}
