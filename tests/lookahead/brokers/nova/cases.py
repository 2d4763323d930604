"""What Nova's functions are called with."""

from collections import Counter
from dataclasses import dataclass, field
from random import Random

from tests.lookahead.brokers.nova import execution, feed, portfolio
from tests.lookahead.brokers.nova.wire import NUMBERS
from tests.lookahead.contract import Case


@dataclass
class Client:
    prices: dict = field(default_factory=dict)
    positions: list = field(default_factory=list)

    def call(self, method, *, instrument, **more):
        if method == "snap":
            return {key: self.prices[key] for key in instrument if key in self.prices}
        if method == "sub":
            return {"mode": "full", "list": list(instrument)}
        return {"status": "success", "ref": f"{method}/{instrument}/{more.get('quantity', '')}"}


def records(contract, seed, *exchanges, blanks=(None, "")):
    """Lists of code, symbol, exchange and token; some unknown, some blank, some twice."""
    share = 50 // len(exchanges)
    found = [s for n, ex in enumerate(exchanges) for s in contract.pick(seed * 7 + n, share, ex)]
    Random(seed).shuffle(found)
    rows = [[s.brsymbol, s.symbol, s.exchange, s.token] for s in found]
    for at, ghost in zip((1, 13, 29, 41), ("VOIDCO", "VOID26AUGFUT", "0", "GONE LTD"), strict=True):
        rows[at][0] = rows[at][1] = ghost
        rows[at][3] = f"9900{at:04}"
    for at, blank in zip((6, 20, 37), blanks, strict=False):
        rows[at][0] = rows[at][1] = blank
        rows[at][3] = blank
    return [*rows, list(rows[0]), list(rows[9]), list(rows[9])]


def columns(contract, seed, *exchanges):
    rows = records(contract, seed, *exchanges)
    return {
        "refs": [f"N{n}" for n in range(len(rows))],
        "codes": [row[0] if n % 4 or not row[0] else row[0].lower() for n, row in enumerate(rows)],
        "exchanges": [
            str(NUMBERS[row[2]]) if n % 5 == 2 else NUMBERS[row[2]] for n, row in enumerate(rows)
        ],
        "states": [
            ("OPEN", "FILLED", "REJECTED", "OPEN", "PURGED")[n % 5] for n in range(len(rows))
        ],
    }


def by_position(contract, seed, *exchanges):
    return {
        "fields": ["id", "ex", "code", "qty", "px"],
        "rows": [
            [n, NUMBERS[ex], code, 5 * (n + 1), 12345 + n]
            for n, (code, _, ex, _) in enumerate(records(contract, seed, *exchanges))
        ],
    }


def report(contract, seed, *exchanges):
    lines = ["Seg;Token;Name;Buy;Sell"]
    lines += [
        f"{NUMBERS[ex]};{token or ''};{code or 'n/a'};{n * 3};{n}"
        for n, (code, _, ex, token) in enumerate(records(contract, seed, *exchanges))
    ]
    return "\n".join(lines) + "\n"


def demat(contract, seed):
    return {
        "demat": {
            f"INF{n:06}": [int(token) if token and n % 3 else token, n + 1, 10.5 * n, "POA"]
            for n, (*_, token) in enumerate(records(contract, seed, "NSE"))
        }
    }


def composites(contract, seed, *exchanges, blanks=(None, "")):
    return [
        (
            f"R{n}",
            ("" if ex == "NSE" and n % 2 else f"{ex}:")
            + (code or "")
            + (f"|{token}" if n % 3 else ""),
            "OPEN" if n % 7 else "DONE",
        )
        for n, (code, _, ex, token) in enumerate(records(contract, seed, *exchanges, blanks=blanks))
    ]


def legs(contract, seed, *exchanges):
    return [
        (symbol, ex, "BUY" if n % 2 else "SELL", 25 * (n + 1), 1.1 * n)
        for n, (_, symbol, ex, _) in enumerate(records(contract, seed, *exchanges))
    ]


