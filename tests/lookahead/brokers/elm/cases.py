"""What Elm's functions are called with."""

import json
import zlib
from dataclasses import dataclass, field
from random import Random

from tests.lookahead.brokers.elm.api import data, order_api
from tests.lookahead.brokers.elm.mapping import books, margin
from tests.lookahead.brokers.elm.mapping.ticker import HOUSES, NUMBERS
from tests.lookahead.brokers.elm.streaming import sock
from tests.lookahead.contract import Case


@dataclass
class Client:
    answers: dict = field(default_factory=dict)

    def fetch(self, path):
        if path.startswith("quotes?symbols="):
            names = path.partition("=")[2].split(",")
            return {"d": {n: zlib.crc32(n.encode()) % 5000 / 8 for n in names}}
        return json.loads(self.answers[path])

    def send(self, path, body):
        return {"id": "E%d" % zlib.crc32((path + json.dumps(body)).encode())}


def shuffled(contract, seed, nse=18, nfo=24, bse=3, mcx=3, cds=2):
    counts = (("NSE", nse), ("NFO", nfo), ("BSE", bse), ("MCX", mcx), ("CDS", cds))
    rows = []
    for exchange, count in counts:
        rows += contract.pick(seed * 10 + len(rows), count, exchange)
    Random(seed).shuffle(rows)
    return rows


def ticker(r):
    return HOUSES[r.exchange] + ":" + r.brsymbol + {"NSE": "-EQ", "BSE": "-A"}.get(r.exchange, "")


