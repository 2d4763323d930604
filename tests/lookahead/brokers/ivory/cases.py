"""What Ivory's functions are called with."""

import copy
import json
import zlib
from random import Random
from urllib.parse import unquote

from tests.lookahead.brokers.ivory.api import data, order_api
from tests.lookahead.brokers.ivory.mapping import margin_data, order_data
from tests.lookahead.brokers.ivory.mapping.segments import REVERSE
from tests.lookahead.brokers.ivory.streaming.adapter import IvoryAdapter
from tests.lookahead.contract import Case


def number(text, below=10000):
    return zlib.crc32(str(text).encode()) % below


def server(positions=(), orders=()):
    def http(path, payload):
        if path.endswith("positions"):
            return {"stat": "Ok", "data": copy.deepcopy(list(positions))}
        if path.endswith("orders"):
            return {"stat": "Ok", "data": copy.deepcopy(list(orders))}
        if path.endswith("history"):
            found = [o for o in orders if o["nOrdNo"] == payload]
            return {"data": copy.deepcopy(found)} if found else {"stat": "Not_Ok"}
        if path.endswith("place"):
            body = json.loads(unquote(payload)[6:])
            if number(payload, 21) == 0:
                return {"stat": "Not_Ok", "errMsg": f"rejected {body['ts']}"}
            return {"stat": "Ok", "nOrdNo": f"2608{number(payload)}"}
        if path == "/quotes":
            out = []
            for key in payload.split(","):
                if key and number(key, 13):
                    segment, token = key.split("|")
                    out.append({"exchange": segment, "exchange_token": token,
                                "ltp": str(number(key) / 20)})
            return out
        return {"stat": "Ok"}

    return http


def blend(contract, seed, **counts):
    rows = []
    for exchange, count in counts.items():
        rows.extend(contract.pick(seed, count, exchange))
    Random(seed + 1).shuffle(rows)
    return rows


def spoil(rows, key, *bad):
    rng = Random(99)
    out = copy.deepcopy(rows)
    for value in bad:
        out.insert(rng.randrange(len(out)), {**copy.deepcopy(rng.choice(rows)), key: value})
    for _ in range(3):
        out.insert(rng.randrange(len(out)), copy.deepcopy(rng.choice(rows)))
    return out


def cases(contract):
    def rows(seed, key="tok", bad=("11", "", None), **counts):
        made = [
            {
                "nOrdNo": f"26080{n:05}",
                "exSeg": REVERSE[r.exchange],
                "trdSym": r.brsymbol + "-EQ" * (r.exchange == "NSE"),
                "tok": r.token + " " * (n % 7 == 3),
                "trnsTp": "BS"[n % 2],
                "prod": ("MIS", "NRML")[n % 2],
                "ordSt": ("complete", "open", "rejected", "trigger pending")[n % 4],
                "avgPrc": f"{10 + n:.2f}",
                "flBuyQty": str((50, 0, 25, 75)[n % 4]),
                "flSellQty": str((0, 50, 25, 25)[n % 4]),
                "cfBuyQty": "0",
                "cfSellQty": str(n % 3 // 2 * 25),
            }
            for n, r in enumerate(blend(contract, seed, **(counts or {"NSE": 22, "NFO": 25, "MCX": 3})))
        ]
        return spoil(made, key, *bad)

    def positions(seed):
        made = rows(seed)
        for row in made:
            row["tok"] = row["tok"].strip() if row["tok"] else row["tok"]
        return made

    def trades():
        made = rows(9002, bad=("11", "", None))
        for n in (3, 12, 30):
            made[n].pop("tok")
        made[12]["trdSym"] = "GONE-EQ"
        return ({"data": made},)

    def holdings():
        made = [
            {
                "displaySymbol": r.name,
                "exchangeSegment": "nse_cm" if n % 8 == 1 else REVERSE[r.exchange],
                "instrumentToken": int(r.token),
                "quantity": n,
                "mktValue": 110.5 * n,
                "holdingCost": 100.25 * n,
            }
            for n, r in enumerate(blend(contract, 9004, NSE=35, BSE=15))
        ]
        made = spoil(made, "instrumentToken", 11, 999999999)
        made.insert(22, {"displaySymbol": "UNLISTED", "exchangeSegment": ""})
        return ({"data": made},)

    def requests(seed):
        made = [
            {
                "symbol": r.symbol,
                "exchange": r.exchange,
                "action": ("buy", "sell")[n % 2],
                "quantity": str(r.lotsize),
                "product": ("MIS", "NRML")[n % 2],
                "pricetype": ("MARKET", "LIMIT", "SL", "SL-M")[n % 4],
                "position_size": str((50, 0, -25)[n % 3]),
            }
            for n, r in enumerate(blend(contract, seed, NSE=22, NFO=25, MCX=3))
        ]
        return spoil(made, "symbol", "NOSUCH", None, "")

    def wanted(seed, n=1):
        made = [
            {"symbol": r.symbol, "exchange": r.exchange}
            for r in blend(contract, seed, NSE=20 * n, NFO=24 * n, NSE_INDEX=4, CDS=2)
        ]
        return spoil(made, "symbol", "NOSUCH", None, "")

    def messages():
        made = [
            {
                "name": "sf" if n % 6 else "if",
                "e": REVERSE[r.exchange],
                "tk": r.token,
                "ltp": f"{10 + n}.05" if n % 10 else "",
            }
            for n, r in enumerate(blend(contract, 9013, NSE=22, NFO=26, BFO=2))
        ]
        made = spoil(made, "tk", "11", "", None)
        made.insert(10, {"type": "cn"})
        made[16]["e"] = "sgx_fo"
        return IvoryAdapter(), made

    def numbers():
        made = rows(9012)
        asked = [row["nOrdNo"] for row in made[:45]]
        return [*asked[:9], "none", *asked[9:]], server(orders=made)

    return [
        Case("ivory order book", order_data.map_order_data,
             lambda: ({"stat": "Ok", "data": rows(9001, "trdSym", ("NOSUCH-EQ", "", None))},)),
        Case("ivory trade book", order_data.map_trade_data, trades),
        Case("ivory positions", order_data.map_position_data,
             lambda: ({"data": positions(9003)},)),
        Case("ivory holdings", order_data.map_portfolio_data, holdings),
        Case("ivory margin positions", margin_data.transform_margin_positions,
             lambda: ([*requests(9005), {"exchange": "NSE"}],)),
        Case("ivory basket", order_api.place_basket, lambda: (requests(9006), server())),
        Case("ivory close all", order_api.close_all_positions,
             lambda: (server(positions(9007)),)),
        Case("ivory smart orders", order_api.place_smartorders,
             lambda: (requests(9008)[:40], server(positions(9008)))),
        Case("ivory cancel all", order_api.cancel_all_orders,
             lambda: (server(orders=rows(9009)),)),
        Case("ivory order history", order_api.order_history, numbers),
        Case("ivory multiquotes", lambda h, s: data.BrokerData(h).get_multiquotes(s),
             lambda: (server(), wanted(9010, 2))),
        Case("ivory quotes", lambda h, s: data.BrokerData(h).get_quotes(s),
             lambda: (server(), wanted(9011))),
        Case("ivory subscribe", lambda a, s: a.subscribe(s),
             lambda: (IvoryAdapter(), wanted(9014))),
        Case("ivory messages", lambda a, m: a.on_message(m), messages),
    ]
