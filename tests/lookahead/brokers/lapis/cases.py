"""What Lapis's functions are called with."""

import copy
import zlib
from random import Random

from tests.lookahead.brokers.lapis.api import data, order_api
from tests.lookahead.brokers.lapis.mapping import margin_data, order_data
from tests.lookahead.brokers.lapis.mapping.symid import KINDS
from tests.lookahead.brokers.lapis.streaming.adapter import LapisAdapter
from tests.lookahead.contract import Case


def number(text, below=10000):
    return zlib.crc32(str(text).encode()) % below


class Api:
    def __init__(self, rows=()):
        self.rows = rows

    def fetch(self, path):
        return {"s": "ok", "d": copy.deepcopy(list(self.rows))} if self.rows else {"s": "no-data"}

    def send(self, path, body):
        if path.endswith("place-order"):
            if number(body, 18) == 0:
                return {"s": "error", "msg": f"rms {number(body)}"}
            return {"s": "ok", "d": {"orderId": f"L{number(body)}"}}
        if path.endswith("cancel-order"):
            return {"s": "ok" if number(body, 8) else "error"}
        if path.endswith("quotes"):
            return {"d": [{"symId": s, "ltp": number(s) / 20} for s in body["symIds"] if number(s, 13)]}
        if path.endswith("chart"):
            return {"d": {"bars": [[t, 1, 2, 0, number(body) / 20 + t] for t in range(3)]}}
        if path.endswith("depth"):
            return {"bid": number(body) / 17}
        raise KeyError(path)


def blend(contract, seed, **counts):
    rows = []
    for n, (exchange, count) in enumerate(counts.items()):
        rows += contract.pick(seed + 100 * n, count, exchange)
    Random(seed).shuffle(rows)
    return rows


def spoil(rows, key, *bad):
    rng = Random(127)
    out = copy.deepcopy(rows)
    for value in bad:
        out.insert(rng.randrange(len(out)), {**copy.deepcopy(rng.choice(rows)), key: value})
    for _ in range(3):
        out.insert(rng.randrange(len(out)), copy.deepcopy(rng.choice(rows)))
    return out


def cases(contract):
    def symid(r):
        series = "_EQ" if r.instrumenttype == "EQ" else ""
        return f"{KINDS[r.instrumenttype]}_{r.brsymbol}{series}_{r.exchange}"

    def rows(seed, key, *bad, **counts):
        made = [
            {
                "orderId": f"L{n:05}",
                "symId": symid(r),
                "listingId": f"{r.token}_{r.exchange}",
                "tradingSymbol": r.brsymbol,
                "sym": r.brsymbol,
                "exchange": r.exchange,
                "side": ("buy", "sell")[n % 2],
                "product": ("delivery", "intraday", "normal", "mtf")[n % 4],
                "status": ("open", "filled", "pending", "rejected")[n % 4],
                "netQty": (25, -50, 0)[n % 3],
                "pnl": 3.35 * (n - 25),
            }
            for n, r in enumerate(blend(contract, seed, **(counts or {"NSE": 22, "NFO": 24, "MCX": 4})))
        ]
        return spoil(made, key, *bad)

    def answer(made):
        return {"s": "ok", "d": made}

    def orders():
        made = rows(12001, "symId", "EQT_NOSUCH_EQ_NSE", "", None, "NIFTY", "OPT_OLD_NFO")
        made[18].pop("symId")
        return (answer(made),)

    def trades():
        made = rows(12002, "listingId", "11_NSE", "", None, "3045")
        made[27].pop("listingId")
        return (answer(made),)

    def requests(seed):
        made = [
            {
                "symbol": r.symbol,
                "exchange": r.exchange,
                "action": ("BUY", "SELL")[n % 2],
                "quantity": str(n + 1),
                "product": ("MIS", "NRML", "CNC")[n % 3],
                "pricetype": ("MARKET", "LIMIT", "SL")[n % 3],
            }
            for n, r in enumerate(blend(contract, seed, NSE=20, NFO=28, MCX=2))
        ]
        return spoil(made, "symbol", "NOSUCH", None, "")

    def wanted(seed, n=1):
        made = [
            {"symbol": r.symbol, "exchange": r.exchange}
            for r in blend(contract, seed, NSE=20 * n, NFO=24 * n, NSE_INDEX=4, CDS=2)
        ]
        return spoil(made, "symbol", "NOSUCH", None, "")

    def quotes():
        picked = blend(contract, 12012, NSE=22, NFO=24, BFO=4)
        adapter = LapisAdapter()
        for r in picked[::7]:
            adapter.listings[f"{r.token}_{r.exchange}"] = (r.symbol, r.exchange)
        made = [{"sym": f"{r.token}_{r.exchange}", "ltp": 10.0 + n} for n, r in enumerate(picked)]
        return adapter, spoil(made, "sym", "11_NSE", "", None, "_NSE", "3045")

    def events():
        made = [
            {**row, "type": ("order", "order", "trade")[n % 3]}
            for n, row in enumerate(rows(12013, "symId", "EQT_NOSUCH_EQ_NSE", "", None))
        ]
        return LapisAdapter(), [{"type": "hello"}, *made]

    def held():
        made = rows(12007, "listingId", "11_NSE")
        row = [r for r in made if r["netQty"] and r["listingId"] != "11_NSE"][-2]
        token = row["listingId"].split("_")[0]
        symbol = next(r.symbol for r in contract.by_exchange[row["exchange"]] if r.token == token)
        return symbol, row["exchange"], Api(made)

    mixed_listings = ("11_NSE", "", None, "3045", "a_b_c")
    return [
        Case("lapis order book", order_data.map_order_data, orders),
        Case("lapis trade book", order_data.map_trade_data, trades),
        Case("lapis positions", order_data.map_position_data,
             lambda: (answer(rows(12003, "listingId", *mixed_listings)),)),
        Case("lapis holdings", order_data.map_portfolio_data,
             lambda: (answer(rows(12004, "sym", "NOSUCH", "", None, "NIFTY 50", NSE=32, BSE=18)),)),
        Case("lapis totals", order_data.totals,
             lambda: (answer(rows(12005, "listingId", *mixed_listings)),)),
        Case("lapis margin positions", margin_data.transform_margin_positions,
             lambda: ([*requests(12006), {"symbol": "NIFTY"}],)),
        Case("lapis open position", order_api.get_open_position, held),
        Case("lapis basket", order_api.place_basket, lambda: (requests(12008), Api())),
        Case("lapis close all", order_api.close_all_positions,
             lambda: (Api(rows(12009, "listingId", "11_NSE")),)),
        Case("lapis cancel all", order_api.cancel_all_orders,
             lambda: (Api(rows(12010, "listingId", *mixed_listings)),)),
        Case("lapis reconcile", order_api.reconcile,
             lambda: (requests(12014), Api(rows(12014, "tradingSymbol", "NOSUCH")[::2]))),
        Case("lapis multiquotes", lambda a, s: data.BrokerData(a).get_multiquotes(s),
             lambda: (Api(), wanted(12011, 2))),
        Case("lapis history", lambda a, s: list(data.BrokerData(a).get_history(s)),
             lambda: (Api(), wanted(12015))),
        Case("lapis depth", lambda a, s: data.BrokerData(a).get_depth(s),
             lambda: (Api(), wanted(12016))),
        Case("lapis subscribe", lambda a, s: a.subscribe(s),
             lambda: (LapisAdapter(), wanted(12017))),
        Case("lapis quotes", lambda a, q: list(a.on_quotes(q)), quotes),
        Case("lapis order events", lambda a, e: a.on_order_events(e), events),
    ]
