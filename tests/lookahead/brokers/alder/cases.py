"""What Alder's functions are called with."""

import copy
import json
import zlib
from dataclasses import dataclass, field
from random import Random

from tests.lookahead.brokers.alder.api import data, order_api
from tests.lookahead.brokers.alder.mapping import margin_data, order_data
from tests.lookahead.brokers.alder.streaming import alder_mapping
from tests.lookahead.contract import Case


class Response:
    status_code = 200

    def __init__(self, text):
        self.text = text

    def json(self):
        return json.loads(self.text)


def _num(text, mod=100000):
    return zlib.crc32(str(text).encode()) % mod


@dataclass
class Client:
    """Answers from texts by path; quotes and order numbers come from the request."""

    answers: dict = field(default_factory=dict)

    def get(self, path, params=None):
        if path == "/quote":
            body = {k: {"ltp": _num(k) / 20, "vol": _num(k, 9999)} for k in params["i"]}
            return Response(json.dumps({"ok": True, "result": body}))
        if path == "/ltp":
            body = {str(k): {"ltp": _num(k) / 20} for k in params["i"]}
            return Response(json.dumps({"ok": True, "result": body}))
        if path.startswith("/candles/"):
            bars = [[d, 1.0, 2.0, 0.5, _num(path + str(d)) / 20, 10] for d in range(3)]
            return Response(json.dumps({"ok": True, "result": bars}))
        return Response(self.answers[path])

    def post(self, path, json=None):
        return Response('{"ok": true, "result": {"ord_no": "A%05d"}}' % _num(path + str(json)))


def mixed(contract, seed, **counts):
    rows = []
    for step, (exchange, count) in enumerate(counts.items()):
        rows += contract.pick(seed + step, count, exchange)
    Random(seed).shuffle(rows)
    return rows


def salted(rows, key, bad=("NOSUCHCO", "GHOST26AUGFUT", None, "", "ZZZINFRA"), twice=2):
    """Rows with some copies: a few whose key is bad, a few that are plain repetitions."""
    rows = list(rows)
    for i, value in enumerate(bad):
        rows.insert(7 * i + 4, {**copy.deepcopy(rows[5 * i + 2]), key: value})
    for i in range(twice):
        rows.insert(11 * i + 13, copy.deepcopy(rows[6 * i + 1]))
    return rows


def our(rows):
    return [{"symbol": r.symbol, "exchange": r.exchange} for r in rows]


