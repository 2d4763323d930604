"""What Karst's functions are called with."""

import copy
import zlib
from random import Random

from tests.lookahead.brokers.karst.api import data, order_api
from tests.lookahead.brokers.karst.mapping import margin_data, order_data
from tests.lookahead.brokers.karst.streaming.adapter import Feed
from tests.lookahead.contract import Case


def number(text, below=10000):
    return zlib.crc32(str(text).encode()) % below


def server(positions=(), orders=()):
    def rest(path, body):
        if path.endswith("positionBook"):
            return copy.deepcopy(list(positions))
        if path.endswith("fetchOrderBook"):
            return copy.deepcopy(list(orders))
        if path.endswith("PlaceOrder"):
            if number(body, 17) == 0:
                return [{"stat": "Not_Ok", "Emsg": f"RMS:{number(body, 99)}"}]
            return [{"stat": "Ok", "NOrdNo": f"2608{number(body)}"}]
        if path.endswith("cancelOrder"):
            return {"stat": "Ok"} if number(body, 7) else {"stat": "Not_Ok", "Emsg": "too late"}
        if path.endswith("QuoteDetails"):
            if number(body, 14) == 0:
                return {"stat": "Not_Ok", "Emsg": "no quote"}
            return {"stat": "Ok", "LTP": str(number(body) / 20), "PrvClose": "10.00"}
        if path.endswith("history"):
            if number(body, 10) == 0:
                return {"stat": "Not_Ok"}
            return {"result": [{"close": number(body) / 20 + t} for t in range(number(body, 6))]}
        raise KeyError(path)

    return rest


def blend(contract, seed, **counts):
    rows = [row for exchange, n in counts.items() for row in contract.pick(seed, n, exchange)]
    Random(seed).shuffle(rows)
    return rows


def spoil(rows, key, *bad):
    rng = Random(113)
    out = copy.deepcopy(rows)
    for value in bad:
        out.insert(rng.randrange(len(out)), {**copy.deepcopy(rng.choice(rows)), key: value})
    for _ in range(3):
        out.insert(rng.randrange(len(out)), copy.deepcopy(rng.choice(rows)))
    return out


