"""What Granite's functions are called with."""

import copy
import json
import zlib
from random import Random

from tests.lookahead.brokers.granite.api import data, order_api
from tests.lookahead.brokers.granite.mapping import margin_data, order_data
from tests.lookahead.brokers.granite.mapping.instruments import NAME_OF, NUMBER_OF
from tests.lookahead.brokers.granite.streaming.adapter import GraniteAdapter
from tests.lookahead.contract import Case


def number(text, below=10000):
    return zlib.crc32(str(text).encode()) % below


class Xts:
    def __init__(self, positions=(), refuse=25):
        self.positions = positions
        self.refuse = refuse

    def get(self, path):
        if path.endswith("positions"):
            return {"type": "success", "result": {"positionList": copy.deepcopy(self.positions)}}
        bars = ",".join(f"{t}|1|2|0.5|{number(path) / 20 + t}|100|0|" for t in range(3))
        return {"type": "success", "result": {"dataReponse": bars}}

    def post(self, path, body):
        if path.endswith("orders"):
            if number(body, self.refuse) == 0:
                return {"type": "error", "description": f"RMS {number(body)}"}
            return {"type": "success", "result": {"AppOrderID": 110000 + number(body)}}
        quotes = [
            json.dumps(
                {
                    "ExchangeSegment": i["exchangeSegment"],
                    "ExchangeInstrumentID": i["exchangeInstrumentID"],
                    "Touchline": {"LastTradedPrice": number(i) / 20},
                }
            )
            for i in body["instruments"]
            if number(i, 16)
        ]
        return {"type": "success", "result": {"listQuotes": quotes}}


def blend(contract, seed, **counts):
    rows = []
    for n, (exchange, count) in enumerate(counts.items()):
        rows += contract.pick(seed * 10 + n, count, exchange)
    Random(seed).shuffle(rows)
    return rows


def spoil(rows, key, *bad):
    rng = Random(77)
    out = copy.deepcopy(rows)
    for value in bad:
        out.insert(rng.randrange(len(out)), {**copy.deepcopy(rng.choice(rows)), key: value})
    for _ in range(4):
        out.insert(rng.randrange(len(out)), copy.deepcopy(rng.choice(rows)))
    return out


