"""What Ebony's functions are called with."""

import copy
import json
import zlib
from random import Random

from tests.lookahead.brokers.ebony.api import data, order_api
from tests.lookahead.brokers.ebony.mapping import margin_data, order_data
from tests.lookahead.brokers.ebony.streaming.adapter import EXCHANGE_TYPE, SmartStream
from tests.lookahead.contract import Case


def number(text, below=10000):
    return zlib.crc32(str(text).encode()) % below


class Conn:
    def __init__(self, positions=None):
        self.positions = positions

    def get(self, path):
        return {"status": True, "data": copy.deepcopy(self.positions)}

    def ltp(self, exchange, token):
        return number(exchange + token) / 20

    def post(self, path, text):
        body = json.loads(text)
        if path.endswith("placeOrder"):
            if not body["tradingsymbol"] or number(text, 31) == 0:
                return {"status": False, "message": "Rejected", "data": {"orderid": None}}
            return {"status": True, "data": {"orderid": f"2608{number(text)}"}}
        if path.endswith("modifyOrder"):
            return {"status": True, "message": f"SUCCESS {number(text)}"}
        if path.endswith("quote/"):
            fetched = [
                {"exchange": x, "symbolToken": t, "ltp": number(t) / 20}
                for x, tokens in body["exchangeTokens"].items()
                for t in dict.fromkeys(tokens)
                if number(t, 14)
            ]
            return {"data": {"fetched": fetched, "unfetched": []}}
        if path.endswith("getCandleData"):
            return {"data": [[body["fromdate"], 1, 2, 0.5, number(text) / 20, 100]]}
        raise KeyError(path)


def blend(contract, seed, **counts):
    rows = sum((contract.pick(seed, n, x) for x, n in counts.items()), [])
    Random(seed).shuffle(rows)
    return rows


def spoil(rows, key, *bad):
    rng = Random(11)
    out = copy.deepcopy(rows)
    for value in bad:
        out.insert(rng.randrange(len(out)), {**copy.deepcopy(rng.choice(rows)), key: value})
    return out + copy.deepcopy(out[3:6])


def cases(contract):
    def rows(seed, key="symboltoken", bad=("11", "", None, "999999999"), **counts):
        made = [
            {
                "orderid": f"26080{n:04}",
                "tradingsymbol": r.brsymbol + ("-EQ" if r.exchange == "NSE" else ""),
                "symboltoken": r.token,
                "exchange": r.exchange,
                "producttype": ("DELIVERY", "INTRADAY", "CARRYFORWARD")[n % 3],
                "product": "DELIVERY" if n % 10 else "MARGIN",
                "transactiontype": ("BUY", "SELL")[n % 2],
                "ordertype": ("MARKET", "LIMIT", "STOPLOSS_LIMIT")[n % 3],
                "status": ("complete", "open", "rejected")[n % 3],
                "quantity": str(n + 1),
                "netqty": str((25, -50, 0)[n % 3]),
                "netprice": str(10.5 + n),
                "realised": f"{n * 1.25:.2f}",
            }
            for n, r in enumerate(blend(contract, seed, **(counts or {"NSE": 22, "NFO": 25, "MCX": 3})))
        ]
        return spoil(made, key, *bad)

    def positions(seed):
        made = rows(seed, bad=("11", "999999999"))
        made[12].pop("symboltoken")
        made[29]["symboltoken"] = None
        return made

    def requests(seed):
        made = [
            {
                "symbol": r.symbol,
                "exchange": r.exchange,
                "action": "buy",
                "quantity": str(r.lotsize),
                "product": ("MIS", "NRML", "CNC")[n % 3],
                "pricetype": ("MARKET", "SL", "LIMIT")[n % 3],
                "price": str(n),
                "orderid": f"O{n}",
            }
            for n, r in enumerate(blend(contract, seed, NSE=20, NFO=30))
        ]
        return spoil(made, "symbol", "NOSUCH", None, "")

    def wanted(seed, **counts):
        made = [
            {"symbol": r.symbol, "exchange": r.exchange}
            for r in blend(contract, seed, **(counts or {"NSE": 60, "NFO": 50, "NSE_INDEX": 4}))
        ]
        return spoil(made, "symbol", "NOSUCH", None, "")

    def gainers():
        futures = [r for r in contract.by_exchange["NFO"] if r.instrumenttype == "FUT"]
        made = [
            {"symbolToken": float(r.token), "percentChange": n / 3 - 5}
            for n, r in enumerate(Random(5012).sample(futures, 45))
        ]
        return Conn(), spoil(made, "symbolToken", 17.0, None, 999999999.0)

    def frames():
        made = [
            {
                "token": r.token + "\x00" * 5,
                "exchange_type": EXCHANGE_TYPE[r.exchange.replace("_INDEX", "")],
                "last_traded_price": 1000 + 5 * n,
            }
            for n, r in enumerate(blend(contract, 5013, NSE=24, NFO=20, NSE_INDEX=6))
        ]
        return SmartStream(), spoil(made, "token", "11\x00\x00", "\x00")

    def answer(books):
        return {"status": True, "message": "SUCCESS", "data": books}

    def held():
        made = positions(5006)
        asked = made[47]
        symbol = next(r.symbol for r in contract.by_exchange[asked["exchange"]]
                      if r.token == asked["symboltoken"])
        return symbol, asked["exchange"], asked["producttype"], Conn(made)

    return [
        Case("ebony order book",
             lambda r: order_data.transform_order_data(order_data.map_order_data(r)),
             lambda: (answer(rows(5001)),)),
        Case("ebony trade book", order_data.map_trade_data,
             lambda: (answer(rows(5002, "tradingsymbol", ("NOSUCH-EQ", "", None))),)),
        Case("ebony positions", order_data.map_position_data,
             lambda: (answer(positions(5003)),)),
        Case("ebony holdings",
             lambda r: order_data.portfolio_summary(order_data.map_portfolio_data(r)),
             lambda: (answer({"holdings": rows(5004, "tradingsymbol", ("NOSUCH-EQ", "", "GOLDBEES"),
                                               NSE=38, BSE=12),
                              "totalholding": {"totalholdingvalue": 5}}),)),
        Case("ebony margin positions", margin_data.transform_margin_positions,
             lambda: (requests(5005),)),
        Case("ebony open position", order_api.get_open_position, held),
        Case("ebony close all", order_api.close_all_positions,
             lambda: (Conn([p for p in positions(5007) if "symboltoken" in p]),)),
        Case("ebony basket", order_api.place_basket, lambda: (requests(5008), Conn())),
        Case("ebony modify orders", order_api.modify_orders, lambda: (requests(5009), Conn())),
        Case("ebony pnl", order_api.todays_pnl, lambda: (Conn(positions(5010)),)),
        Case("ebony multiquotes", lambda c, s: data.BrokerData(c).get_multiquotes(s),
             lambda: (Conn(), wanted(5011))),
        Case("ebony histories", lambda c, s: data.BrokerData(c).get_histories(s),
             lambda: (Conn(), wanted(5014, NSE=12, NFO=12))),
        Case("ebony gainers", lambda c, r: data.BrokerData(c).gainers(r), gainers),
        Case("ebony subscribe", lambda a, s: a.subscribe(s),
             lambda: (SmartStream(), wanted(5015, NSE=25, NFO=20, MCX=5))),
        Case("ebony frames", lambda a, f: a.on_data(f), frames),
    ]
