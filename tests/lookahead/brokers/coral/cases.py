"""What Coral's functions are called with."""

import copy
import zlib
from random import Random

from tests.lookahead.brokers.coral.api import data, order_api
from tests.lookahead.brokers.coral.mapping import margin_data, order_data
from tests.lookahead.brokers.coral.mapping.lookup import FEED_SEGMENT
from tests.lookahead.brokers.coral.mapping.transform_data import SEGMENTS
from tests.lookahead.brokers.coral.streaming.adapter import CoralAdapter
from tests.lookahead.contract import Case


def number(text, below=10000):
    return zlib.crc32(str(text).encode()) % below


class Api:
    def __init__(self, books=None, keep=True):
        self.books = books or {}
        self.sent = [] if keep else None

    def __repr__(self):
        return f"Api({self.sent})"

    def get(self, path):
        return copy.deepcopy(self.books[path])

    def delete(self, path):
        return {"orderStatus": "CANCELLED" if number(path, 11) else "REJECTED"}

    def post(self, path, body):
        if self.sent is not None:
            self.sent.append((path, copy.deepcopy(body)))
        if path == "/orders":
            return {"orderId": f"1{number(body, 10**9)}", "orderStatus": "TRANSIT"}
        if path == "/marketfeed/quote":
            return {
                "data": {
                    segment: {str(i): {"last_price": number(i) / 20} for i in ids if number(i, 19)}
                    for segment, ids in body.items()
                }
            }
        if path == "/charts/historical":
            base = number(body) / 10
            return {"timestamp": [1, 2, 3], "close": [base, base + 1, base + 2]}
        raise KeyError(path)


def blend(contract, seed, **counts):
    rows = []
    for exchange in counts:
        rows.extend(contract.pick(seed, counts[exchange], exchange))
    Random(seed).shuffle(rows)
    return rows


def spoil(rows, key, *bad, repeats=3):
    rng = Random(len(rows))
    out = copy.deepcopy(rows)
    for value in bad:
        out.insert(rng.randrange(len(out)), {**copy.deepcopy(rng.choice(rows)), key: value})
    for _ in range(repeats):
        out.insert(rng.randrange(len(out)), copy.deepcopy(rng.choice(rows)))
    return out


