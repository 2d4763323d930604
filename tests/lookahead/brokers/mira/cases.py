"""What Mira's functions are called with."""

from collections import Counter
from dataclasses import dataclass, field
from random import Random

from tests.lookahead.brokers.mira import books, codes, market, trading
from tests.lookahead.contract import Case


@dataclass
class Client:
    """Answers from dictionaries; an order's number is derived from its body."""

    pages: dict
    quotes: dict = field(default_factory=dict)

    def get(self, path, keys=None):
        if path == "/quotes":
            return {key: self.quotes[key] for key in keys if key in self.quotes}
        return self.pages[path]

    def post(self, path, body):
        if body.get("quantity") == 13:
            raise ValueError("quantity is not a multiple of the lot")
        return {"orderNo": f"{path[1:]}-{body.get('key') or body.get('no') or body['symbol']}"}


def mixed(contract, seed, count, *exchanges):
    share = count // len(exchanges)
    rows = [r for n, ex in enumerate(exchanges) for r in contract.pick(seed + n, share, ex)]
    Random(seed).shuffle(rows)
    return rows


def spoil(rows, key, unknown, *, blanks=(None, "")):
    rows[4][key], rows[11][key], rows[23][key] = unknown
    for at, blank in zip((7, 19), blanks, strict=False):
        rows[at][key] = blank
    return [*rows, dict(rows[2]), dict(rows[15]), dict(rows[2])]


def book(contract, seed, *exchanges):
    rows = [
        {
            "orderNo": f"M{seed}{n:04}",
            "trdSym": f"{s.brsymbol}-EQ" if s.exchange in ("NSE", "BSE") else s.brsymbol,
            "seg": codes.SEGMENT_OF[s.exchange],
            "scripId": int(s.token) if n % 3 else s.token,
            "side": "BS"[n % 2],
            "prd": "CIM"[n % 3],
            "qty": str(s.lotsize * (1 + n % 4)),
            "netQty": s.lotsize * (n % 5 - 2),
            "prc": f"{100 + n * 1.25:.2f}",
            "ltp": 100 + n * 1.5,
            "status": ("complete", "open", "trigger pending", "open")[n % 4],
        }
        for n, s in enumerate(mixed(contract, seed, 50, *exchanges))
    ]
    return spoil(rows, "trdSym", ("NOSUCHCO-EQ", "GHOST26DECFUT", "QQQ"))


def positions(contract, seed, *exchanges):
    rows = book(contract, seed, *exchanges)
    for at, odd in ((4, 99999901), (11, "99999902"), (7, None), (19, "")):
        rows[at]["scripId"] = odd
    rows[33]["seg"] = "X_XX"
    return {"net": rows[:34], "day": rows[34:]}


def holdings(contract, seed):
    bse = {s.symbol: s.token for s in contract.by_exchange["BSE"]}
    rows = {}
    for n, s in enumerate(contract.pick(seed, 50, "NSE")):
        nse_id, bse_id = int(s.token), int(bse.get(s.symbol, 0))
        if n % 10 == 3:
            nse_id = None
        elif n % 10 == 6:
            nse_id = 88000000 + n
        if n in (13, 26):
            bse_id = 89000000 + n
        rows[f"INE{seed}{n:05}"] = {
            "nseId": nse_id,
            "bseId": bse_id,
            "qty": str(1 + n),
            "avg": 90.0 + n,
            "ltp": 95.0 + n * 0.9,
        }
    return {"holdings": rows}


def legs(contract, seed, *exchanges):
    rows = [
        {
            "symbol": s.symbol,
            "exchange": s.exchange,
            "action": ("BUY", "SELL")[n % 2],
            "quantity": s.lotsize * 2 if n != 9 else 13,
            "price": n * 1.5,
        }
        for n, s in enumerate(mixed(contract, seed, 50, *exchanges))
    ]
    return spoil(rows, "symbol", ("NOSUCHCO", "GHOST26DEC26FUT", "QQQ"))