def cases(contract):
    def wire_rows(seed, bad=(("symbol", 8, "NSE:NOWHERE-EQ"), ("symbol", 15, None),
                             ("symbol", 26, ""), ("exchange", 35, 99))):
        rows = []
        for n, r in enumerate(shuffled(contract, seed)):
            exchange, segment = NUMBERS[r.exchange]
            rows.append(
                {
                    "id": "e%03d" % n,
                    "slNo": n * 37 % 101,
                    "symbol": ticker(r),
                    "exchange": exchange,
                    "segment": segment,
                    "status": [2, 6, 5][n % 3],
                    "tradedQty": n % 6,
                    "tradePrice": n * 0.25,
                    "netQty": (n % 3 - 1) * 75,
                }
            )
        for key, n, value in bad:
            rows[n][key] = value
        rows.insert(11, dict(rows[2], id="e900"))
        rows.insert(42, dict(rows[30], id="e901"))
        return rows

    def position_book():
        keep = ("id", "symbol", "exchange", "segment", "netQty")
        rows = [{k: row[k] for k in keep} for row in wire_rows(83)]
        return (books.PositionBook(netPositions=rows),)

    def holdings():
        rows = [
            {
                "symbol": ticker(r),
                "elmToken": sock.full_number(r.exchange, r.token),
                "qty": n,
                "ltp": 8.5 * n,
            }
            for n, r in enumerate(shuffled(contract, 84, nse=43, nfo=0, bse=7, mcx=0, cds=0))
        ]
        rows[5]["elmToken"] = "10102608181"
        rows[12]["elmToken"] = None
        rows[28].pop("elmToken")
        rows.insert(20, dict(rows[19]))
        return ({"holdings": rows},)

    def ledger():
        lines = [
            books.Ledger(int(r.token) if n % 2 else r.token, r.exchange, n * 1.25)
            for n, r in enumerate(shuffled(contract, 85))
        ]
        lines[9].token, lines[10].token = 2, None
        return (lines,)

    def ours(seed, **extra):
        rows = [
            {"symbol": r.symbol, "exchange": r.exchange, "qty": 1 + n, "side": (-1) ** n}
            for n, r in enumerate(shuffled(contract, seed, **extra))
        ]
        for n, value in ((3, "NOWHERE"), (21, None), (33, ""), (45, "NOWHERE26AUG50PE")):
            rows[n]["symbol"] = value
        rows.insert(14, dict(rows[13]))
        return rows

    def some_invalid():
        rows = ours(87)
        rows[6]["qty"] = 0
        return (rows,)

    def open_quantity():
        rows = wire_rows(89, bad=(("symbol", 4, "NSE:NOWHERE26AUGFUT"), ("symbol", 9, "")))
        last = [r for r in shuffled(contract, 89) if r.exchange == "NFO"][-1]
        return Client({"positions": json.dumps({"netPositions": rows})}), last.symbol, "NFO"

    def exits():
        rows = wire_rows(90, bad=(("symbol", 3, "NSE:NOWHERE-EQ"), ("symbol", 6, None)))
        book = {"netPositions": rows, "ltps": [n / 2 for n in range(len(rows))]}
        return (Client({"positions": json.dumps(book)}),)

    def archive():
        rows = wire_rows(92)
        pages = {
            "archive/%d" % n: json.dumps({"rows": rows[n * 11 : n * 11 + 11]}) for n in range(5)
        }
        return Client(pages), 5

    def status():
        first = shuffled(contract, 93)[1]
        return wire_rows(93), first.symbol

    def chain():
        some = next(r for r in contract.pick(95, 50, "NFO") if r.instrumenttype == "CE")
        sides = {"CE": [], "PE": []}
        for r in contract.by_exchange["NFO"]:
            if (r.name, r.expiry) == (some.name, some.expiry) and r.instrumenttype in sides:
                sides[r.instrumenttype].append({"ticker": ticker(r), "ltp": r.strike / 100})
        sides["CE"].insert(4, {"ticker": "NSE:NOWHERE26AUG5CE", "ltp": 0})
        path = "chain?symbol=" + some.name
        return Client({path: json.dumps({"optionsChain": sides})}), some.name

    def candles():
        rows = {
            r.exchange + ":" + r.symbol: [[d, 1.5] for d in range(n, n + n % 4)]
            for n, r in enumerate(shuffled(contract, 96))
        }
        return ({**rows, "NSE:NOWHERE": [[1, 1.0]], "NFO:": [[2, 1.0]]},)

    def channels():
        rows = [(r["symbol"], r["exchange"]) for r in ours(97)]
        return ([*rows, ("NIFTY", "NSE_INDEX")],)

    def ticks():
        rows = [
            (sock.full_number(r.exchange, r.token), 100 * n)
            for n, r in enumerate(shuffled(contract, 98))
        ]
        rows += [("10102608183", 5), ("99102608183", 5), ("", 0), rows[3]]
        return {}, rows

    return [
        Case("elm orders", books.map_orders, lambda: ({"orderBook": wire_rows(81)},)),
        Case("elm trades", books.map_trades, lambda: ({"tradeBook": wire_rows(82)},)),
        Case("elm position models", books.map_positions, position_book),
        Case("elm holdings", books.map_holdings, holdings),
        Case("elm ledger json", books.ledger_json, ledger),
        Case("elm trades text", books.trades_text, lambda: (wire_rows(86),)),
        Case("elm span request", margin.span_request, some_invalid),
        Case("elm freeze table", margin.freeze_table,
             lambda: ([margin.MarginLeg(**row) for row in ours(88)],)),
        Case("elm open quantity", order_api.open_quantity, open_quantity),
        Case("elm exit everything", order_api.exit_everything, exits),
        Case("elm basket", order_api.place_basket, lambda: (Client(), ours(91)), "thread pool"),
        Case("elm archive names", order_api.order_names, archive,
             "thread pool: each page is fetched in a worker of its own"),
        Case("elm last status", order_api.last_status, status),
        Case("elm quotes", data.quotes, lambda: (Client(), ours(94))),
        Case("elm chain rows", data.chain_rows, chain),
        Case("elm history index", data.history_index, candles),
        Case("elm channel map", sock.channel_map, channels),
        Case("elm ticks", sock.apply_ticks, ticks),
    ]