def cases(contract):
    def orders(seed, text=False):
        rows = [
            {
                "orderId": f"1122{n:05}",
                "securityId": r.token if text else int(r.token),
                "exchangeSegment": SEGMENTS[r.exchange],
                "tradingSymbol": r.brsymbol,
                "productType": ("CNC", "INTRADAY", "MARGIN")[n % 3],
                "transactionType": ("BUY", "SELL")[n % 2],
                "quantity": n + 1,
                "price": 10.0 + n,
                "orderStatus": ("TRADED", "PENDING", "REJECTED", "PENDING")[n % 4],
            }
            for n, r in enumerate(blend(contract, seed, NSE=22, NFO=22, MCX=3, CDS=3))
        ]
        bad = ("11", "999999999") if text else (11, 999999999, 0)
        return spoil(rows, "securityId", *bad)

    def trades():
        rows = [
            {
                "securityId": [r.token, int(r.token)][n % 2],
                "exchangeSegment": SEGMENTS[r.exchange],
                "tradingSymbol": r.brsymbol,
                "tradedQuantity": n + 1,
                "tradedPrice": 4.25 * n,
            }
            for n, r in enumerate(blend(contract, 3002, NSE=30, NFO=20))
        ]
        return (spoil(rows, "securityId", None, "", "abc", 77),)

    def positions(seed, bad=(None, "", 31)):
        rows = [
            {
                "securityId": [str(int(r.token)), int(r.token), r.token + ".0"][n % (3 if bad else 2)],
                "exchangeSegment": SEGMENTS[r.exchange],
                "tradingSymbol": r.brsymbol,
                "positionType": ("LONG", "SHORT", "LONG", "CLOSED")[n % 4],
                "productType": ("INTRADAY", "MARGIN")[n % 2],
                "netQty": (10, -75, 150, 0)[n % 4],
            }
            for n, r in enumerate(blend(contract, seed, NSE=12, NFO=36, BFO=2))
        ]
        return spoil(rows, "securityId", *(bad or ("31", 47)))

    def holdings():
        rows = [
            {
                "exchange": "ALL",
                "tradingSymbol": r.brsymbol,
                "securityId": r.token,
                "totalQty": n,
                "avgCostPrice": n * 1.5,
            }
            for n, r in enumerate(blend(contract, 3004, NSE=30, BSE=20))
        ]
        rows = spoil(rows, "tradingSymbol", "NOSUCH", None, "", "SGB2031")
        rows.insert(5, {"totalQty": 3})
        return (rows,)

    def super_orders():
        rows = []
        for n, r in enumerate(blend(contract, 3005, NSE=20, NFO=30)):
            leg = {"legName": "TARGET_LEG", "price": n + 1.0}
            stop = {"legName": "STOP_LOSS_LEG", "price": n / 2, "securityId": r.token}
            rows.append(
                {
                    "orderId": str(n),
                    "securityId": r.token,
                    "exchangeSegment": SEGMENTS[r.exchange],
                    "tradingSymbol": r.brsymbol,
                    "legDetails": [leg, stop][: n % 3],
                }
            )
        return (spoil(rows, "securityId", "17", None, ""),)

    def requests(seed):
        rows = [
            {
                "symbol": r.symbol,
                "exchange": r.exchange,
                "action": "BUY",
                "quantity": str(n + 1),
                "product": ("MIS", "NRML")[n % 2],
            }
            for n, r in enumerate(blend(contract, seed, NSE=20, NFO=25, MCX=5))
        ]
        rows = spoil(rows, "symbol", "NOSUCH", None, "")
        return [*rows, {"symbol": "NIFTY"}, {"exchange": "NSE", "symbol": rows[0]["symbol"]}]

    def wanted(seed, n=1):
        rows = [
            {"symbol": r.symbol, "exchange": r.exchange}
            for r in blend(contract, seed, NSE=20 * n, NFO=22 * n, CDS=3, NSE_INDEX=3, MCX=2)
        ]
        return spoil(rows, "symbol", "NOSUCH", None, "", "NIFTY01JAN2620000CE")

    def packets():
        number_of = {SEGMENTS[x]: c for c, s in FEED_SEGMENT.items() for x in SEGMENTS if SEGMENTS[x] == s}
        rows = [
            {
                "type": (2, 4, 8, 2, 5)[n % 5],
                "exchangeSegment": number_of[SEGMENTS[r.exchange]],
                "securityId": int(r.token),
                "LTP": 10.123 + n,
            }
            for n, r in enumerate(blend(contract, 3011, NSE=25, NFO=23, NSE_INDEX=2))
        ]
        return CoralAdapter(), spoil(rows, "securityId", 13, 0)

    held = next(p for p in positions(3006)
                if p["exchangeSegment"] == "NSE_FNO" and p["productType"] == "MARGIN")
    asked = next(r for r in blend(contract, 3006, NSE=12, NFO=36, BFO=2)
                 if r.brsymbol == held["tradingSymbol"])

    return [
        Case("coral order book",
             lambda r: order_data.transform_order_data(order_data.map_order_data(r)),
             lambda: (orders(3001),)),
        Case("coral trade book", order_data.map_trade_data, trades),
        Case("coral positions", order_data.map_position_data, lambda: (positions(3003),)),
        Case("coral holdings", order_data.map_portfolio_data, holdings),
        Case("coral super orders", order_data.map_super_orders, super_orders),
        Case("coral margin positions", margin_data.transform_margin_positions,
             lambda: (requests(3007), "1000001")),
        Case("coral open position", order_api.get_open_position,
             lambda: (asked.symbol, asked.exchange, "NRML",
                      Api({"/positions": positions(3006)[::-1]}))),
        Case("coral close all", order_api.close_all_positions,
             lambda: (Api({"/positions": positions(3008, None)}, keep=False),)),
        Case("coral cancel all", order_api.cancel_all_orders,
             lambda: (Api({"/orders": orders(3009, text=True)}),)),
        Case("coral split order", order_api.split_order,
             lambda: ({"symbol": asked.symbol, "exchange": asked.exchange, "action": "BUY",
                       "product": "MIS", "pricetype": "MARKET", "quantity": "900"}, 50, Api())),
        Case("coral multiquotes", lambda a, s: data.BrokerData(a).get_multiquotes(s),
             lambda: (Api(), wanted(3010, 2))),
        Case("coral last closes", lambda a, s: data.BrokerData(a).last_closes(s),
             lambda: (Api(), wanted(3012))),
        Case("coral subscribe", lambda a, s: a.subscribe(s),
             lambda: (CoralAdapter(), wanted(3013, 3))),
        Case("coral packets", lambda a, p: a.on_packets(p), packets),
    ]
