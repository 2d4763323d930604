"""The functions that the application calls."""

from collections import Counter
from operator import attrgetter

from tests.lookahead.brokers.orion.gateway import Gateway
from tests.lookahead.brokers.orion.models import (
    MARKETS,
    Holding,
    Leg,
    Listing,
    OrderRow,
    Subscription,
    Trade,
    UnknownInstrument,
)
from tests.lookahead.token_db import get_oa_symbol, get_token


def get_order_book(raw):
    return [OrderRow(**row).as_row() for row in raw["result"]]


def get_trade_book(raw):
    trades = map(Trade._make, raw["result"])
    return [
        trade._replace(
            scrip=get_oa_symbol(trade.scrip, MARKETS[trade.market]) or trade.scrip,
            market=MARKETS[trade.market],
        )
        for trade in list(trades)
        if trade.scrip
    ]


def get_positions(rows):
    """`rows` are PositionRow objects; they come back resolved and in order."""
    for row in rows:
        row.resolve()
    rows.sort()
    return [(row.scrip, row.market, round(row.net * row.ltp, 2)) for row in rows]


def get_holdings(account):
    worth = {}
    for entry in account.holdings:
        holding = Holding(
            entry["isin"], tuple(Listing(*pair) for pair in entry["listings"]), entry["qty"]
        )
        if holding.symbol:
            worth[holding.symbol] = worth.get(holding.symbol, 0) + holding.quantity
    return worth


def margin(legs):
    good, bad = [], []
    for leg in legs:
        try:
            good.append(Leg(**leg).payload())
        except UnknownInstrument as error:
            bad.append(str(error))
    return {"legs": good, "unknown": bad}


def close_all(http):
    return Gateway(http).refresh().close_all()


def basket(http, orders):
    return Gateway(http).basket(orders)


def rebalance(http, targets):
    gateway = Gateway(http).refresh()
    return gateway.rebalance(targets), dict(gateway.errors)


def option_chain(http, name, expiry, strikes):
    return {strike: [call, put] for strike, call, put in Gateway(http).chain(name, expiry, strikes)}


def quotes(http, wanted):
    """The answer's rows are in the order of the request; unknown ones are not asked."""
    known = [w for w in wanted if w["symbol"] and get_token(w["symbol"], w["exchange"])]
    body = [{"id": get_token(w["symbol"], w["exchange"]), "ex": w["exchange"]} for w in known]
    return [
        dict(w, ltp=price)
        for w, price in zip(known, http.post("quotes", body)["prices"], strict=True)
    ]


def subscribe(watchlist):
    subs = [Subscription(*pair) for pair in watchlist]
    return sorted({channel for sub in subs if (channel := sub.channel)})


def status_counts(raw):
    """How many orders there are per symbol and status."""
    rows = sorted((OrderRow(**row) for row in raw["result"]), key=attrgetter("status"))
    return {
        f"{symbol} {status}": count
        for (symbol, status), count in Counter((row.symbol, row.status) for row in rows).items()
    }


def find_open(raw, symbol, exchange):
    """The first pending order of a symbol, or None."""
    for row in raw["result"]:
        order = OrderRow(**row)
        if order.exchange != exchange or order.symbol != symbol:
            continue
        if order.status.lower() in ("new", "partial"):
            return order.as_row()
    return None