def cases(contract):
    MIX = {"NSE": 20, "NFO": 24, "MCX": 4, "BSE": 2}

    def orders(seed, **counts):
        made = [
            {
                "AppOrderID": 11000 + n,
                "ExchangeSegment": NAME_OF[r.exchange] if n % 9 else NUMBER_OF[r.exchange],
                "ExchangeInstrumentID": int(r.token),
                "TradingSymbol": r.brsymbol,
                "OrderSide": ("BUY", "SELL")[n % 2],
                "OrderQuantity": n + 1,
                "LastTradedQuantity": 100 * n,
                "OrderAverageTradedPrice": 10.5 + n,
                "OrderStatus": ("Filled", "New", "Rejected")[n % 3],
            }
            for n, r in enumerate(blend(contract, seed, **(counts or MIX)))
        ]
        return spoil(made, "ExchangeInstrumentID", 11, 0, None)

    def positions(seed, *bad):
        made = [
            {
                "ExchangeSegment": NAME_OF[r.exchange],
                "ExchangeInstrumentId": r.token,
                "TradingSymbol": r.brsymbol,
                "ProductType": ("MIS", "NRML")[n % 2],
                "Quantity": str((100, -50, 0, 25, -200)[n % 5]),
            }
            for n, r in enumerate(blend(contract, seed, NSE=14, NFO=30, MCX=6))
        ]
        return spoil(made, "ExchangeInstrumentId", "13", *bad)

    def holdings():
        nse = contract.pick(7004, 40, "NSE")
        bse = contract.pick(7004, 40, "BSE")
        rows = {}
        for n, (a, b) in enumerate(zip(nse, bse)):
            rows[f"INE{n:06}"] = {
                "HoldingQuantity": n,
                "ExchangeNSEInstrumentId": (int(a.token), 0, 17)[(n % 5) // 2],
                "ExchangeBSEInstrumentId": int(b.token) if n % 4 else 0,
                "BuyAvgPrice": n / 2 or None,
            }
        rows["INE999999"] = {"HoldingQuantity": "1"}
        return ({"result": {"RMSHoldings": {"Holdings": rows}}},)

    def clients():
        rows = orders(7005)
        rows.append({**rows[5], "TradingSymbol": "NOSUCH 26AUG"})
        rows.append({**rows[6], "TradingSymbol": ""})
        result = {f"CL{n}": rows[n * 11 : n * 11 + 11] for n in range(6)}
        return ({"result": {**result, "CL9": []}},)

    def requests(seed):
        made = [
            {
                "symbol": r.symbol,
                "exchange": r.exchange,
                "action": ("buy", "sell")[n % 2],
                "quantity": r.lotsize * (n % 3 + 1),
                "product": ("MIS", "NRML")[n % 2],
                "pricetype": ("MARKET", "LIMIT", "SL")[n % 3],
                "position_size": (100, 0, 50, 25)[n % 4],
            }
            for n, r in enumerate(blend(contract, seed, NSE=14, NFO=30, MCX=6))
        ]
        return spoil(made, "symbol", "NOSUCH", None, "")

    def wanted(seed, **counts):
        counts = counts or {"NSE": 22, "NFO": 22, "MCX": 3, "NSE_INDEX": 3}
        made = [{"symbol": r.symbol, "exchange": r.exchange} for r in blend(contract, seed, **counts)]
        return spoil(made, "symbol", "NOSUCH", None, "")

    def touchlines():
        made = [
            {
                "ExchangeSegment": NUMBER_OF[r.exchange],
                "ExchangeInstrumentID": int(r.token),
                "Touchline": {"LastTradedPrice": 10.05 + n},
            }
            for n, r in enumerate(blend(contract, 7012, NSE=25, NFO=22, MCX=3))
        ]
        texts = [json.dumps(row) for row in spoil(made, "ExchangeInstrumentID", 11, 0)]
        return GraniteAdapter(), [*texts[:20], "ping", *texts[20:]]

    def ok(result):
        return {"type": "success", "result": result}

    return [
        Case("granite order book", order_data.map_order_data, lambda: (ok(orders(7001)),)),
        Case("granite trade book", order_data.map_trade_data, lambda: (ok(orders(7002)),)),
        Case("granite positions", order_data.map_position_data,
             lambda: (ok({"positionList": positions(7003, None, "", "abc")}),)),
        Case("granite holdings", order_data.map_portfolio_data, holdings),
        Case("granite orders by client", order_data.by_client, clients),
        Case("granite margin positions", margin_data.transform_margin_positions,
             lambda: (requests(7006),)),
        Case("granite basket", order_api.place_basket, lambda: (requests(7007), Xts())),
        Case("granite spread refused", order_api.place_all_or_stop,
             lambda: ([r for r in requests(7008) if r["symbol"] not in ("NOSUCH", None, "")][:40]
                      + [{**requests(7008)[0], "symbol": "GONE"}], Xts(refuse=10**9))),
        Case("granite smart orders", order_api.smart_orders,
             lambda: (requests(7009)[:35], Xts(positions(7009)))),
        Case("granite close all", order_api.close_all_positions,
             lambda: (Xts(positions(7010, "")),)),
        Case("granite multiquotes", lambda x, s: data.BrokerData(x).get_multiquotes(s),
             lambda: (Xts(), wanted(7011, NSE=40, NFO=50, NSE_INDEX=6))),
        Case("granite history", lambda x, s: data.BrokerData(x).get_history(s),
             lambda: (Xts(), wanted(7013))),
        Case("granite subscribe", lambda a, s: a.subscribe(s),
             lambda: (GraniteAdapter(), [*wanted(7014), {"exchange": "NSE"}])),
        Case("granite touchlines", lambda a, t: a.on_touchlines(t), touchlines),
    ]
