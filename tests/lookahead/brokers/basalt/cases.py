"""What Basalt's functions are called with."""

import copy
import json
import zlib
from random import Random

from tests.lookahead.brokers.basalt.api import data, funds, order_api
from tests.lookahead.brokers.basalt.mapping import margin_data, order_data
from tests.lookahead.brokers.basalt.mapping.exchange import TO_SEGMENT
from tests.lookahead.brokers.basalt.streaming.adapter import BasaltAdapter
from tests.lookahead.contract import Case


def number(text, below=10000):
    return zlib.crc32(str(text).encode()) % below


def server(**canned):
    """Answers requests as text, as the HTTP client would."""

    def call(method, path, payload):
        name = path.split("?")[0].rsplit("/", 1)[-1].replace("-", "_")
        if name in canned:
            return json.dumps(canned[name])
        if name == "place":
            return json.dumps({"status": "success", "data": {"order_id": str(number(payload))}})
        if name == "cancel":
            return json.dumps({"status": "success" if number(path, 9) else "error"})
        if name == "quotes":
            answer = {}
            for key in path.split("=")[1].split(","):
                px = number(key) / 20
                if number(key, 13) or "," not in path:
                    answer[key.replace("|", ":X")] = {
                        "instrument_token": key,
                        "last_price": px,
                        "depth": {
                            "buy": [{"price": px - 0.05, "quantity": 5}],
                            "sell": [{"price": px + number(key, 5) / 20, "quantity": 9}],
                        },
                    }
            return json.dumps({"data": answer})
        if "historical-candle" in path:
            bars = [[f"2026-07-{9 - d:02}", 1, 2, 0.5, number(path) / 10 + d, 7] for d in range(5)]
            return json.dumps({"data": {"candles": bars}})
        raise KeyError(path)

    return call


def blend(contract, seed, **counts):
    rows = [row for name, count in counts.items() for row in contract.pick(seed, count, name)]
    Random(seed).shuffle(rows)
    return rows


def spoil(rows, key, bad, repeats=4, seed=5):
    rng = Random(seed)
    out = list(rows)
    for value in bad:
        out.insert(rng.randrange(len(out)), {**rng.choice(rows), key: value})
    for _ in range(repeats):
        out.append(copy.deepcopy(rng.choice(rows)))
    return out