def cases(contract):
    def orders(seed, *bad, key="token"):
        made = [
            {
                "Nstordno": f"2608{n:06}",
                "Trsym": r.brsymbol + "-EQ" * (r.exchange == "NSE"),
                "Exchange": r.exchange,
                "token": r.token,
                "Pcode": ("CNC", "MIS", "NRML", "--")[n % 4],
                "Trantype": "BS"[n % 2],
                "Qty": n + 1,
                "Avgprc": f"{n}.05" if n % 3 else "--",
                "Filltime": f"09:{n % 60:02}:00",
                "Status": ("open", "complete", "trigger pending", "rejected")[n % 4],
            }
            for n, r in enumerate(blend(contract, seed, NSE=22, NFO=25, MCX=3))
        ]
        return spoil(made, key, *bad)

    def broken():
        made = orders(11001, "11", "", "--", None)
        made[5]["Qty"] = "many"
        made[19].pop("token")
        made[26].pop("Exchange")
        return (made,)

    def positions(seed, *bad):
        made = [
            {
                "Tsym": r.brsymbol,
                "Exchange": r.exchange,
                "Token": r.token if n % 12 else "--",
                "Pcode": ("MIS", "NRML")[n % 2],
                "Netqty": str((75, -50, 0, 25, -25)[n % 5]),
                "realisedprofitloss": f"{1.5 * n:.2f}" if n % 9 else "NA",
            }
            for n, r in enumerate(blend(contract, seed, NSE=16, NFO=30, CDS=4))
        ]
        return spoil(made, "Token", *bad)

    def holdings():
        made = []
        nse, bse = contract.pick(11004, 50, "NSE"), contract.pick(11004, 50, "BSE")
        for n, (a, b) in enumerate(zip(nse, bse)):
            made.append(
                {
                    "Nsetsym": a.brsymbol + "-EQ" if n % 5 else "0",
                    "ExchSeg1": "NSE" if n % 7 != 6 else "",
                    "Token1": a.token,
                    "Bsetsym": b.brsymbol,
                    "ExchSeg2": "BSE",
                    "Token2": b.token,
                    "Holdqty": str(n),
                }
            )
        made[8].update(Nsetsym="RENAMED-EQ")
        made[16].update(Nsetsym="GONE-EQ", Token1="17", Bsetsym="GONE", Token2="19")
        made[23].update(Nsetsym="GONE-EQ", Token1="17")
        return ({"stat": "Ok", "HoldingVal": made},)

    def requests(seed):
        made = [
            {
                "symbol": r.symbol,
                "exchange": r.exchange,
                "action": ("buy", "sell")[n % 2],
                "quantity": str(r.lotsize * (1, 2, 9)[n % 3]),
                "product": ("MIS", "NRML")[n % 2],
                "pricetype": ("MARKET", "LIMIT", "SL")[n % 3],
            }
            for n, r in enumerate(blend(contract, seed, NSE=20, NFO=30))
        ]
        return spoil(made, "symbol", "NOSUCH", None, "")

    def margin():
        made = requests(11005)
        made[13].pop("action")
        made[28]["quantity"] = "?"
        return (made,)

    def wanted(seed):
        made = [
            {"symbol": r.symbol, "exchange": r.exchange}
            for r in blend(contract, seed, NSE=22, NFO=24, NSE_INDEX=4)
        ]
        return spoil(made, "symbol", "NOSUCH", None, "")

    def messages():
        picked = blend(contract, 11014, NSE=22, NFO=24, MCX=4)
        made = [
            {"t": ("tk", "tf", "dk", "tf", "tf")[n % 5], "e": r.exchange, "tk": r.token, "lp": f"{n}.5"}
            for n, r in enumerate(picked)
        ]
        made = spoil(made, "tk", "11", "")
        made[9].pop("lp")
        made.insert(4, {"t": "ck", "s": "OK"})
        return Feed({f"{r.exchange}|{r.token}": r.symbol for r in picked[:10]}), made

    def held():
        made = positions(11007, "11")
        row = next(p for p in made[42:] if p["Exchange"] == "NFO" and p["Token"] != "--")
        symbol = next(r.symbol for r in contract.by_exchange["NFO"] if r.token == row["Token"])
        return symbol, "NFO", row["Pcode"], server(made)

    return [
        Case("karst order book", order_data.map_order_data, broken),
        Case("karst trade book", order_data.map_trade_data,
             lambda: (orders(11002, "NOSUCH-EQ", "", "--", key="Trsym"),)),
        Case("karst positions", order_data.map_position_data,
             lambda: (positions(11003, "11", "", None),)),
        Case("karst holdings", order_data.map_portfolio_data, holdings),
        Case("karst realised", order_data.realised_by_symbol,
             lambda: (positions(11006, 11, "--", None),)),
        Case("karst margin positions", margin_data.transform_margin_positions, margin),
        Case("karst open position", order_api.get_open_position, held),
        Case("karst basket", order_api.place_basket, lambda: (requests(11008), server())),
        Case("karst close all", order_api.close_all_positions,
             lambda: (server(positions(11009, "11")),)),
        Case("karst cancel all", order_api.cancel_all_orders,
             lambda: (server(orders=orders(11010, "11", "")),)),
        Case("karst pending of strategy", order_api.pending_of,
             lambda: ([{"symbol": r.symbol, "exchange": r.exchange} for r in
                       blend(contract, 11011, NSE=22, NFO=25, MCX=3)]
                      + [{"symbol": "NOSUCH", "exchange": "NSE"}],
                      server(orders=orders(11011, "11")))),
        Case("karst multiquotes", lambda r, s: data.BrokerData(r).get_multiquotes(s),
             lambda: (server(), wanted(11012))),
        Case("karst history", lambda r, s: data.BrokerData(r).get_history(s),
             lambda: (server(), wanted(11013))),
        Case("karst subscribe", lambda f, s: (f.subscribe(s), f.names),
             lambda: (Feed(), wanted(11015))),
        Case("karst feed", lambda f, m: f.handle(m), messages),
    ]
