"""What Cedar's functions are called with."""

import json
import zlib
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace

from tests.lookahead.brokers.cedar.api import data, order_api
from tests.lookahead.brokers.cedar.mapping import margin_data, order_data
from tests.lookahead.brokers.cedar.mapping.util import STREAM_EXCHANGE
from tests.lookahead.brokers.cedar.streaming import sock
from tests.lookahead.contract import Case


@dataclass
class Client:
    answers: dict = field(default_factory=dict)

    def post(self, path, body):
        if path == "/order/place":
            number = zlib.crc32(json.dumps(body, sort_keys=True).encode())
            answer = {"orderid": "C%d" % number}
        elif path == "/order/details":
            answer = self.answers["orders"][body["id"]]
        elif path == "/quote":
            answer = {
                "fetched": [
                    {"exchange": e, "symbolToken": t, "ltp": zlib.crc32(t.encode()) % 9000 / 4}
                    for e, tokens in body["tokens"].items()
                    for t in tokens
                ]
            }
        else:
            answer = self.answers[path]
        return SimpleNamespace(text=json.dumps({"status": True, "data": answer}))


def blend(contract, seed, nse=20, nfo=22, bse=3, mcx=3, cds=2):
    rows = (
        contract.pick(seed, nse, "NSE")
        + contract.pick(seed + 1, nfo, "NFO")
        + contract.pick(seed + 2, bse, "BSE")
        + contract.pick(seed + 3, mcx, "MCX")
        + contract.pick(seed + 4, cds, "CDS")
    )
    Random(seed).shuffle(rows)
    return rows


def theirs(r):
    return r.brsymbol + "-EQ" if r.exchange == "NSE" else r.brsymbol


