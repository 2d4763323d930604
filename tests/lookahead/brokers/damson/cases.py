"""What Damson's functions are called with."""

import json
import zlib
from dataclasses import dataclass, field
from random import Random

from tests.lookahead.brokers.damson.api import data, order_api
from tests.lookahead.brokers.damson.mapping import margin_data, order_data
from tests.lookahead.brokers.damson.mapping.exchanges import map_segment
from tests.lookahead.brokers.damson.mapping.models import Basket, Leg, Position
from tests.lookahead.brokers.damson.streaming import feed
from tests.lookahead.contract import Case


@dataclass
class Session:
    pages: dict = field(default_factory=dict)

    def get_json(self, path):
        return json.loads(self.pages[path])

    def post_json(self, path, body):
        number = zlib.crc32(json.dumps(body, sort_keys=True).encode())
        if path == "/orders":
            return {"orderId": str(number)}
        if path == "/charts/historical":
            return {"close": [number % 1000 / 2 + n for n in range(3)]}
        answer = {s: {str(i): {"last_price": i % 997 / 2} for i in ids} for s, ids in body.items()}
        return json.loads(json.dumps({"data": answer}))


SPREAD = {"NSE": 17, "NFO": 22, "BSE": 3, "MCX": 4, "CDS": 2, "BFO": 2}


def draw(contract, seed, spread=SPREAD):
    rows = []
    for exchange, count in spread.items():
        seed += 1
        rows.extend(contract.pick(seed, count, exchange))
    Random(seed).shuffle(rows)
    return rows