def quotes(contract, *exchanges):
    return {
        f"{codes.SEGMENT_OF[s.exchange]}|{s.token}": {"ltp": round(50 + n * 0.05, 2)}
        for ex in exchanges
        for n, s in enumerate(contract.by_exchange[ex])
        if n % 7
    }


def chain(contract):
    """The name and expiry with the most options, and its strikes."""
    options = [s for s in contract.by_exchange["NFO"] if s.instrumenttype in ("CE", "PE")]
    (name, expiry), _ = Counter((s.name, s.expiry) for s in options).most_common(1)[0]
    strikes = sorted({s.strike for s in options if (s.name, s.expiry) == (name, expiry)})
    return name, expiry.replace("-", ""), [*strikes[:24], 1.0]


def cases(contract):
    target = next(
        row
        for row in reversed(positions(contract, 107, "NFO")["net"])
        if row["seg"] == "N_FO" and row["prd"] == "M"
    )
    target_symbol = next(
        s.symbol for s in contract.by_exchange["NFO"] if s.brsymbol == target["trdSym"]
    )

    def ticks():
        rows = mixed(contract, 114, 48, "NSE", "NFO", "MCX")
        pairs = [
            (f"{codes.SEGMENT_OF[s.exchange]}|{s.token}", 10.0 + n) for n, s in enumerate(rows)
        ]
        pairs[5] = ("N_EQ|77777777", 1.0)
        pairs[17] = ("X_XX|1", 1.0)
        return ([{"v": pairs[:20]}, {"v": pairs[20:33]}, {"v": [*pairs[33:], pairs[0]]}],)

    return [
        Case(
            "mira order book",
            books.map_order_book,
            lambda: ({"data": book(contract, 101, "NSE", "NFO")},),
        ),
        Case(
            "mira trade book",
            books.map_trade_book,
            lambda: ({"data": book(contract, 102, "BSE", "NFO", "MCX")},),
        ),
        Case(
            "mira positions",
            books.map_positions,
            lambda: (positions(contract, 103, "NSE", "NFO", "CDS"),),
        ),
        Case("mira holdings", books.map_holdings, lambda: (holdings(contract, 104),)),
        Case(
            "mira find open position",
            books.find_open_position,
            lambda: (positions(contract, 107, "NFO"), target_symbol, "NFO", "NRML"),
        ),
        Case(
            "mira exposure by underlying",
            books.exposure_by_underlying,
            lambda: ({"net": book(contract, 105, "NFO", "BFO")},),
        ),
        Case(
            "mira margin request",
            trading.margin_request,
            lambda: (legs(contract, 106, "NSE", "NFO"),),
        ),
        Case(
            "mira basket",
            trading.place_basket,
            lambda: (Client({}), legs(contract, 108, "NSE", "NFO", "MCX")),
        ),
        Case(
            "mira close all positions",
            trading.close_all_positions,
            lambda: (Client({"/positions": {"net": book(contract, 109, "NSE", "NFO")}}),),
        ),
        Case(
            "mira cancel pending",
            trading.cancel_pending,
            lambda: (Client({"/orders": {"data": book(contract, 110, "NSE", "BSE", "NFO")}}),),
        ),
        Case(
            "mira multi quotes",
            market.multi_quotes,
            lambda: (
                Client({}, quotes(contract, "NSE", "NFO")),
                legs(contract, 111, "NSE", "NFO"),
            ),
        ),
        Case(
            "mira option chain",
            market.option_chain,
            lambda: (Client({}, quotes(contract, "NFO")), *chain(contract)),
        ),
        Case(
            "mira subscription frames",
            market.subscription_frames,
            lambda: (
                [(leg["symbol"], leg["exchange"]) for leg in legs(contract, 112, "NSE", "BSE")],
            ),
        ),
        Case("mira decode ticks", market.decode_ticks, ticks),
        Case(
            "mira watch rows",
            market.watch_rows,
            lambda: (legs(contract, 113, "NSE", "CDS", "MCX"),),
        ),
    ]
