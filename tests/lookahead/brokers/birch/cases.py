"""What Birch's functions are called with."""

import json
import zlib
from dataclasses import dataclass, field
from random import Random

from tests.lookahead.brokers.birch.api import data, order_api
from tests.lookahead.brokers.birch.mapping import books, margin
from tests.lookahead.brokers.birch.mapping.segments import TO_BIRCH
from tests.lookahead.brokers.birch.streaming import feed
from tests.lookahead.contract import Case


def _num(text, mod=100000):
    return zlib.crc32(str(text).encode()) % mod


@dataclass
class Client:
    """request() gives the body's text; order numbers and quotes follow from what is asked."""

    answers: dict = field(default_factory=dict)

    def request(self, method, path, body):
        if method == "POST":
            return json.dumps({"status": "success", "data": {"order_id": "B%05d" % _num(body)}})
        if path.startswith("/v2/quotes?"):
            keys = path.partition("=")[2].split(",")
            return json.dumps({"data": {k: {"last_price": _num(k) / 10} for k in keys}})
        return self.answers[path]


def mix(contract, seed, counts):
    rows = [r for n, (ex, k) in enumerate(counts) for r in contract.pick(seed + n, k, ex)]
    Random(seed).shuffle(rows)
    return rows


USUAL = [("NSE", 18), ("NFO", 22), ("BSE", 4), ("MCX", 3), ("CDS", 3)]


