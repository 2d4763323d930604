"""What Dolomite's functions are called with."""

import copy
import zlib
from random import Random

from tests.lookahead.brokers.dolomite.api import data, order_api
from tests.lookahead.brokers.dolomite.mapping import margin_data, order_data
from tests.lookahead.brokers.dolomite.mapping.util import EXCHANGE
from tests.lookahead.brokers.dolomite.streaming.adapter import DolomiteAdapter
from tests.lookahead.contract import Case

CODES = {name: code for code, name in EXCHANGE.items()}
HEAD = {"NFO": "NSE", "CDS": "NSE", "BFO": "BSE"}


def number(text, below=10000):
    return zlib.crc32(str(text).encode()) % below


def http(**books):
    def call(method, path, body):
        if method == "GET" and path[1:] in books:
            return copy.deepcopy(books[path[1:]])
        if path == "/orders/sync" and method == "POST":
            if number(body, 23) == 0:
                return {"s": "error", "message": "RED:Margin Shortfall"}
            return {"s": "ok", "id": f"52104{number(body)}"}
        if path == "/orders/sync":
            return {"s": "ok" if number(body["id"], 7) else "error"}
        if path == "/quotes":
            return {
                "d": [
                    {"n": n, "s": "ok" if number(n, 15) else "error",
                     "v": {"lp": number(n) / 20, "bid": number(n) / 20 - 0.05}}
                    for n in body
                ]
            }
        if path == "/history":
            return {"candles": [[t, number(body) / 10 + t] for t in range(4)]}
        raise KeyError(path)

    return call


def ticker(r):
    tail = {"NSE": "-EQ", "BSE": "-A"}.get(r.exchange, "")
    return f"{HEAD.get(r.exchange, r.exchange)}:{r.brsymbol}{tail}"


def blend(contract, seed, **counts):
    rows = []
    for exchange, count in counts.items():
        rows += contract.pick(seed + len(exchange), count, exchange)
    Random(seed).shuffle(rows)
    return rows


def spoil(rows, key, bad, repeats=3):
    rng = Random(4)
    out = [dict(row) for row in rows]
    for value in bad:
        out.insert(rng.randrange(len(out)), {**rng.choice(rows), key: value})
    for _ in range(repeats):
        out.insert(rng.randrange(len(out)), dict(rng.choice(rows)))
    return out