def cases(contract):
    def book(seed, bad=("NEVERWAS-EQ", None, "", "NEVER26AUGFUT")):
        rows = [
            {
                "orderid": "c%d" % n,
                "tradingSymbol": theirs(r),
                "symbolToken": r.token,
                "exchange": r.exchange,
                "productType": ["MARGIN", "DELIVERY"][n % 2],
                "fillSize": str(n + 1),
                "fillPrice": "%.2f" % (n * 1.5),
                "buyQty": str(n % 4 * 25),
                "sellQty": "50",
            }
            for n, r in enumerate(blend(contract, seed))
        ]
        for n, value in zip((6, 17, 23, 39), bad):
            rows[n]["tradingSymbol"] = value
        rows.insert(12, dict(rows[1]))
        rows.insert(31, dict(rows[25]))
        return rows

    def some_without_number():
        rows = book(521)
        for n in (2, 9, 16, 28):
            rows[n]["symbolToken"] = None
        rows[4]["symbolToken"] = " " + rows[4]["symbolToken"]
        rows[20]["symbolToken"] = "31"
        return ({"data": rows},)

    def holdings():
        rows = [
            {"tradingSymbol": theirs(r), "qty": n}
            for n, r in enumerate(blend(contract, 531, nse=40, nfo=0, bse=12, mcx=0, cds=0))
        ]
        for n, value in ((3, "NEVERWAS-BE"), (11, None), (24, ""), (37, "NEVERWAS2")):
            rows[n]["tradingSymbol"] = value
        rows.insert(15, dict(rows[8]))
        return ({"data": {"holdings": rows}},)

    def ledger():
        rows = [
            {"amount": 10.0 * n, "symbolToken": r.token}
            for n, r in enumerate(blend(contract, 541))
        ]
        rows[5]["symbolToken"] = "19"
        rows[14]["symbolToken"] = ""
        rows[30].pop("symbolToken")
        return (rows,)

    def ours(seed):
        rows = [
            {
                "symbol": r.symbol,
                "exchange": r.exchange,
                "qty": n + 1,
                "quantity": n + 1,
                "side": "BUY",
                "action": ["BUY", "SELL", "SELL"][n % 3],
            }
            for n, r in enumerate(blend(contract, seed))
        ]
        for n, value in ((8, "NEVERWAS"), (18, None), (27, ""), (33, "NEVER29SEP2610CE")):
            rows[n]["symbol"] = value
        rows.insert(21, dict(rows[13]))
        return rows

    def one_position():
        rows = book(561, bad=("NEVERWAS-EQ",))
        for row in rows:
            row["productType"] = "MARGIN"
        hit = [r for r in blend(contract, 561) if r.exchange == "NSE"][-1]
        return Client({"/position/net": rows}), hit.symbol, "NSE", "MARGIN"

    def close_all():
        rows = book(565, bad=())
        rows[7]["symbolToken"], rows[8]["symbolToken"] = "23", ""
        return (Client({"/position/net": rows}),)

    def details():
        orders = {row["orderid"]: row for row in book(575)}
        return Client({"orders": orders}), list(orders)

    def gtt():
        rules = []
        for n, r in enumerate(blend(contract, 581, nse=30, nfo=20)):
            leg = {"tradingSymbol": theirs(r), "exchange": r.exchange, "price": 4.5 * n}
            rules.append({"id": n, "legs": [leg, dict(leg, price=9.0 * n)][: 1 + n % 2]})
        rules[9]["legs"][0]["tradingSymbol"] = "NEVERWAS-EQ"
        rules[22]["legs"][0]["tradingSymbol"] = ""
        return (Client({"/gtt/list": {"rules": rules}}),)

    def quotes():
        rows = ours(591)
        for r in contract.pick(591, 4, "NSE_INDEX"):
            rows.insert(19, {"symbol": r.symbol, "exchange": r.exchange})
        return Client(), rows

    def chain():
        some = next(r for r in contract.pick(595, 50, "NFO") if r.instrumenttype == "CE")
        rows = [
            {
                "tradingSymbol": r.brsymbol,
                "strike": "%.6f" % r.strike,
                "optionType": r.instrumenttype,
                "delta": 0.5,
            }
            for r in contract.by_exchange["NFO"]
            if (r.name, r.expiry) == (some.name, some.expiry) and r.instrumenttype != "FUT"
        ]
        rows[3]["tradingSymbol"] = "NEVER26AUG10CE"
        Random(595).shuffle(rows)
        return Client({"/option/greeks": rows}), some.name, some.expiry, 25

    def eod():
        nse = contract.pick(601, 30, "NSE")
        nfo = contract.pick(602, 20, "NFO")
        files = [
            {
                "date": "2026-08-%02d" % day,
                "exchange": exchange,
                "rows": ["%s,EOD,%.2f" % (r.token, day + n) for n, r in enumerate(rows)] + ["9,E,1"],
            }
            for day in (17, 18)
            for exchange, rows in (("NSE", nse), ("NFO", nfo))
        ]
        return {}, files

    def instruments():
        rows = [[r["symbol"], r["exchange"]] for r in ours(611)]
        return ([*rows, ["NIFTY", "NSE_INDEX"]],)

    def packets():
        rows = [
            {"et": STREAM_EXCHANGE[r.exchange], "tk": r.token.ljust(12, "\x00"), "ltp": 100 * n}
            for n, r in enumerate(blend(contract, 621))
        ]
        rows[5]["tk"], rows[6]["tk"], rows[35]["et"] = "15" + "\x00" * 10, "\x00" * 12, 99
        return rows, {}

    return [
        Case("cedar order book", order_data.mapOrderBook, lambda: ({"data": book(501)},)),
        Case("cedar trade book", order_data.mapTradeBook, lambda: ({"data": book(511)},)),
        Case("cedar positions", order_data.mapPositions, some_without_number),
        Case("cedar holdings", order_data.mapHoldings, holdings),
        Case("cedar ledger", order_data.nameLedger, ledger, "probes up to six exchanges"),
        Case("cedar margin", margin_data.marginRequest, lambda: (ours(551),)),
        Case("cedar open position", order_api.getOpenPosition, one_position),
        Case("cedar close all", order_api.closeAll, close_all),
        Case("cedar basket", order_api.basketOrder,
             lambda: (Client(), {"orders": ours(571)}), "thread pools: two, with two kinds of lookup"),
        Case("cedar fill names", order_api.fillNames, details, "thread pool: the key comes from a request in the worker"),
        Case("cedar gtt", order_api.gttRules, gtt),
        Case("cedar quotes", data.multiQuotes, quotes, "two kinds of lookup, one of them falls back"),
        Case("cedar option chain", data.optionChain, chain),
        Case("cedar eod closes", data.prevCloses, eod),
        Case("cedar subscription", sock.subscription, instruments),
        Case("cedar ticks", sock.onTicks, packets),
    ]
