"""What Orion's functions are called with."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import chain
from random import Random

from tests.lookahead.brokers.orion import desk
from tests.lookahead.brokers.orion.models import MARKETS, PositionRow
from tests.lookahead.contract import Case

MARKET_OF = {exchange: market for market, exchange in MARKETS.items()}


@dataclass
class Http:
    answers: dict = field(default_factory=dict)

    def get(self, path):
        return self.answers[path]

    def post(self, path, body):
        if path == "quotes":
            return {"prices": [int(item["id"]) % 1000 / 4 for item in body]}
        return {"ref": f"OR-{body['token']}-{body['quantity']}"}

    def ltp(self, token):
        return int(token) % 977 / 2


@dataclass
class Account:
    user: str
    holdings: list


def sample(contract, seed, *exchanges):
    share = 50 // len(exchanges)
    rows = [s for n, ex in enumerate(exchanges) for s in contract.pick(seed + n, share, ex)]
    Random(seed).shuffle(rows)
    return [*rows, rows[1], rows[8], rows[1]]


def orders(contract, seed, *exchanges):
    rows = [
        {
            "app_order_id": 7000 + n,
            "instrument_id": s.token if n % 4 == 1 else int(s.token),
            "market": MARKET_OF[s.exchange],
            "side": ("Buy", "Sell")[n % 2],
            "quantity": s.lotsize,
            "status": ("New", "Filled", "Partial", "Rejected", "Cancelled")[n % 5],
            "trading_symbol": s.brsymbol,
        }
        for n, s in enumerate(sample(contract, seed, *exchanges))
    ]
    rows[5]["instrument_id"], rows[14]["instrument_id"] = 70000001, "70000002"
    rows[9]["instrument_id"], rows[27]["instrument_id"] = None, ""
    return {"type": "success", "result": rows}


def scrips(contract, seed, *exchanges):
    codes = [[s.brsymbol, MARKET_OF[s.exchange], s] for s in sample(contract, seed, *exchanges)]
    codes[3][0], codes[12][0], codes[31][0] = "LOSTCO", "LOST26AUG100CE", "nifty"
    codes[6][0], codes[25][0] = None, ""
    return codes


def position_list(contract, seed, *exchanges):
    return [
        {"scrip": code, "market": market, "net": (n % 5 - 2) * s.lotsize}
        for n, (code, market, s) in enumerate(scrips(contract, seed, *exchanges))
    ]


def account(contract, seed):
    tokens = {s.symbol: s.token for s in contract.by_exchange["BSE"]}
    entries = []
    for n, s in enumerate(sample(contract, seed, "NSE")):
        listings = [["NSECM", int(s.token)], ["BSECM", tokens.get(s.symbol, "0")]]
        if n % 9 == 4:
            listings[0][1] = 71000000 + n
        if n in (2, 22):
            listings = [["NSECM", None]]
        if n in (13, 31):
            listings = [["NSECM", 72000000 + n], ["BSECM", 73000000 + n]]
        entries.append({"isin": f"IN{n:04}", "listings": listings, "qty": n + 1})
    return Account("U1", entries)


def legs(contract, seed, *exchanges):
    rows = [
        {
            "symbol": s.symbol,
            "exchange": s.exchange,
            "quantity": s.lotsize * 2,
            "action": ("BUY", "SELL")[n % 2],
        }
        for n, s in enumerate(sample(contract, seed, *exchanges))
    ]
    rows[4]["symbol"], rows[17]["symbol"], rows[40]["symbol"] = "LOSTCO", "LOST26AUG26FUT", "X"
    rows[11]["symbol"], rows[35]["symbol"] = None, ""
    return rows


def targets(contract, seed):
    found = {(s.symbol, s.exchange): 0 for s in sample(contract, seed, "NSE", "NFO")}
    found |= {(leg["symbol"], leg["exchange"]): 50 for leg in legs(contract, seed + 5, "NFO")}
    return found


def strikes(contract, exchange="NFO", count=22):
    found = [s for s in contract.by_exchange[exchange] if s.instrumenttype in ("CE", "PE")]
    # The second most listed series: the most listed one belongs to another plug-in.
    (name, expiry), _ = Counter((s.name, s.expiry) for s in found).most_common(2)[1]
    series = sorted({s.strike for s in found if (s.name, s.expiry) == (name, expiry)})
    return name, expiry.replace("-", ""), [7.5, *series[:count]]


def cases(contract):
    pending = next(
        row for row in orders(contract, 212, "NFO", "MCX")["result"][38:] if row["status"] == "New"
    )
    by_token = {s.token: s for s in chain.from_iterable(contract.by_exchange.values())}
    sought = by_token[str(pending["instrument_id"])]

    def unmapped():
        rows = position_list(contract, 208, "NSE", "NFO")
        rows[20]["market"] = "OTCFX"
        return (Http({"positions": {"positionList": rows}}), targets(contract, 208))

    return [
        Case(
            "orion order book", desk.get_order_book, lambda: (orders(contract, 201, "NSE", "NFO"),)
        ),
        Case(
            "orion trade book",
            desk.get_trade_book,
            lambda: (
                {
                    "result": [
                        [n, code, market, "B", s.lotsize, 10.0 + n]
                        for n, (code, market, s) in enumerate(scrips(contract, 202, "NFO", "BSE"))
                    ]
                },
            ),
        ),
        Case(
            "orion positions",
            desk.get_positions,
            lambda: (
                [
                    PositionRow(code, market, n - 20, 5.5 + n)
                    for n, (code, market, _) in enumerate(scrips(contract, 203, "NFO", "NSE"))
                ],
            ),
        ),
        Case("orion holdings", desk.get_holdings, lambda: (account(contract, 204),)),
        Case("orion margin", desk.margin, lambda: (legs(contract, 205, "NFO", "BFO"),)),
        Case(
            "orion close all",
            desk.close_all,
            lambda: (
                Http({"positions": {"positionList": position_list(contract, 206, "NSE", "NFO")}}),
            ),
        ),
        Case(
            "orion basket", desk.basket, lambda: (Http(), legs(contract, 207, "NSE", "NFO", "CDS"))
        ),
        Case("orion rebalance", desk.rebalance, unmapped),
        Case("orion option chain", desk.option_chain, lambda: (Http(), *strikes(contract))),
        Case("orion quotes", desk.quotes, lambda: (Http(), legs(contract, 209, "NSE", "BSE"))),
        Case(
            "orion subscribe",
            desk.subscribe,
            lambda: ([(r["symbol"], r["exchange"]) for r in legs(contract, 210, "NSE", "MCX")],),
        ),
        Case(
            "orion status counts",
            desk.status_counts,
            lambda: (orders(contract, 211, "BSE", "NFO"),),
        ),
        Case(
            "orion find open",
            desk.find_open,
            lambda: (orders(contract, 212, "NFO", "MCX"), sought.symbol, sought.exchange),
        ),
    ]
