"""What Hematite's functions are called with."""

import copy
import zlib
from random import Random

from tests.lookahead.brokers.hematite.api import data, funds, order_api
from tests.lookahead.brokers.hematite.mapping import margin_data, order_data
from tests.lookahead.brokers.hematite.mapping.transform_data import CODES
from tests.lookahead.brokers.hematite.streaming.adapter import HematiteAdapter
from tests.lookahead.contract import Case


def number(text, below=10000):
    return zlib.crc32(str(text).encode()) % below


def server(**books):
    def post(path, body):
        if path.split("/")[1] in books:
            return {"head": {}, "body": copy.deepcopy(books[path.split("/")[1]])}
        if path == "V1/PlaceOrderRequest":
            if number(body, 18) == 0:
                return {"body": {"Status": 1, "Message": "rejected by RMS"}}
            return {"body": {"Status": 0, "BrokerOrderID": 7000 + number(body)}}
        if path == "V1/CancelOrderRequest":
            if number(body, 9) == 0:
                raise ConnectionError("timed out")
            return {"body": {"Status": 0}}
        if path == "V1/MarketFeed":
            rows = [
                {"Exch": r["Exch"], "ExchType": r["ExchType"], "Token": r["ScripCode"],
                 "LastRate": number(r) / 20}
                for r in body["MarketFeedData"]
                if number(r, 15)
            ]
            return {"body": {"Data": rows}}
        if path == "V2/MarketDepth":
            levels = [
                {"BbBuySellFlag": (66, 83)[n % 2], "Price": number(body) / 20 + n, "Quantity": n}
                for n in range(4)
            ]
            return {"body": {"MarketDepthData": levels}}
        raise KeyError(path)

    return post


def blend(contract, seed, **counts):
    rows = [r for x, n in counts.items() for r in contract.pick(seed + n, n, x)]
    Random(seed).shuffle(rows)
    return rows


def spoil(rows, key, *bad):
    rng = Random(88)
    out = copy.deepcopy(rows)
    for value in bad:
        out.insert(rng.randrange(len(out)), {**copy.deepcopy(rng.choice(rows)), key: value})
    for _ in range(3):
        out.insert(rng.randrange(len(out)), copy.deepcopy(rng.choice(rows)))
    return out