def cases(contract):
    rnd = Random(1)
    book = [
        {
            "ord_no": "2608%04d" % n,
            "scrip": r.brsymbol,
            "exch": r.exchange,
            "prd": rnd.choice(["DELIVERY", "INTRADAY", "CARRY"]),
            "state": rnd.choice(["COMPLETE", "OPEN", "REJECTED", "OPEN", "TRIGGER PENDING"]),
            "side": rnd.choice(["BUY", "SELL"]),
            "qty": rnd.randrange(1, 50) * (r.lotsize or 1),
        }
        for n, r in enumerate(mixed(contract, 101, NSE=24, NFO=18, MCX=4, CDS=4))
    ]
    book = salted(book, "scrip")

    def trades():
        rows = [
            {
                "ord_no": "T%d" % n,
                "scrip": r.brsymbol,
                "exch": r.exchange,
                "prd": "CARRY",
                "side": "BUY",
                "fill_qty": str(n + 1),
                "fill_px": 10.5 + n,
                "at": "09:%02d:00" % (n % 60),
            }
            for n, r in enumerate(mixed(contract, 111, NSE=20, NFO=25, BSE=5))
        ]
        return ({"ok": True, "result": salted(rows, "scrip")},)

    def positions(seed):
        rows = [
            {
                "scrip": r.brsymbol,
                "inst_id": int(r.token),
                "exch": r.exchange,
                "prd": ["INTRADAY", "CARRY"][n % 2],
                "net_qty": [25, -50, 0, 75][n % 4],
                "avg": 100.0 + n,
            }
            for n, r in enumerate(mixed(contract, seed, NSE=15, NFO=30, MCX=3, BFO=2))
        ]
        return {"ok": True, "result": {"net": salted(rows, "inst_id", (11, 999999999, 17))}}

    def open_position():
        payload = positions(131)
        rows = salted(payload["result"]["net"], "scrip", ("NOSUCHCO", None, ""))
        payload["result"]["net"] = rows
        hit = [r for r in contract.by_exchange["NFO"] if r.brsymbol == rows[43]["scrip"]]
        name = hit[0].symbol if hit else rows[43]["scrip"]
        client = Client({"/portfolio/positions": json.dumps(payload)})
        return client, name, rows[43]["exch"], rows[43]["prd"]

    def holdings():
        rows = [
            {"scrip": r.brsymbol, "isin": "INE%06d" % n, "qty": n + 1, "avg": 90.0 + n, "ltp": 99.5}
            for n, r in enumerate(mixed(contract, 141, NSE=45, BSE=5))
        ]
        return ({"ok": True, "result": salted(rows, "scrip")},)

    def gtt():
        rows = []
        for n, r in enumerate(mixed(contract, 151, NSE=35, NFO=15)):
            leg = {"scrip": r.brsymbol, "exch": r.exchange, "px": 10.0 + n}
            rows.append(
                {
                    "id": n,
                    "condition": {"scrip": r.brsymbol, "exch": r.exchange, "at": [10.0 + n]},
                    "legs": [dict(leg) for _ in range(1 + n % 2)],
                    "state": "active",
                }
            )
        for n, bad in ((3, "NOSUCHCO"), (8, None), (21, ""), (40, "WASHERE26SEPFUT")):
            rows[n]["condition"]["scrip"] = bad
        rows[10]["legs"][0]["scrip"] = None
        return ({"ok": True, "result": rows},)

    def order_rows(seed):
        rows = [
            {**row, "action": ["buy", "SELL"][n % 2], "quantity": str(n + 1), "product": "MIS"}
            for n, row in enumerate(our(mixed(contract, seed, NSE=20, NFO=30)))
        ]
        return salted(rows, "symbol")

    def quote_rows(seed):
        return salted(our(mixed(contract, seed, NSE=20, NFO=26, NSE_INDEX=3, MCX=3)), "symbol")

    def chain():
        some = next(r for r in contract.pick(191, 50, "NFO") if r.instrumenttype == "CE")
        strikes = sorted(
            r.strike
            for r in contract.by_exchange["NFO"]
            if r.name == some.name and r.expiry == some.expiry and r.instrumenttype == "CE"
        )
        strikes = [strikes[0] - 7, *strikes[:25], strikes[-1] + 7]
        return Client(), some.name, some.expiry.replace("-", ""), strikes, "NFO"

    def ticks():
        back = {v: k for k, v in alder_mapping.WIRE_SEGMENT.items()}
        rows = [
            {"wire": (int(r.token) << 8) | back[r.exchange], "ltp": 5.0 + n}
            for n, r in enumerate(mixed(contract, 201, NSE=20, NFO=20, CDS=4, MCX=4, NSE_INDEX=2))
        ]
        return (salted(rows, "wire", ((77 << 8) | 1, (88 << 8) | 2, (99 << 8) | 200)),)

    return [
        Case("alder order book", order_data.map_order_data,
             lambda: ({"ok": True, "result": copy.deepcopy(book)},)),
        Case("alder trade book", order_data.map_trade_data, trades),
        Case("alder positions", order_data.map_position_data, lambda: (positions(121),)),
        Case("alder holdings", order_data.map_holdings, holdings),
        Case("alder gtt book", order_data.map_gtt_book, gtt),
        Case("alder margin basket", margin_data.build_margin_basket, lambda: (order_rows(161),)),
        Case("alder open position", order_api.get_open_position, open_position),
        Case("alder close all", order_api.close_all_positions,
             lambda: (Client({"/portfolio/positions": json.dumps(positions(125))}),)),
        Case("alder basket order", order_api.place_basket,
             lambda: (Client(), order_rows(171)), "thread pool"),
        Case("alder pending ids", order_api.pending_order_ids,
             lambda: (Client({"/orders": json.dumps({"ok": True, "result": book})}),
                      our(mixed(contract, 101, NSE=24, NFO=18, MCX=4, CDS=4))[::2])),
        Case("alder quotes", lambda c, s: data.AlderData(c).get_multiquotes(s),
             lambda: (Client(), quote_rows(181))),
        Case("alder histories", lambda c, s: data.AlderData(c).get_histories(s),
             lambda: (Client(), quote_rows(185)), "thread pool"),
        Case("alder option chain", data.get_option_chain, chain),
        Case("alder subscribe", alder_mapping.build_subscribe, lambda: (quote_rows(211),)),
        Case("alder ticks", alder_mapping.name_ticks, ticks),
    ]
