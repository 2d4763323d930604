"""What Pavo's functions are called with."""

import json
from collections import Counter
from dataclasses import dataclass, field
from itertools import chain, pairwise
from random import Random

from tests.lookahead.brokers.pavo import dealing, reports, stream
from tests.lookahead.brokers.pavo.shapes import SEGS
from tests.lookahead.contract import Case


@dataclass
class Desk:
    state: dict = field(default_factory=dict)

    def price(self, token):
        return int(token) % 1009 / 4

    def send(self, what, body):
        if what == "quotes":
            return {
                "quotes": [
                    {"id": scrip, "lp": f"{self.price(scrip.split('|')[1]):.2f}"}
                    for scrip in body["scrips"].split("&")
                ]
            }
        return {"stat": "Ok", "nOrdNo": f"{what}:{body['ts']}:{body['qt']}"}


def draw(contract, seed, *exchanges):
    share = 48 // len(exchanges)
    rows = [s for n, ex in enumerate(exchanges) for s in contract.pick(seed + n, share, ex)]
    Random(seed).shuffle(rows)
    return [*rows, rows[0], rows[20]]


def instruments(contract, seed, *exchanges):
    rows = [
        {
            "nOrdNo": f"24{seed}{n:03}",
            "tsym": s.brsymbol
            + ("-EQ" if s.exchange == "NSE" else "-A") * (s.instrumenttype == "EQ"),
            "seg": SEGS[s.exchange],
            "qty": str(n % 6),
            "netQty": (n % 6 - 2) * s.lotsize,
            "ordSt": ("open", "complete", "rejected", "open")[n % 4],
        }
        for n, s in enumerate(draw(contract, seed, *exchanges))
    ]
    for at, odd in (
        (3, "MISSINGCO-EQ"),
        (16, "MISSING26SEPFUT"),
        (30, "-EQ"),
        (10, None),
        (25, ""),
    ):
        rows[at]["tsym"] = odd
    return rows


def tokens(contract, seed, *exchanges):
    rows = [
        [SEGS[s.exchange], s.token if n % 2 else int(s.token)]
        for n, s in enumerate(draw(contract, seed, *exchanges))
    ]
    for at, odd in ((2, 60000001), (19, "60000002"), (33, 60000003), (12, None), (28, "")):
        rows[at][1] = odd
    return rows


def orders(contract, seed, *exchanges):
    rows = [
        {
            "ref": f"P{n}",
            "symbol": s.symbol,
            "exchange": s.exchange,
            "quantity": s.lotsize,
            "lots": n,
        }
        for n, s in enumerate(draw(contract, seed, *exchanges))
    ]
    for at, odd in ((5, "MISSINGCO"), (22, "MISSING29SEP26FUT"), (9, None), (37, "")):
        rows[at]["symbol"] = odd
    return rows


def accounts(contract, seed):
    rows = instruments(contract, seed, "NSE", "NFO", "BSE")
    rows[40]["seg"] = "ncdex_fo"
    return json.dumps(
        {
            "stat": "Ok",
            "accounts": [
                {"id": "A", "baskets": [{"orders": rows[:18]}, {"orders": []}]},
                {"id": "B", "baskets": [{"orders": rows[18:21]}, {"orders": rows[21:]}]},
            ],
        }
    )


def nested(contract, seed):
    rows = instruments(contract, seed, "NFO", "NSE")
    best = rows.pop()
    groups = [rows[a:b] for a, b in pairwise((0, 7, 15, 32, len(rows)))]
    return {
        "summary": {"client": "C1", "best": best},
        "books": [
            {"kind": "hedge", "legs": [{"leg": row, "n": n} for n, row in enumerate(group)]}
            for group in groups
        ],
    }


def strategies(contract, seed):
    rows = orders(contract, seed, "NFO", "BFO")
    return [
        {"x": n + 1, "legs": rows[at : at + 2 + n % 3]}
        for n, at in enumerate(range(0, len(rows), 3))
    ]


def money(contract):
    """Name, expiry, middle strike and step of a well filled series."""
    options = [s for s in contract.by_exchange["NFO"] if s.instrumenttype == "CE"]
    (name, expiry), _ = Counter((s.name, s.expiry) for s in options).most_common(3)[2]
    ladder = sorted(s.strike for s in options if (s.name, s.expiry) == (name, expiry))
    step = Counter(b - a for a, b in pairwise(ladder)).most_common(1)[0][0]
    return name, expiry.replace("-", ""), ladder[len(ladder) // 2], step


def statement(contract, seed):
    days = tokens(contract, seed, "NSE", "NFO")
    return json.dumps(
        {
            "days": [
                {"d": n, "moves": [{"seg": seg, "tok": tok, "n": tok} for seg, tok in days[n::5]]}
                for n in range(5)
            ]
        }
    )


def cases(contract):
    shelf = instruments(contract, 305, "NFO", "NSE", "MCX")
    repeated = next(
        s.symbol
        for s in chain.from_iterable(contract.by_exchange.values())
        if s.brsymbol == shelf[-1]["tsym"].removesuffix("-EQ")
    )

    def shelves():
        rows = instruments(contract, 305, "NFO", "NSE", "MCX")
        return (Desk({"orders": rows[:30], "archive": rows[30:]}), repeated)

    return [
        Case("pavo order book", reports.order_book, lambda: (accounts(contract, 301),)),
        Case("pavo blotter", reports.blotter, lambda: (instruments(contract, 302, "NSE", "NFO"),)),
        Case("pavo enrich", reports.enrich, lambda: (nested(contract, 303),)),
        Case(
            "pavo position lines",
            reports.position_lines,
            lambda: (instruments(contract, 304, "NFO", "MCX", "BSE"),),
        ),
        Case(
            "pavo holdings json",
            reports.holdings_json,
            lambda: (
                [
                    reports.Lot(tok, seg, n + 1, 99.5)
                    for n, (seg, tok) in enumerate(tokens(contract, 306, "NSE", "BSE"))
                ],
            ),
        ),
        Case(
            "pavo read statement",
            reports.read_statement,
            lambda: (statement(contract, 307),),
            note="json's object_hook: no row but the current one exists, only text",
        ),
        Case("pavo span request", dealing.span_request, lambda: (strategies(contract, 308),)),
        Case(
            "pavo place all",
            dealing.place_all,
            lambda: (Desk(), orders(contract, 309, "NSE", "NFO")),
        ),
        Case(
            "pavo square off",
            dealing.square_off,
            lambda: (Desk({"positions": instruments(contract, 310, "NSE", "NFO", "BFO")}),),
        ),
        Case("pavo order status", dealing.order_status, shelves),
        Case(
            "pavo first unlisted",
            dealing.first_unlisted,
            lambda: (list(reversed(orders(contract, 311, "NSE", "BSE"))),),
        ),
        Case(
            "pavo quotes",
            stream.quotes,
            lambda: (
                Desk(),
                [(o["symbol"], o["exchange"]) for o in orders(contract, 312, "NFO", "NSE")],
            ),
        ),
        Case("pavo chain around", stream.chain_around, lambda: (Desk(), *money(contract))),
        Case(
            "pavo on ticks",
            stream.on_ticks,
            lambda: (
                {},
                [
                    [[seg, tok, 1.5 * n + at] for at, (seg, tok) in enumerate(rows)]
                    for rows in [tokens(contract, 313, "NSE", "NFO", "MCX")]
                    for n, rows in enumerate((rows[:20], rows[10:35], rows[35:]))
                ],
            ),
        ),
    ]