def cases(contract):
    BAD_KEYS = ("NSE_EQ|999999999", "NSE_FO|13", "XYZ_FO|44", "NSE_EQ|")

    def key(r):
        return f"{TO_SEGMENT[r.exchange]}|{r.token}"

    def orders(seed=2001):
        rows = [
            {
                "order_id": f"2408{n:06}",
                "instrument_token": key(r),
                "trading_symbol": r.brsymbol,
                "exchange": r.exchange,
                "product": "DI"[n % 2],
                "transaction_type": ("BUY", "SELL")[n % 2],
                "quantity": 10 + n,
                "status": ("complete", "open", "trigger pending", "cancelled")[n % 4],
            }
            for n, r in enumerate(blend(contract, seed, NSE=20, NFO=26, MCX=2, BFO=2))
        ]
        return {"status": "success", "data": spoil(rows, "instrument_token", BAD_KEYS)}

    def cancellable():
        answer = orders(2002)
        answer["data"] = spoil(answer["data"], "trading_symbol", ("GONE26JUNFUT", None, ""))
        return answer

    def trades():
        rows = []
        for n, r in enumerate(blend(contract, 2003, NSE=25, NFO=25)):
            row = {
                "trading_symbol": r.brsymbol,
                "exchange": r.exchange,
                "quantity": n,
                "average_price": 10.5 * n,
            }
            if n % 6:
                row["instrument_token"] = key(r)
            rows.append(row)
        return ({"data": spoil(rows, "instrument_token", (None, "", "NSE_EQ|999999999", "2885"))},)

    def positions(seed, bad=BAD_KEYS):
        rows = [
            {
                "instrument_token": key(r),
                "trading_symbol": r.brsymbol,
                "our_symbol": r.symbol,
                "exchange": TO_SEGMENT[r.exchange][:3],
                "product": "ID"[n % 2],
                "quantity": (75, -50, 0, 1200)[n % 4],
                "realised": 4.5 * n,
                "unrealised": None if n % 9 == 0 else -2.25 * n,
            }
            for n, r in enumerate(blend(contract, seed, NSE=14, NFO=32, CDS=4))
        ]
        return {"status": "success", "data": spoil(rows, "instrument_token", bad)}

    def positions_and_none():
        answer = positions(2004)
        answer["data"].insert(9, {"trading_symbol": "DELISTED", "quantity": 1})
        answer["data"].insert(21, {"instrument_token": None, "quantity": 2})
        return (answer,)

    def holdings(seed):
        rows = [
            {
                "tradingsymbol": r.brsymbol + "-EQ" * (n % 2),
                "exchange": r.exchange if n % 5 else "",
                "quantity": n,
                "product": "D",
            }
            for n, r in enumerate(blend(contract, seed, NSE=38, BSE=12))
        ]
        return ({"data": spoil(rows, "tradingsymbol", ("NOSUCH-EQ", "", "ABC"))},)

    def requests(seed):
        rows = [
            {
                "symbol": r.symbol,
                "exchange": r.exchange,
                "action": ("buy", "SELL")[n % 2],
                "quantity": str(r.lotsize),
                "product": ("MIS", "CNC", "NRML")[n % 3],
                "pricetype": "MARKET",
            }
            for n, r in enumerate(blend(contract, seed, NSE=25, NFO=25))
        ]
        return spoil(rows, "symbol", ("NOSUCH", None, "", "BANKNIFTY30JUN2650000CE"))

    def wanted(seed, n=1, **more):
        rows = [
            {"symbol": r.symbol, "exchange": r.exchange}
            for r in blend(contract, seed, NSE=25 * n, NFO=22 * n, NSE_INDEX=3, **more)
        ]
        return spoil(rows, "symbol", ("NOSUCH", None, "", "EXPIRED25DECFUT"))

    def feeds():
        rows = blend(contract, 2012, NSE=25, NFO=25)
        adapter = BasaltAdapter()
        adapter.keys = {key(r): f"{r.exchange}_{r.symbol}" for r in rows[:10]}
        message = {key(r): {"ltpc": {"ltp": 5.0 + n}} for n, r in enumerate(rows)}
        message["NSE_EQ|999999999"] = {"ltpc": {"ltp": 1.0}}
        message["NSE_FO|17"] = {"ltpc": {"ltp": 1.0}}
        message[key(rows[30])] = {"marketInfo": {}}
        return adapter, {"feeds": message}

    return [
        Case("basalt order book",
             lambda r: order_data.transform_order_data(order_data.map_order_data(r)),
             lambda: (orders(),)),
        Case("basalt trade book", order_data.map_trade_data, trades),
        Case("basalt positions", order_data.map_position_data, positions_and_none),
        Case("basalt holdings", order_data.map_portfolio_data, lambda: holdings(2005)),
        Case("basalt holdings report", order_data.holdings_report, lambda: holdings(2006)),
        Case("basalt margin positions", margin_data.batches_of_twenty,
             lambda: (requests(2007) + [{"exchange": "NSE"}, {"symbol": "NIFTY"}],)),
        Case("basalt basket", order_api.place_basket, lambda: (requests(2008), server())),
        Case("basalt open position", order_api.get_open_position,
             lambda: (positions(2009)["data"][31]["our_symbol"], "NFO",
                      positions(2009)["data"][31]["product"], server(positions=positions(2009)))),
        Case("basalt close all", order_api.close_all_positions,
             lambda: (server(positions=positions(2009)),)),
        Case("basalt cancel all", order_api.cancel_all_orders,
             lambda: (server(retrieve_all=cancellable()),)),
        Case("basalt orders of watchlist", order_api.orders_of_watchlist,
             lambda: (wanted(2001)[::2], server(retrieve_all=orders()))),
        Case("basalt multiquotes", lambda a, s: data.BrokerData(a).get_multiquotes(s),
             lambda: (server(), wanted(2010, 2))),
        Case("basalt histories", lambda a, s: data.BrokerData(a).get_histories(s),
             lambda: (server(), wanted(2011))),
        Case("basalt funds", funds.get_margin_data,
             lambda: (server(positions=positions(2013, ("NSE_FO|13",)),
                             get_funds_and_margin={"data": {"equity": {"available_margin": 9}}}),)),
        Case("basalt spreads", funds.spreads, lambda: (server(), wanted(2014))),
        Case("basalt subscribe", lambda a, s: (a.subscribe_all(s), a.errors),
             lambda: (BasaltAdapter(), wanted(2015, MCX=3))),
        Case("basalt feed", lambda a, m: a.on_message(m), feeds),
    ]
