"""What Quasar's functions are called with."""

from dataclasses import dataclass, field
from random import Random

import pandas as pd

from tests.lookahead.brokers.quasar import books, session
from tests.lookahead.brokers.quasar.ledger import VENUES, Ledger
from tests.lookahead.contract import Case

VENUE_OF = {exchange: venue for venue, exchange in VENUES.items()}


@dataclass
class Http:
    pages: dict = field(default_factory=dict)

    def price(self, token):
        return int(token) % 1511 / 8

    def post(self, what, name, quantity):
        return f"Q-{what}-{name}-{quantity}"


def some(contract, seed, *exchanges):
    share = 50 // len(exchanges)
    rows = [s for n, ex in enumerate(exchanges) for s in contract.pick(seed + n, share, ex)]
    Random(seed).shuffle(rows)
    return [*rows, rows[5], rows[5], rows[17]]


def positions(contract, seed, *exchanges, blanks=(None, "")):
    book = {"code": [], "venue": [], "net": []}
    for n, s in enumerate(some(contract, seed, *exchanges)):
        book["code"].append(s.brsymbol)
        book["venue"].append(VENUE_OF[s.exchange])
        book["net"].append((n % 4 - 1) * s.lotsize)
    for at, odd in zip(
        (2, 13, 24, 9, 35), ("ABSENTCO", "ABSENT26AUGFUT", "_", *blanks), strict=True
    ):
        book["code"][at] = odd
    return book


def position_frame(contract, seed, *exchanges):
    book = positions(contract, seed, *exchanges, blanks=("", ""))
    return pd.DataFrame({**book, "ltp": [10.0 + n / 4 for n in range(len(book["code"]))]})


def token_frame(contract, seed, *exchanges, numbers=False):
    rows = some(contract, seed, *exchanges)
    found = [s.token for s in rows]
    found[3], found[21], found[30] = "50000001", "50000002", "50000003"
    if numbers:
        found = [int(token) for token in found]
        found[11] = 0
    else:
        found[11] = found[26] = ""
    return pd.DataFrame(
        {
            "token": found,
            "venue": [VENUE_OF[s.exchange] for s in rows],
            "quantity": [n + 1 for n in range(len(rows))],
            "price": [100.0 + n for n in range(len(rows))],
        }
    )


def ledger(contract, seed, *exchanges):
    rows = [
        {
            "id": n,
            "code": s.brsymbol,
            "venue": VENUE_OF[s.exchange],
            "token": s.token,
            "side": "BS"[n % 2],
            "quantity": s.lotsize,
            "state": ("PENDING", "DONE", "PENDING", "VOID")[n % 4],
        }
        for n, s in enumerate(some(contract, seed, *exchanges), start=1)
    ]
    for at, odd in ((4, "ABSENTCO"), (15, "ABSENT26AUGFUT"), (8, None), (28, "")):
        rows[at]["code"] = odd
    for at, odd in ((6, "50000001"), (22, "50000002"), (8, None), (33, "")):
        rows[at]["token"] = odd
    return Ledger(rows)


def orders(contract, seed, *exchanges):
    rows = [
        {"symbol": s.symbol, "exchange": s.exchange, "quantity": 2 * s.lotsize}
        for s in some(contract, seed, *exchanges)
    ]
    for at, odd in ((1, "ABSENTCO"), (18, "ABSENT29SEP26FUT"), (40, "_"), (10, None), (27, "")):
        rows[at]["symbol"] = odd
    return rows


def pairs(contract, seed, *exchanges):
    return [(row["symbol"], row["exchange"]) for row in orders(contract, seed, *exchanges)]


def ladder(contract):
    """The page of the longest series of the contract: a row per strike, codes of both legs."""
    series = {}
    for s in contract.by_exchange["NFO"]:
        if s.instrumenttype in ("CE", "PE"):
            sides = series.setdefault((s.name, s.expiry), {}).setdefault(s.strike, {})
            sides["call" if s.instrumenttype == "CE" else "put"] = s.brsymbol
    key = max(series, key=lambda each: (len(series[each]), each))
    rows = [
        {"strike": strike, "call": None, "put": None, **sides}
        for strike, sides in sorted(series[key].items())
    ]
    rows[3]["put"], rows[9]["call"], rows[5]["call"] = "ABSENT26AUG1PE", None, ""
    return Http({"chain": {key: rows}}), *key


def cases(contract):
    wanted = [s for s in some(contract, 407, "NSE", "NFO") if s.exchange == "NFO"][3].symbol
    return [
        Case(
            "quasar order book",
            books.order_book,
            lambda: (ledger(contract, 401, "NSE", "NFO").detached(),),
        ),
        Case(
            "quasar rename in ledger",
            books.rename_in_ledger,
            lambda: (ledger(contract, 402, "BSE", "NFO", "MCX"),),
        ),
        Case(
            "quasar position frame",
            books.position_frame,
            lambda: (position_frame(contract, 403, "NSE", "NFO"),),
        ),
        Case(
            "quasar trade frame",
            books.trade_frame,
            lambda: (token_frame(contract, 404, "NFO", "CDS"),),
        ),
        Case(
            "quasar holdings",
            books.holdings,
            lambda: (token_frame(contract, 405, "NSE", "BSE", numbers=True), [("CASH", 10.0)]),
        ),
        Case(
            "quasar by name",
            books.by_name,
            lambda: (position_frame(contract, 406, "NFO", "BFO"),),
        ),
        Case(
            "quasar pending for",
            books.pending_for,
            lambda: (ledger(contract, 407, "NSE", "NFO"), wanted),
        ),
        Case(
            "quasar basket",
            session.basket,
            lambda: (Http(), orders(contract, 408, "NSE", "NFO")),
        ),
        Case(
            "quasar close all",
            session.close_all,
            lambda: (Http({"positions": positions(contract, 409, "NSE", "NFO")}),),
        ),
        Case(
            "quasar margin",
            session.margin,
            lambda: (Http(), orders(contract, 410, "NFO", "BFO")),
        ),
        Case(
            "quasar quotes",
            session.quotes,
            lambda: (Http(), pairs(contract, 411, "NSE", "BSE")),
        ),
        Case(
            "quasar subscribe",
            session.subscribe,
            lambda: (Http(), pairs(contract, 412, "NSE", "NFO", "MCX")),
        ),
        Case("quasar chain", session.chain, lambda: ladder(contract)),
    ]
