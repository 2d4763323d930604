"""What Jade's functions are called with."""

import copy
import zlib
from random import Random

from tests.lookahead.brokers.jade.api import data, order_api
from tests.lookahead.brokers.jade.mapping import margin_data, order_data
from tests.lookahead.brokers.jade.mapping.transform_data import SEGMENT
from tests.lookahead.brokers.jade.streaming.adapter import JadeAdapter
from tests.lookahead.contract import Case

HEAD = {"NFO": "NSE", "BFO": "BSE"}


def number(text, below=10000):
    return zlib.crc32(str(text).encode()) % below


def server(**books):
    def client(method, path, body):
        if path in ("/v1/positions/user", "/v1/order/list"):
            return {"status": "SUCCESS", "payload": copy.deepcopy(books)}
        if path == "/v1/order/create":
            if number(body, 19) == 0:
                return {"status": "FAILURE", "error": {"message": f"GA00{number(body, 9)}"}}
            return {"status": "SUCCESS", "payload": {"groww_order_id": f"GMK{number(body)}"}}
        if path == "/v1/order/cancel":
            return {"status": "SUCCESS" if number(body, 8) else "FAILURE"}
        if "/ltp/" in path:
            return {"payload": {key: number(key) / 20 for key in body if number(key, 12)}}
        if path.endswith("quote"):
            return {"payload": {"last_price": number(body) / 20}}
        if path.endswith("range"):
            return {"payload": {"candles": [[t, number(body) / 19 + t, 5] for t in range(12)]}}
        raise KeyError(path)

    return client


def blend(contract, seed, **counts):
    rows = []
    for exchange, count in counts.items():
        rows += contract.pick(seed + count, count, exchange)
    Random(seed).shuffle(rows)
    return rows


def spoil(rows, key, *bad):
    rng = Random(101)
    out = copy.deepcopy(rows)
    for value in bad:
        out.insert(rng.randrange(len(out)), {**copy.deepcopy(rng.choice(rows)), key: value})
    for _ in range(3):
        out.insert(rng.randrange(len(out)), copy.deepcopy(rng.choice(rows)))
    return out


def cases(contract):
    def rows(seed, *bad, key="trading_symbol", **counts):
        made = [
            {
                "groww_order_id": f"GMK{n:06}",
                "trading_symbol": r.brsymbol,
                "exchange": HEAD.get(r.exchange, r.exchange),
                "segment": SEGMENT[r.exchange],
                "exchange_token": r.token,
                "product": ("MIS", "NRML", "CNC")[n % 3],
                "order_status": ("NEW", "EXECUTED", "OPEN", "REJECTED")[n % 4],
                "credit_quantity": (75, 0, 50)[n % 3],
                "debit_quantity": (25, 50, 50)[n % 3],
                "quantity": n + 1,
                "price": 20.25 + n,
                "average_price": 18.4 + n,
                "realised_pnl": 7.75 * (n - 20),
            }
            for n, r in enumerate(blend(contract, seed, **(counts or {"NSE": 20, "NFO": 26, "BFO": 4})))
        ]
        return spoil(made, key, *(bad or ("NOSUCH", "", None)))

    def orders(seed):
        made = rows(seed)
        made[14].pop("trading_symbol")
        return made

    def requests(seed, *bad):
        made = [
            {
                "symbol": r.symbol,
                "exchange": r.exchange,
                "action": ("BUY", "sell", "buy")[n % 3],
                "quantity": str(n + 1),
                "product": ("MIS", "NRML", "CNC")[n % 3],
                "pricetype": ("MARKET", "SL-M")[n % 2],
                "position_size": str((50, 0, 100, -50)[n % 4]),
            }
            for n, r in enumerate(blend(contract, seed, NSE=20, NFO=26, BFO=4))
        ]
        return spoil(made, "symbol", "NOSUCH", None, "")

    def margin():
        made = requests(10005)
        made[9].pop("quantity")
        made[33]["quantity"] = "x"
        return (made,)

    def wanted(seed, n=1):
        made = [
            {"symbol": r.symbol, "exchange": r.exchange}
            for r in blend(contract, seed, NSE=22 * n, NFO=22 * n, NSE_INDEX=4, MCX=2)
        ]
        return spoil(made, "symbol", "NOSUCH", None, "")

    def tick():
        tree = {}
        for n, r in enumerate(blend(contract, 10012, NSE=22, NFO=24, BSE=2, BFO=2)):
            segments = tree.setdefault(HEAD.get(r.exchange, r.exchange), {})
            segments.setdefault(SEGMENT[r.exchange], {})[r.token] = {"ltp": 10.5 + n}
        tree["NSE"]["CASH"]["11"] = {"ltp": 0.0}
        tree["NSE"]["FNO"]["999999999"] = {"ltp": 0.0}
        return JadeAdapter(), tree

    return [
        Case("jade order book", order_data.map_order_data, lambda: ({"order_list": orders(10001)},)),
        Case("jade trade book", order_data.map_trade_data,
             lambda: ({"trade_list": rows(10002, "NOSUCH", "")},)),
        Case("jade positions", order_data.map_position_data,
             lambda: ({"positions": rows(10003, "NOSUCH", "")},)),
        Case("jade holdings", order_data.map_portfolio_data,
             lambda: ({"holdings": rows(10004, NSE=35, BSE=15)},)),
        Case("jade pnl by expiry", order_data.pnl_by_expiry,
             lambda: ({"positions": rows(10013, "13", "", key="exchange_token")},)),
        Case("jade margin positions", margin_data.transform_margin_positions, margin),
        Case("jade basket", order_api.place_basket, lambda: (requests(10006), server())),
        Case("jade smart orders", order_api.place_smartorders,
             lambda: (requests(10007)[:40], server(positions=rows(10007)))),
        Case("jade close all", order_api.close_all_positions,
             lambda: (server(positions=rows(10008, "13", "", key="exchange_token")),)),
        Case("jade cancel all", order_api.cancel_all_orders,
             lambda: (server(order_list=orders(10009)),)),
        Case("jade ltp", lambda c, s: data.BrokerData(c).get_ltp(s),
             lambda: (server(), wanted(10010, 2))),
        Case("jade multiquotes", lambda c, s: data.BrokerData(c).get_multiquotes(s),
             lambda: (server(), wanted(10011))),
        Case("jade history", lambda c, s: data.BrokerData(c).get_history(s),
             lambda: (server(), wanted(10014))),
        Case("jade subscribe", lambda a, s: a.subscribe(s),
             lambda: (JadeAdapter(), wanted(10015))),
        Case("jade ticks", lambda a, t: a.on_tick(t), tick),
    ]