def cases(contract):
    def rows_of(seed, numbers=int):
        rows = [
            {
                "orderId": "D%04d" % n,
                "securityId": numbers(r.token),
                "tradingSymbol": r.brsymbol,
                "customSymbol": r.name,
                "exchangeSegment": map_segment(r.exchange),
                "orderStatus": ["PENDING", "TRADED", "PENDING", "REJECTED"][n % 4],
                "productType": ["INTRADAY", "MARGIN"][n % 2],
                "tradedQuantity": n % 9,
                "tradedPrice": 3.05 * n,
                "netQty": (n % 5 - 2) * 15,
            }
            for n, r in enumerate(draw(contract, seed))
        ]
        rows.insert(10, dict(rows[4], orderId="D9998"))
        rows.insert(36, dict(rows[22], orderId="D9999"))
        return rows

    def spoiled(seed, key, values, numbers=int):
        rows = rows_of(seed, numbers)
        for n, value in enumerate(values):
            rows[9 * n + 5][key] = value
        return rows

    def orders():
        rows = spoiled(701, "securityId", ("8", None, "", "987654321"), str)
        rows[30]["exchangeSegment"] = "US_CASH"
        return ({"data": rows},)

    def trades():
        return ({"data": spoiled(711, "securityId", (8, None, 987654321))},)

    def positions():
        rows = [
            Position(int(r.token), map_segment(r.exchange), n - 20, 12.5 * n)
            for n, r in enumerate(draw(contract, 721))
        ]
        rows[6].security_id = 7
        rows[13].segment = "US_CASH"
        rows[27].security_id = None
        rows.insert(18, Position(rows[3].security_id, rows[3].segment, 5))
        return (rows,)

    def holdings():
        rows = [
            {
                "tradingSymbol": r.brsymbol,
                "exchange": ["ALL", "ALL", r.exchange][n % 3],
                "totalQty": n + 1,
                "avgCostPrice": 20.5,
            }
            for n, r in enumerate(draw(contract, 731, {"NSE": 42, "BSE": 8}))
        ]
        for n, value in ((6, "BLANKET"), (13, None), (19, ""), (33, "BLANKET2")):
            rows[n]["tradingSymbol"] = value
        rows.insert(25, dict(rows[12]))
        return (rows,)

    def forever():
        rows = spoiled(741, "securityId", ("8", "", None), str)
        groups = []
        while rows:
            size = len(groups) % 3 + 1
            groups.append({"id": len(groups), "legs": rows[:size]})
            rows = rows[size:]
        return ({"groups": groups},)

    def basket(seed, bad=()):
        legs = [
            Leg(r.symbol, r.exchange, (r.lotsize or 1) * (n % 3 + 1) + n % 2)
            for n, r in enumerate(draw(contract, seed))
        ]
        for n, value in bad:
            legs[n].symbol = value
        legs.append(Leg(legs[2].symbol, legs[2].exchange, 10))
        return (Basket("b%d" % seed, legs),)

    def session(seed, key="securityId", values=(8, 987654321)):
        rows = spoiled(seed, key, values)
        return Session({"/positions": json.dumps(rows), "/orders": json.dumps(rows)})

    def open_position():
        row = rows_of(771)[45]
        symbol = next(
            r.symbol for r in draw(contract, 771) if int(r.token) == row["securityId"]
        )
        exchange = order_api.map_exchange(row["exchangeSegment"])
        return session(771, values=(8, None)), symbol, exchange, row["productType"]

    def split():
        rows = [r.symbol for r in draw(contract, 781, {"NFO": 48})]
        pieces = [{"symbol": s, "quantity": 50 * (n + 1)} for n, s in enumerate(rows)]
        pieces[5]["symbol"] = "BLANKET26AUGFUT"
        pieces[6].pop("symbol")
        pieces[20]["symbol"] = None
        pieces.insert(12, dict(pieces[11]))
        return Session(), {"symbol": rows[0], "exchange": "NFO"}, pieces

    def cancel():
        wanted = [r for r in draw(contract, 785) if r.exchange == "NFO"][0].name
        return session(785, "tradingSymbol", ("BLANKET", None, "", "BLANKET2")), wanted

    def instruments(seed):
        rows = [{"symbol": r.symbol, "exchange": r.exchange} for r in draw(contract, seed)]
        rows += [{"symbol": r.symbol, "exchange": "NSE_INDEX"} for r in
                 contract.pick(seed, 3, "NSE_INDEX")]
        for n, value in ((7, "BLANKET"), (16, None), (26, ""), (38, "BLANKET26AUG1CE")):
            rows[n]["symbol"] = value
        return rows

    def chain():
        some = next(r for r in contract.pick(795, 50, "NFO") if r.instrumenttype == "CE")
        names = [
            r.symbol for r in contract.by_exchange["NFO"]
            if (r.name, r.expiry) == (some.name, some.expiry)
        ]
        return [*names[:60], "BLANKET26AUG1CE", *names[3:5]], "NFO", some.strike

    def held():
        rows = {
            (map_segment(r.exchange), r.token): list(range(n % 6)) if n % 7 else [n]
            for n, r in enumerate(draw(contract, 801))
        }
        rows[("NSE_CASH", "6")] = [1]
        rows[("US_CASH", "6")] = [1]
        return Session(), rows, 9

    def legs():
        rows = basket(811, ((3, "BLANKET"), (17, None), (29, "")))[0].legs
        return (rows,)

    def alerts():
        rows = [
            {
                "Data": {
                    "symbol": r.brsymbol.lower() if n % 2 else r.brsymbol,
                    "exch": r.exchange,
                    "orderNo": n,
                    "status": "TRADED",
                }
            }
            for n, r in enumerate(draw(contract, 821))
        ]
        rows.insert(7, {"Type": "heartbeat"})
        rows.insert(20, {"Data": None})
        rows[12]["Data"]["symbol"] = "blanket"
        rows[31]["Data"]["symbol"] = ""
        return rows, []

    return [
        Case("damson orders", order_data.map_order_data, orders),
        Case("damson trades", order_data.map_trade_data, trades),
        Case("damson positions", order_data.map_position_data, positions),
        Case("damson holdings", order_data.map_holding_data, holdings),
        Case("damson forever orders", order_data.map_forever_orders, forever),
        Case("damson basket margin", margin_data.basket_margin,
             lambda: basket(751, ((4, "BLANKET"), (15, None), (28, ""), (40, "BLANKET3")))),
        Case("damson basket check", margin_data.is_sound, lambda: basket(761, ((44, "BLANKET"),))),
        Case("damson open position", order_api.get_open_position, open_position),
        Case("damson exit all", order_api.exit_all, lambda: (session(775),),
             "thread pool: a lookup before and another one in the worker"),
        Case("damson split order", order_api.place_split, split),
        Case("damson cancel symbol", order_api.cancel_symbol, cancel),
        Case("damson quotes", data.get_multi_quotes, lambda: (Session(), instruments(791))),
        Case("damson chain table", data.chain_table, chain),
        Case("damson daily bars", data.daily_many,
             lambda: (Session(), [(i["symbol"], i["exchange"]) for i in instruments(797)], 17),
             "thread pool"),
        Case("damson missing days", data.missing_days, held),
        Case("damson subscribe", feed.subscribe_messages, legs),
        Case("damson alerts", feed.order_updates, alerts),
    ]