def cases(contract):
    def rows(seed, *bad, **counts):
        made = [
            {
                "Exch": CODES[r.exchange][0],
                "ExchType": CODES[r.exchange][1],
                "ScripCode": int(r.token),
                "ScripName": r.brsymbol,
                "BuySell": "BS"[n % 2],
                "DelvIntra": "DI"[n % 2],
                "OrderFor": "ID"[n % 2],
                "OrderStatus": ("Pending", "Fully Executed", "Pending", "Rejected")[n % 4],
                "ExchOrderID": str(1100000 + n),
                "Qty": n,
                "NetQty": (50, -25, 0, 100)[n % 4],
                "Rate": 10.55 + n,
                "LTP": 11.0 + n / 4,
                "BookedPL": None if n % 8 == 1 else 1.25 * n,
                "MTOM": -0.75 * n,
            }
            for n, r in enumerate(blend(contract, seed, **(counts or {"NSE": 21, "NFO": 25, "CDS": 4})))
        ]
        return spoil(made, "ScripCode", *bad)

    def trades():
        made = rows(8002, 11, 999999999, 0)
        made[8].pop("ScripCode")
        made[21].pop("Qty")
        return ({"body": {"TradeBookDetail": made}},)

    def positions(seed):
        made = rows(seed, 11, 0, None)
        made[6]["ScripName"] = "SOME THING 27 AUG 2026"
        made[6]["ScripCode"] = 21
        made[33].pop("ScripCode")
        made[41].update(ScripCode=0, ScripName="")
        return made

    def holdings():
        made = []
        for n, (a, b) in enumerate(zip(contract.pick(8004, 50, "NSE"), contract.pick(8004, 50, "BSE"))):
            row = {"Symbol": a.brsymbol, "Quantity": n, "NseCode": int(a.token), "BseCode": 0}
            if n % 5 == 2:
                row.update(Symbol=b.brsymbol, NseCode=0, BseCode=int(b.token))
            if n % 9 == 4:
                row.update(NseCode=17)
            if n % 11 == 6:
                row.pop("NseCode")
            made.append(row)
        made[20].update(NseCode=0, BseCode=19, Symbol="NOSUCH")
        return ({"body": {"Data": made}},)

    def requests(seed):
        made = [
            {
                "symbol": r.symbol,
                "exchange": r.exchange,
                "action": ("BUY", "sell")[n % 2],
                "quantity": str(n + 1),
                "product": ("MIS", "NRML")[n % 2],
                "price": ("", "10.5", "market")[n % 3],
            }
            for n, r in enumerate(blend(contract, seed, NSE=20, NFO=26, MCX=4))
        ]
        made = spoil(made, "symbol", "NOSUCH", None, "")
        made[14].pop("action")
        made[27]["quantity"] = "1 lot"
        return made

    def wanted(seed, n=1):
        made = [
            {"symbol": r.symbol, "exchange": r.exchange}
            for r in blend(contract, seed, NSE=22 * n, NFO=23 * n, NSE_INDEX=4, BSE_INDEX=1)
        ]
        return spoil(made, "symbol", "NOSUCH", None, "")

    def movers():
        picked = blend(contract, 8013, NSE=20, NFO=25, NSE_INDEX=5)
        codes = ["|".join([*CODES[r.exchange], r.token]) for r in picked]
        return server(), [*codes[:12], "N|D|17", "N|C|", *codes[12:40], "", "N|C", *codes[38:]]

    def ticks():
        picked = blend(contract, 8014, NSE=22, NFO=24, MCX=4)
        adapter = HematiteAdapter()
        for r in picked[::5]:
            adapter.scrips[int(r.token)] = {"symbol": r.symbol, "exchange": r.exchange}
        made = [
            {"Exch": CODES[r.exchange][0], "ExchType": CODES[r.exchange][1], "Token": int(r.token),
             "LastRate": 10.0 + n}
            for n, r in enumerate(picked)
        ]
        return adapter, spoil(made, "Token", 11, 0)

    def held():
        row = next(r for r in rows(8006) if r["Exch"] == "N" and r["ExchType"] == "D" and r["NetQty"] == -25)
        symbol = next(r.symbol for r in contract.by_exchange["NFO"] if r.token == str(row["ScripCode"]))
        return symbol, "NFO", "NRML", server(NetPositionNetWise={"NetPositionDetail": rows(8006)})

    return [
        Case("hematite order book", order_data.map_order_data,
             lambda: ({"body": {"OrderBookDetail": rows(8001, 11, 0, None)}},)),
        Case("hematite trade book", order_data.map_trade_data, trades),
        Case("hematite positions", order_data.map_position_data,
             lambda: ({"body": {"NetPositionDetail": positions(8003)}},)),
        Case("hematite holdings", order_data.map_portfolio_data, holdings),
        Case("hematite margin positions", margin_data.transform_margin_positions,
             lambda: (requests(8005),)),
        Case("hematite open position", order_api.get_open_position, held),
        Case("hematite basket", order_api.place_basket, lambda: (requests(8007), server())),
        Case("hematite close all", order_api.close_all_positions,
             lambda: (server(NetPositionNetWise={"NetPositionDetail": rows(8008, 11, 0)}),)),
        Case("hematite cancel all", order_api.cancel_all_orders,
             lambda: (server(OrderBook={"OrderBookDetail": rows(8009, 11, None, "n/a")}),)),
        Case("hematite multiquotes", lambda p, s: data.BrokerData(p).get_multiquotes(s),
             lambda: (server(), wanted(8010, 2))),
        Case("hematite depths", lambda p, s: data.BrokerData(p).depths(s),
             lambda: (server(), wanted(8011))),
        Case("hematite movers", lambda p, c: data.BrokerData(p).movers(c), movers),
        Case("hematite pnl", funds.calculate_pnl,
             lambda: (server(NetPositionNetWise={"NetPositionDetail": rows(8012, 11, 0, None)}),)),
        Case("hematite subscribe", lambda a, s: a.subscribe(s),
             lambda: (HematiteAdapter(), [*wanted(8015), {"exchange": "NSE"}])),
        Case("hematite ticks", lambda a, t: a.on_data(t), ticks),
    ]