def cases(contract):
    BAD = ("NSE:NOSUCH-EQ", "NSE:OLD25DECFUT", "", None)

    def rows(seed, bad=BAD, **counts):
        made = [
            {
                "id": f"2308{n:05}",
                "symbol": ticker(r),
                "exchange": CODES[r.exchange][0],
                "segment": CODES[r.exchange][1],
                "productType": ("INTRADAY", "CNC", "MARGIN")[n % 3],
                "status": (2, 6, 5, 6, 1, 4)[n % 6],
                "side": (1, -1)[n % 2],
                "netQty": (50, -75, 0)[n % 3],
                "tradedQty": n + 1,
                "tradePrice": 10.5 + n,
                "orderNumber": f"23080{n:05}-BO-1",
                "pl": 12.345 * (n - 24),
            }
            for n, r in enumerate(blend(contract, seed, **(counts or {"NSE": 22, "NFO": 24, "CDS": 2, "MCX": 2})))
        ]
        return spoil(made, "symbol", bad)

    def requests(seed):
        made = [
            {
                "symbol": r.symbol,
                "exchange": r.exchange,
                "action": ("BUY", "SELL")[n % 2],
                "quantity": str(n + 1),
                "product": ("MIS", "CNC", "NRML")[n % 3],
                "pricetype": "MARKET",
                "position_size": str(n % 4 * 50),
            }
            for n, r in enumerate(blend(contract, seed, NSE=20, NFO=28, BSE=2))
        ]
        return spoil(made, "symbol", ("NOSUCH", None, "", "NIFTY26JUN"))

    def wanted(seed, n=1):
        made = [
            {"symbol": r.symbol, "exchange": r.exchange}
            for r in blend(contract, seed, NSE=20 * n, NFO=24 * n, NSE_INDEX=4, BSE=2)
        ]
        return spoil(made, "symbol", ("NOSUCH", None, ""))

    def chain():
        some = contract.pick(4444, 1, "NFO")[0]
        strikes = sorted({
            r.strike for r in contract.by_exchange["NFO"]
            if r.name == some.name and r.expiry == some.expiry and r.strike
        })
        return some.name, some.expiry.replace("-", ""), [strikes[0] - 3.5, *strikes, strikes[-1] * 2]

    def messages():
        picked = blend(contract, 4012, NSE=20, NFO=25, NSE_INDEX=5)
        made = [
            {
                "type": "if" if r.exchange == "NSE_INDEX" else ("sf", "dp", "sf", "cn")[n % 4],
                "symbol": ticker(r) if r.exchange != "NSE_INDEX" else f"NSE:{r.brsymbol}-INDEX",
                "exch": r.exchange,
                "ltp": 10.0 + n,
            }
            for n, r in enumerate(picked)
        ]
        adapter = DolomiteAdapter()
        adapter.tickers = {m["symbol"]: (m["exch"], "S" + str(n)) for n, m in enumerate(made[:8])}
        return adapter, spoil(made, "symbol", ("NSE:NOSUCH-EQ", "NSE:"))

    def updates():
        made = [
            {"fyToken": f"1011260825{r.token}", "symbol": ticker(r), "exch": r.exchange, "n": n}
            for n, r in enumerate(blend(contract, 4013, NSE=25, NFO=25))
        ]
        return DolomiteAdapter(), spoil(made, "fyToken", ("101000000011", "1010000000", ""))

    with_blanks = ("NSE:NOSUCH-EQ", "", "NSE:OLD25DECFUT")
    return [
        Case("dolomite order book", order_data.map_order_data,
             lambda: ({"orderBook": rows(4001)},)),
        Case("dolomite trade book", order_data.map_trade_data,
             lambda: ({"tradeBook": rows(4002)},)),
        Case("dolomite positions", order_data.map_position_data,
             lambda: ({"netPositions": rows(4003)},)),
        Case("dolomite holdings", order_data.map_portfolio_data,
             lambda: ({"holdings": [{**r, "quantity": r["netQty"]} for r in
                                    rows(4004, with_blanks, NSE=35, BSE=15)]},)),
        Case("dolomite positions frame", order_data.positions_frame,
             lambda: ({"netPositions": rows(4005, with_blanks)},)),
        Case("dolomite margin positions", margin_data.transform_margin_positions,
             lambda: (requests(4006),)),
        Case("dolomite smart orders", order_api.place_smartorders,
             lambda: (requests(4003)[:30], http(positions={"s": "ok", "netPositions": rows(4003)}))),
        Case("dolomite close all", order_api.close_all_positions,
             lambda: (http(positions={"s": "ok", "netPositions": rows(4007)}),)),
        Case("dolomite basket", order_api.place_basket, lambda: (requests(4008), http())),
        Case("dolomite cancel all", order_api.cancel_all_orders,
             lambda: (http(orders={"orderBook": rows(4009, with_blanks)}),)),
        Case("dolomite multiquotes", lambda h, s: data.BrokerData(h).get_multiquotes(s),
             lambda: (http(), wanted(4010, 2))),
        Case("dolomite history frame", lambda h, s: data.BrokerData(h).history_frame(s),
             lambda: (http(), [*wanted(4011)[:40], {"exchange": "NSE"}])),
        Case("dolomite option chain", lambda h, *a: data.BrokerData(h).get_option_chain(*a),
             lambda: (http(), *chain())),
        Case("dolomite subscribe", lambda a, s: a.subscribe(s),
             lambda: (DolomiteAdapter(), wanted(4014))),
        Case("dolomite messages", lambda a, m: a.on_message(m), messages),
        Case("dolomite order updates", lambda a, u: a.on_order_update(u), updates),
    ]