def underlyings(contract):
    """Fifty names with a future, some without one, and the most frequent expiry."""
    listed = [s for s in contract.by_exchange["NFO"] if s.instrumenttype == "FUT"]
    (expiry, _), *_ = Counter(s.expiry for s in listed).most_common(1)
    names = sorted(s.name for s in listed if s.expiry == expiry)[:46]
    names[5:5] = ["VOIDCO", ""]
    return [*names, "VOIDBANK", names[2]], expiry.replace("-", "")


def cases(contract):
    prices = {
        f"{NUMBERS[ex]}.{s.token}": 1000 + n
        for ex in ("NSE", "NFO", "BSE")
        for n, s in enumerate(contract.by_exchange[ex])
        if n % 5
    }

    def renamed():
        rows = records(contract, 6, "NFO", "NSE")
        return (
            {"codes": [row[0] for row in rows], "exchanges": [row[2] for row in rows], "page": 1},
            45,
        )

    def exits():
        texts = [
            f"{text}#{n % 4 * 25 - 25}"
            for n, (_, text, _) in enumerate(composites(contract, 9, "NFO", "NSE", "MCX"))
        ]
        return (Client(positions=texts),)

    return [
        Case(
            "nova order book",
            portfolio.order_book,
            lambda: ({"orders": columns(contract, 1, "NSE", "NFO")},),
        ),
        Case(
            "nova trade book",
            portfolio.trade_book,
            lambda: (by_position(contract, 2, "NFO", "BSE"),),
        ),
        Case(
            "nova positions",
            portfolio.positions,
            lambda: (report(contract, 3, "NFO", "CDS", "MCX"),),
            note="csv.DictReader parses row by row: only the text is behind the loop",
        ),
        Case("nova holdings", portfolio.holdings, lambda: (demat(contract, 4),)),
        Case(
            "nova open symbols",
            portfolio.open_symbols,
            lambda: (composites(contract, 5, "NSE", "NFO", "MCX"),),
        ),
        Case("nova rename columns", portfolio.rename_columns, renamed),
        Case(
            "nova margin lines",
            execution.margin_lines,
            lambda: (legs(contract, 7, "NFO", "NSE"),),
        ),
        Case(
            "nova basket",
            execution.basket,
            lambda: (Client(), legs(contract, 8, "NFO", "NSE"), "b1"),
        ),
        Case("nova exit all", execution.exit_all, exits),
        Case(
            "nova cancel open",
            execution.cancel_open,
            lambda: (Client(), composites(contract, 10, "NSE", "BSE", "NFO")),
        ),
        Case(
            "nova modify requests",
            execution.modify_requests,
            lambda: (
                [
                    [f"R{n}", symbol, ex, 2.5 * n]
                    for n, (symbol, ex, *_) in enumerate(legs(contract, 11, "NFO", "BFO"))
                ],
            ),
        ),
        Case(
            "nova snapshots",
            feed.snapshots,
            lambda: (
                Client(prices=prices),
                [f"{leg[1]}:{leg[0] or ''}" for leg in legs(contract, 12, "NSE", "BSE", "NFO")],
            ),
        ),
        Case(
            "nova subscriptions",
            feed.subscriptions,
            lambda: (Client(), [leg[:2] for leg in legs(contract, 13, "NSE", "NFO")]),
        ),
        Case(
            "nova futures",
            feed.futures,
            lambda: (Client(prices=prices), *underlyings(contract)),
        ),
        Case(
            "nova depth",
            feed.depth,
            lambda: (
                {
                    int(token): (NUMBERS[ex], 10.0 + n, 10.5 + n)
                    for n, (*_, ex, token) in enumerate(
                        records(contract, 14, "NSE", "NFO", blanks=())
                    )
                }
                | {314: (9, 1.0, 1.0)},
            ),
        ),
    ]
