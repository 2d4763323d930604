"""What Flint's functions are called with."""

import copy
import json
import zlib
from random import Random

from tests.lookahead.brokers.flint.api import data, order_api
from tests.lookahead.brokers.flint.mapping import margin_data, order_data
from tests.lookahead.brokers.flint.streaming.adapter import FlintAdapter
from tests.lookahead.contract import Case


def number(text, below=10000):
    return zlib.crc32(str(text).encode()) % below


def noren(**books):
    def answer(route, form):
        body = json.loads(form[len("jData=") : -len("&jKey=x")])
        if route in books:
            return copy.deepcopy(books[route])
        if route == "PlaceOrder":
            if number(form, 20) == 0:
                return {"stat": "Not_Ok", "emsg": "ORA:[9]"}
            return {"stat": "Ok", "norenordno": f"2608{number(form)}"}
        if route == "CancelOrder":
            return {"stat": "Ok" if number(form, 8) else "Not_Ok"}
        if route == "GetQuotes":
            px = number(body["token"]) / 20
            levels = {f"bp{n}": str(px - n / 20) for n in range(1, 5)}
            return {"stat": "Ok" if number(body["token"], 12) else "Not_Ok", "lp": str(px), **levels}
        if route == "TPSeries":
            bars = [{"stat": "Ok", "time": t, "intc": str(number(form) / 20 + t)} for t in range(4)]
            return [*bars, {"stat": "Not_Ok"}]
        raise KeyError(route)

    return answer


def blend(contract, seed, **counts):
    rows = []
    for exchange, count in sorted(counts.items()):
        rows += contract.pick(seed, count, exchange)
    return Random(seed).sample(rows, len(rows))


def spoil(rows, key, *bad):
    rng = Random(66)
    out = copy.deepcopy(rows)
    for value in bad:
        out.insert(rng.randrange(len(out)), {**copy.deepcopy(rng.choice(rows)), key: value})
    out += [copy.deepcopy(rng.choice(rows)) for _ in range(3)]
    return out