def cases(contract):
    def key(r):
        return TO_BIRCH[r.exchange] + "|" + r.token

    def order_book():
        rows = [
            {
                "order_id": "26%06d" % n,
                "instrument_key": key(r),
                "trading_symbol": r.brsymbol,
                "status": ["COMPLETE", "open", "cancelled"][n % 3],
            }
            for n, r in enumerate(mix(contract, 301, USUAL))
        ]
        rows[7]["instrument_key"] = "NSE_EQ|424242424"
        rows[15]["instrument_key"] = ""
        rows[16]["instrument_key"] = None
        rows[30]["instrument_key"] = "XXX_FO|1"
        rows.insert(9, dict(rows[2], order_id="26999999"))
        rows.insert(25, dict(rows[20], order_id="26999998"))
        return (json.dumps({"status": "success", "data": rows}),)

    def trades():
        rows = {
            "t%d" % (7 * n): {
                "segment": TO_BIRCH[r.exchange],
                "trading_symbol": r.brsymbol,
                "quantity": n + 1,
                "price": 12.25,
            }
            for n, r in enumerate(mix(contract, 311, USUAL))
        }
        rows["t7"]["trading_symbol"] = "UNHEARDOF"
        rows["t70"]["trading_symbol"] = None
        rows["t140"]["trading_symbol"] = ""
        rows["t210"]["trading_symbol"] = "UNHEARD26AUG100CE"
        rows["again"] = dict(rows["t21"])
        return (rows,)

    def position_rows(seed):
        rows = [
            {
                "segment": TO_BIRCH[r.exchange],
                "instrument_id": int(r.token),
                "trading_symbol": r.brsymbol,
                "product": "ID"[n % 2],
                "quantity": [50, -25, 0][n % 3],
                "pnl": n * 1.005,
                "status": ["open", "complete", "cancelled"][n % 3],
            }
            for n, r in enumerate(mix(contract, seed, USUAL))
        ]
        rows.insert(14, dict(rows[3], pnl=None))
        rows.insert(33, dict(rows[28]))
        return rows

    def positions():
        rows = position_rows(321)
        for n, bad in ((5, 5), (19, 777777777), (22, None)):
            rows[n]["instrument_id"] = bad
        return ({"status": "success", "data": rows},)

    def holdings():
        rows = {
            "INE%05dA01" % (n * 13): {"instrument_id": int(r.token), "qty": n + 1, "cost": 50.5}
            for n, r in enumerate(mix(contract, 331, [("NSE", 46), ("BSE", 4)]))
        }
        rows["INE00130A01"]["instrument_id"] = None
        rows["INE00260A01"].pop("instrument_id")
        rows["INE00377A01"]["instrument_id"] = 3
        return ({"rows": rows},)

    def scan():
        rows = position_rows(341)
        for n, bad in ((44, None), (30, ""), (38, "UNHEARDOF")):
            rows[n]["trading_symbol"] = bad
        first = mix(contract, 341, USUAL)[2]
        return rows, first.symbol, first.exchange

    def our_rows(seed, bad=True):
        rows = [
            {
                "symbol": r.symbol,
                "exchange": r.exchange,
                "quantity": str(5 * (n + 1)),
                "action": ["BUY", "SELL"][n % 2],
                "product": ["MIS", "CNC", "NRML"][n % 3],
            }
            for n, r in enumerate(mix(contract, seed, USUAL))
        ]
        if bad:
            for n, value in ((4, "UNHEARDOF"), (13, None), (29, ""), (41, "UNHEARD29SEP26FUT")):
                rows[n]["symbol"] = value
        rows.insert(20, dict(rows[10]))
        return rows

    def one_position():
        rows = position_rows(361)
        rows[8]["trading_symbol"] = None
        rows[12]["trading_symbol"] = "UNHEARDOF"
        nfo = [r for r in mix(contract, 361, USUAL) if r.exchange == "NFO"][-1]
        return Client({"/v2/positions": json.dumps({"data": rows})}), nfo.symbol, "NFO"

    def flatten():
        rows = position_rows(371)
        rows[6]["instrument_id"], rows[7]["instrument_id"] = 4, 666666666
        return (Client({"/v2/positions": json.dumps({"data": rows})}),)

    def stops():
        rows = [(r["symbol"], r["exchange"], 10.0 + n) for n, r in enumerate(our_rows(381, False))]
        rows.insert(46, ("UNHEARDOF", "NSE", 1.0))
        return Client(), rows

    def snapshot():
        rows = {
            TO_BIRCH[r.exchange] + ":" + r.brsymbol: {"last_price": n / 4}
            for n, r in enumerate(mix(contract, 391, [*USUAL, ("NSE_INDEX", 3)]))
        }
        return ({**rows, "NSE_EQ:UNHEARDOF": {"last_price": 0}, "NSE_FO:": {"last_price": 1}},)

    def chain():
        some = next(r for r in contract.pick(395, 50, "NFO") if r.instrumenttype == "PE")
        strikes = {}
        for r in contract.by_exchange["NFO"]:
            if (r.name, r.expiry) == (some.name, some.expiry) and r.strike:
                sides = strikes.setdefault(str(r.strike), {})
                sides[r.instrumenttype.lower()] = {"instrument_key": key(r), "oi": int(r.strike)}
        strikes["1.0"] = {"ce": {"instrument_key": "NSE_FO|12", "oi": 0}, "pe": None}
        return ({"underlying": some.name, "strikes": strikes},)

    def columns():
        rows = our_rows(401)
        modes = [["ltp", "full", "full"][n % 3] for n in range(len(rows))]
        return [r["symbol"] for r in rows], [r["exchange"] for r in rows], modes

    def candles():
        keys = [key(r) for r in mix(contract, 411, USUAL)]
        keys[9], keys[23] = "NSE_EQ|1", "MCX_FO|2"
        return (
            [
                {"feeds": {k: {"c": n + i / 8} for i, k in enumerate(keys[n * 5 : n * 5 + 35])}}
                for n in range(4)
            ],
        )

    return [
        Case("birch orders", books.map_orders, order_book),
        Case("birch trades by number", books.map_trades, trades),
        Case("birch positions", books.map_positions, positions),
        Case("birch holdings by isin", books.map_holdings, holdings),
        Case("birch status scan", books.status_scan, scan),
        Case("birch margin bodies", margin.margin_bodies, lambda: (our_rows(351),)),
        Case("birch find position", order_api.find_position, one_position),
        Case("birch flatten", order_api.flatten, flatten, "thread pool"),
        Case("birch place many", order_api.place_many,
             lambda: (Client(), our_rows(375)), "thread pool"),
        Case("birch cover stops", order_api.cover_stops, stops),
        Case("birch quotes", data.get_multiquotes, lambda: (Client(), our_rows(385))),
        Case("birch snapshot", data.name_quotes, snapshot),
        Case("birch option chain", data.option_chain, chain),
        Case("birch subscribe", feed.subscribe_all, columns),
        Case("birch candles", feed.replay, candles),
    ]
