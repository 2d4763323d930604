"""What Amber's functions are called with."""

import copy
import zlib
from random import Random

from tests.lookahead.brokers.amber.api import data, order_api
from tests.lookahead.brokers.amber.mapping import margin_data, order_data
from tests.lookahead.brokers.amber.streaming.adapter import CODE, AmberAdapter
from tests.lookahead.contract import Case


def number(text, below=10000):
    return zlib.crc32(str(text).encode()) % below


class Session:
    """The broker's API, canned; remembers what it was asked unless `quiet` (threads)."""

    def __init__(self, canned=None, quiet=False):
        self.canned = canned or {}
        self.quiet = quiet
        self.log = []

    def __repr__(self):
        return "Session()" if self.quiet else f"Session({self.log})"

    def request(self, method, path, payload=None):
        if not self.quiet:
            self.log.append((method, path, copy.deepcopy(payload)))
        if path in self.canned:
            return copy.deepcopy(self.canned[path])
        if path == "/orders/regular":
            if not payload["tradingsymbol"]:
                return {"status": "error", "message": "bad tradingsymbol"}
            return {"status": "success", "data": {"order_id": f"26{number(payload, 10**8):08}"}}
        if path == "/quote":
            known = [k for k in payload if number(k, 17)]
            return {"data": {k: {"last_price": number(k) / 20, "volume": number(k)} for k in known}}
        if path.startswith("/instruments/historical"):
            bars = [[d, 1.0, 2.0, 0.5, number(path) / 20 + d, 100] for d in range(4)]
            return {"data": {"candles": bars}}
        if path == "/margins/basket":
            total = sum(number(leg["tradingsymbol"]) for leg in payload)
            return {"status": "success", "data": {"final": {"total": total, "span": total / 2}}}
        raise KeyError(path)


def blend(contract, seed, **counts):
    rows = []
    for exchange, count in counts.items():
        rows += contract.pick(seed, count, exchange)
    Random(seed).shuffle(rows)
    return rows


def spoil(rows, key, bad=("NOSUCH", None, "", "OLDCO26JUNFUT"), repeats=3, seed=3):
    """Mixes in rows whose key is bad, and copies of some rows."""
    rng = Random(seed)
    out = [copy.deepcopy(row) for row in rows]
    for value in bad:
        out.insert(rng.randrange(len(out)), {**copy.deepcopy(rng.choice(rows)), key: value})
    for _ in range(repeats):
        out.insert(rng.randrange(len(out)), copy.deepcopy(rng.choice(rows)))
    return out