def cases(contract):
    def rows(seed, key="tsym", bad=("NOSUCH-EQ", "", None), **counts):
        made = [
            {
                "stat": "Ok",
                "norenordno": f"26080{n:05}",
                "exch": r.exchange,
                "tsym": r.brsymbol + ("-EQ", "-BE", "")[n % 3] * (r.exchange == "NSE"),
                "token": r.token,
                "prd": "CIMH"[n % 4],
                "trantype": "BS"[n % 2],
                "status": ("COMPLETE", "OPEN", "REJECTED", "TRIGGER_PENDING")[n % 4],
                "flqty": str(n),
                "flprc": f"{n * 1.05:.2f}",
                "netqty": str((50, 0, -75, 25, -10)[n % 5]),
                "rpnl": f"{n * 2.2:.2f}",
                "urmtom": "" if n % 11 == 0 else f"{-n * 1.1:.2f}",
            }
            for n, r in enumerate(blend(contract, seed, **(counts or {"NSE": 22, "NFO": 24, "BFO": 4})))
        ]
        return spoil(made, key, *bad)

    def by_token(seed):
        made = rows(seed, "token", ("13", "", None))
        for n in (4, 15, 23, 24, 37):
            made[n].pop("token")
        made[24]["tsym"] = "GONE-EQ"
        made[31]["dname"] = "SOMETHING 30JUN"
        made[31]["token"] = "14"
        made[31]["tsym"] = "SOMETHING30JUN"
        return made

    def holdings():
        held = []
        bse = contract.by_exchange["BSE"]
        for n, r in enumerate(contract.pick(6004, 50, "NSE")):
            listings = [{"exch": "NSE", "token": r.token, "tsym": r.brsymbol + "-EQ"}]
            if n % 3 == 0:
                listings.insert(0, {"exch": "BSE", "token": "1", "tsym": "X" + r.brsymbol})
            if n % 4 == 0:
                listings.append({"exch": "BSE", "token": bse[n].token, "tsym": bse[n].brsymbol})
            if n % 8 == 4:
                listings[-2]["tsym"] = "UNLISTED-EQ"
            held.append({"exch_tsym": listings, "holdqty": str(n), "upldprc": f"{n}.50"})
        held.insert(9, {"holdqty": "3", "upldprc": "1"})
        return (held,)

    def requests(seed, **counts):
        made = [
            {
                "symbol": r.symbol,
                "exchange": r.exchange,
                "action": ("BUY", "SELL")[n % 2],
                "quantity": str((r.lotsize or 1) * (n % 3 + 1) + (n % 13 == 5)),
                "product": ("MIS", "NRML", "CNC")[n % 3],
            }
            for n, r in enumerate(blend(contract, seed, **(counts or {"NSE": 20, "NFO": 30})))
        ]
        return spoil(made, "symbol", "NOSUCH", None, "", "ACC30JUN26FUT")

    def wanted(seed, **counts):
        counts = counts or {"NSE": 22, "NFO": 22, "NSE_INDEX": 4, "MCX": 2}
        made = [{"symbol": r.symbol, "exchange": r.exchange} for r in blend(contract, seed, **counts)]
        return spoil(made, "symbol", "NOSUCH", None, "")

    def feed():
        made = [
            {
                "t": ("tk", "tf", "tf", "dk")[n % 4],
                "e": r.exchange.replace("_INDEX", ""),
                "tk": r.token,
                "lp": str(10.5 + n),
            }
            for n, r in enumerate(blend(contract, 6012, NSE=22, NFO=22, NSE_INDEX=6))
        ]
        made = spoil(made, "tk", "11", "")
        made[17].pop("lp")
        return FlintAdapter(), made

    def depth_items():
        made = wanted(6013, NSE=20, NFO=20)
        return noren(), [r for r in made[:45] if r["symbol"] not in (None, "", "NOSUCH")] + [{"symbol": "GONE", "exchange": "NSE"}] + made

    def asked():
        symbol = next(r.symbol for r in contract.by_exchange["NFO"]
                      if r.token == next(p for p in by_token(6006) if p["exch"] == "NFO"
                                         and p["prd"] == "I" and p.get("token"))["token"])
        return symbol, "NFO", "MIS", noren(PositionBook=by_token(6006))

    return [
        Case("flint order book", order_data.map_order_data, lambda: (rows(6001),)),
        Case("flint trade book", order_data.map_trade_data, lambda: (by_token(6002),)),
        Case("flint positions",
             lambda r: order_data.transform_positions_data(order_data.map_position_data(r)),
             lambda: (by_token(6003),)),
        Case("flint holdings", order_data.map_portfolio_data, holdings),
        Case("flint margin positions", margin_data.transform_margin_positions,
             lambda: (requests(6005, NFO=46, BFO=4), "FT0001")),
        Case("flint open position", order_api.get_open_position, asked),
        Case("flint close all", order_api.close_all_positions,
             lambda: (noren(PositionBook=rows(6007)),)),
        Case("flint cancel some", order_api.cancel_all_orders,
             lambda: (noren(OrderBook=rows(6008, bad=("NOSUCH-EQ", ""))),
                      [{"symbol": r.symbol, "exchange": r.exchange} for r in
                       blend(contract, 6008, NSE=22, NFO=24, BFO=4)[:35]])),
        Case("flint basket", order_api.place_basket, lambda: (requests(6009), noren())),
        Case("flint multiquotes", lambda h, s: data.BrokerData(h).get_multiquotes(s),
             lambda: (noren(), wanted(6010))),
        Case("flint series", lambda h, s: data.BrokerData(h).get_history(s),
             lambda: (noren(), wanted(6011))),
        Case("flint depth", lambda h, s: data.BrokerData(h).get_depth(s), depth_items),
        Case("flint subscribe", lambda a, s: a.subscribe(s),
             lambda: (FlintAdapter(), wanted(6014, NSE=40, NFO=40, NSE_INDEX=5))),
        Case("flint feed", lambda a, m: a.on_feed(m), feed),
    ]
