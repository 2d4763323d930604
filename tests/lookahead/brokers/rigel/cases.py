"""What Rigel's functions are called with."""

from dataclasses import dataclass, field
from random import Random

from tests.lookahead.brokers.rigel import desk, flows
from tests.lookahead.brokers.rigel.schema import PREFIXES, LegOut
from tests.lookahead.contract import Case


@dataclass
class Http:
    rows: dict = field(default_factory=dict)
    page: int = 18

    def get(self, path, cursor):
        rows, end = self.rows[path], cursor + self.page
        return {"rows": rows[cursor:end], "next": end if end < len(rows) else None}

    def margin(self, legs):
        return sum(leg["scripId"] % 101 * abs(leg["qty"]) for leg in legs)

    def order(self, variety, body):
        return {"code": 200, "text": f"{variety} {body['scrip']} {body['qty']}"}

    def price(self, token):
        return int(token) % 2003 / 16


def take(contract, seed, *exchanges):
    share = 50 // len(exchanges)
    rows = [s for n, ex in enumerate(exchanges) for s in contract.pick(seed + n, share, ex)]
    Random(seed).shuffle(rows)
    return [rows[4], *rows, rows[4], rows[31]]


def scrips(contract, seed, *exchanges):
    rows = [
        {
            "orderRef": f"RG{n}",
            "ref": n,
            "scrip": PREFIXES[s.exchange] + s.brsymbol,
            "state": ("open", "done", "partial", "void")[n % 4],
            "qty": str(s.lotsize),
            "net": (n % 5 - 2) * s.lotsize,
        }
        for n, s in enumerate(take(contract, seed, *exchanges))
    ]
    for at, odd in (
        (7, "EQ.NOWHERE"),
        (20, "FO.NOWHERE26AUGFUT"),
        (34, "EQ."),
        (12, None),
        (29, ""),
    ):
        rows[at]["scrip"] = odd
    return rows


def ids(contract, seed, *exchanges):
    rows = [
        {
            "isin": f"RG{n:05}",
            "scripId": s.token if n % 3 == 0 else int(s.token),
            "board": PREFIXES[s.exchange],
            "net": n % 6 - 1,
            "ltp": 12.5 * n,
        }
        for n, s in enumerate(take(contract, seed, *exchanges))
    ]
    for at, odd in ((6, 40000001), (18, "40000002"), (10, None), (39, "")):
        rows[at]["scripId"] = odd
    return rows


def trades(contract, seed, *exchanges):
    rows = [
        {
            "code": s.brsymbol,
            "board": PREFIXES[s.exchange],
            "quantity": f"{s.lotsize}",
            "price": f"{n * 2.25}",
        }
        for n, s in enumerate(take(contract, seed, *exchanges))
    ]
    for at, odd in ((3, "NOWHERE"), (27, "NOWHERE26AUGFUT"), (16, "")):
        rows[at]["code"] = odd
    return rows


def legs(contract, seed, *exchanges):
    rows = [
        {
            "symbol": s.symbol,
            "exchange": s.exchange,
            "quantity": s.lotsize,
            "side": "SELL" if n % 3 else "BUY",
        }
        for n, s in enumerate(take(contract, seed, *exchanges))
    ]
    for at, odd in ((2, "NOWHERE"), (24, "NOWHERE29SEP26FUT"), (15, None), (41, "")):
        rows[at]["symbol"] = odd
    return rows


def names(contract, seed):
    found = [s.symbol for s in take(contract, seed, "NSE", "NFO")]
    found[9], found[22], found[40] = "NOWHERE", None, ""
    return found


def series(contract):
    strikes = {}
    for s in contract.by_exchange["NFO"]:
        if s.instrumenttype == "PE":
            strikes.setdefault((s.name, s.expiry), []).append(s.strike)
    name, expiry = max(strikes, key=lambda key: (len(strikes[key]) <= 40, len(strikes[key]), key))
    return name, expiry.replace("-", ""), [*sorted(strikes[name, expiry])[:18], 2.25]


def watch(contract, seed):
    found = {}
    for leg in legs(contract, seed, "NFO", "NSE", "MCX", "BSE"):
        found.setdefault(leg["exchange"], []).append(leg["symbol"])
    return found


def frames(contract, seed):
    pairs = [
        f"{PREFIXES[s.exchange]}{int(s.token):08d}={n + 0.5}"
        for n, s in enumerate(take(contract, seed, "NSE", "NFO"))
    ]
    pairs[11], pairs[30], pairs[44] = "EQ.40000001=1", "FO.40000002=2", "EQ.00000000=3"
    return [";".join(pairs[at : at + 9]) for at in range(0, len(pairs), 9)]


def cases(contract):
    sought = take(contract, 507, "NFO", "CDS")[44]

    def books(seed, *exchanges):
        rows = scrips(contract, seed, *exchanges)
        return {"intraday": rows[45:], "carried": rows[:45]}

    return [
        Case(
            "rigel order book",
            flows.order_book,
            lambda: ({"orders": scrips(contract, 501, "NSE", "NFO")},),
        ),
        Case(
            "rigel trade book",
            flows.trade_book,
            lambda: ({"trades": trades(contract, 502, "BSE", "NFO")},),
        ),
        Case(
            "rigel positions",
            flows.positions,
            lambda: ({"positions": ids(contract, 503, "NFO", "CDS")},),
        ),
        Case(
            "rigel holdings", flows.holdings, lambda: ({"holdings": ids(contract, 504, "NSE")}, 40)
        ),
        Case(
            "rigel open orders",
            flows.open_orders,
            lambda: (Http({"orders": scrips(contract, 505, "NSE", "NFO")}),),
            note="a generator over pages: a page's rows are fetched when the ones before are done",
        ),
        Case(
            "rigel net by exchange",
            flows.net_by_exchange,
            lambda: (books(506, "NSE", "NFO", "MCX"),),
        ),
        Case(
            "rigel find position",
            flows.find_position,
            lambda: (books(507, "NFO", "CDS"), sought.symbol, sought.exchange),
        ),
        Case("rigel rename", flows.rename, lambda: (scrips(contract, 508, "NSE", "BFO"),)),
        Case("rigel margin", desk.margin, lambda: (Http(), legs(contract, 509, "NSE", "NFO"))),
        Case(
            "rigel basket",
            desk.basket,
            lambda: (Http(), [LegOut(**leg) for leg in legs(contract, 510, "NFO", "NSE")], "amo"),
        ),
        Case(
            "rigel exit positions",
            desk.exit_positions,
            lambda: (Http(), scrips(contract, 511, "NSE", "NFO", "BSE")),
        ),
        Case("rigel quotes", desk.quotes, lambda: (Http(), names(contract, 512))),
        Case("rigel option chain", desk.option_chain, lambda: (Http(), *series(contract))),
        Case("rigel stream keys", desk.stream_keys, lambda: (watch(contract, 513),)),
        Case("rigel decode", desk.decode, lambda: (frames(contract, 514),)),
    ]