def cases(contract):
    def orders():
        rows = [
            {
                "order_id": f"2608010{n:05}",
                "exchange": r.exchange,
                "tradingsymbol": r.brsymbol,
                "instrument_token": int(r.token),
                "transaction_type": ("BUY", "SELL")[n % 2],
                "order_type": ("MARKET", "LIMIT", "SL", "SLM")[n % 4],
                "product": ("MIS", "NRML", "CNC", "MTF", "CO")[n % 5],
                "quantity": r.lotsize * (1 + n % 3),
                "average_price": 100.0 + n,
                "status": ("COMPLETE", "OPEN", "REJECTED", "CANCELLED")[n % 4],
            }
            for n, r in enumerate(blend(contract, 1001, NSE=25, NFO=20, MCX=5))
        ]
        return {"status": "success", "data": spoil(rows, "tradingsymbol")}

    def trades():
        rows = [
            {
                "order_id": f"T{n:05}",
                "exchange": r.exchange,
                "tradingsymbol": r.brsymbol,
                "product": "MIS",
                "transaction_type": "BUY",
                "quantity": n + 1,
                "average_price": 50.25 + n,
                "fill_timestamp": f"2026-08-03 09:{n % 60:02}:11",
            }
            for n, r in enumerate(blend(contract, 1002, NSE=30, NFO=15, BSE=5))
        ]
        return ({"status": "success", "data": spoil(rows, "tradingsymbol")},)

    def positions(seed):
        rows = [
            {
                "tradingsymbol": r.brsymbol,
                "exchange": r.exchange,
                "instrument_token": int(r.token),
                "product": ("MIS", "NRML")[n % 2],
                "quantity": (50, -25, 0, 75, -100)[n % 5],
                "average_price": 10.0 + n / 4,
                "pnl": 3.125 * (n - 20),
            }
            for n, r in enumerate(blend(contract, seed, NSE=12, NFO=34, MCX=4))
        ]
        net = spoil(rows, "tradingsymbol", ("NOSUCH", ""))
        return {"status": "success", "data": {"net": net, "day": []}}

    def holdings():
        rows = [
            {
                "tradingsymbol": r.brsymbol,
                "exchange": r.exchange,
                "quantity": n % 7,
                "t1_quantity": 0 if n % 3 else 2,
                "average_price": 80.0 + n,
                "last_price": 90.0 + n / 2,
            }
            for n, r in enumerate(blend(contract, 1004, NSE=40, BSE=12))
        ]
        return ({"data": spoil(rows, "tradingsymbol")},)

    def requests(seed, **counts):
        counts = counts or {"NSE": 20, "NFO": 30}
        rows = [
            {
                "symbol": r.symbol,
                "exchange": r.exchange,
                "action": ("BUY", "sell")[n % 2],
                "quantity": str(r.lotsize * (1 + n % 4)),
                "product": ("MIS", "NRML")[n % 2],
                "pricetype": "MARKET",
            }
            for n, r in enumerate(blend(contract, seed, **counts))
        ]
        return spoil(rows, "symbol")

    def margin():
        rows = requests(1005)
        rows[7].pop("action")
        rows[19]["quantity"] = "ten"
        rows[30].pop("symbol")
        return rows

    def smart():
        rows = []
        for n, r in enumerate(blend(contract, 1006, NSE=12, NFO=34, MCX=4)[:24]):
            rows.append(
                {
                    "symbol": r.symbol,
                    "exchange": r.exchange,
                    "product": ("MIS", "NRML")[n % 2],
                    "position_size": str((50, 0, 100)[n % 3]),
                    "action": "BUY",
                    "quantity": "0",
                }
            )
        return spoil(rows, "symbol", ("NOSUCH",)), Session({"/portfolio/positions": positions(1006)})

    def wanted(seed):
        rows = [
            {"symbol": r.symbol, "exchange": r.exchange}
            for r in blend(contract, seed, NSE=22, NFO=22, NSE_INDEX=4, BSE_INDEX=1)
        ]
        return spoil(rows, "symbol")

    def feed():
        rows = [
            {"symbol": r.symbol, "exchange": r.exchange}
            for r in blend(contract, 1010, NSE=20, NFO=24, NSE_INDEX=3, MCX=3)
        ]
        return AmberAdapter(), spoil(rows, "symbol") + [{"exchange": "NSE"}]

    def ticks():
        rows = [
            {"instrument_token": int(r.token) * 256 + CODE[r.exchange], "last_price": 10.0 + n}
            for n, r in enumerate(blend(contract, 1011, NSE=20, NFO=28, CDS=2))
        ]
        return AmberAdapter(), spoil(rows, "instrument_token", (257, 99 * 256 + 77))

    def subscribed_ticks(adapter, ticks):
        return adapter.on_ticks(ticks), len(adapter.subscriptions)

    return [
        Case("amber order book",
             lambda r: order_data.transform_order_data(order_data.map_order_data(r)),
             lambda: (orders(),)),
        Case("amber trade book", order_data.map_trade_data, trades),
        Case("amber positions",
             lambda r: order_data.transform_positions_data(order_data.map_position_data(r)),
             lambda: (positions(1003),)),
        Case("amber holdings", order_data.map_portfolio_data, holdings),
        Case("amber margin positions", margin_data.transform_margin_positions,
             lambda: (margin(),)),
        Case("amber margin", order_api.calculate_margin, lambda: (margin(), Session())),
        Case("amber smart basket", order_api.smart_basket, smart),
        Case("amber close all", order_api.close_all_positions,
             lambda: (Session({"/portfolio/positions": positions(1007)}),)),
        Case("amber basket", order_api.place_basket,
             lambda: (requests(1008), Session(quiet=True))),
        Case("amber pnl", order_api.open_pnl,
             lambda: (Session({"/portfolio/positions": positions(1012)}),)),
        Case("amber multiquotes", lambda a, s: data.BrokerData(a).get_multiquotes(s),
             lambda: (Session(), wanted(1009))),
        Case("amber watchlist", lambda a, s: data.BrokerData(a).watchlist(s),
             lambda: (Session(), wanted(1013)[:30])),
        Case("amber histories", lambda a, s: data.BrokerData(a).download(s),
             lambda: (Session(), wanted(1014))),
        Case("amber subscribe", lambda a, s: a.subscribe(s), feed),
        Case("amber ticks", subscribed_ticks, ticks),
    ]
