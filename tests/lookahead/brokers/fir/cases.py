"""What Fir's functions are called with."""

import json
import zlib
from dataclasses import dataclass, field
from random import Random

from tests.lookahead.brokers.fir.api import data, order_api
from tests.lookahead.brokers.fir.mapping import margin, order_data
from tests.lookahead.brokers.fir.mapping.segs import SEG_BACK
from tests.lookahead.brokers.fir.streaming import hs
from tests.lookahead.contract import Case


@dataclass
class Client:
    """Called like client('GET', path, None)."""

    texts: dict = field(default_factory=dict)

    def __call__(self, method, path, body):
        if method == "GET":
            return json.loads(self.texts[path])
        number = zlib.crc32(json.dumps(body, sort_keys=True).encode())
        if path == "/orders":
            return {"stat": "Ok", "nOrdNo": "F%d" % number}
        if path == "/cancel":
            return {"stat": "Ok", "count": number % 3}
        if path == "/margin":
            return {"data": {"reqMrgn": number % 100000 / 100}}
        return {"message": [{"key": k, "ltp": "%.2f" % (zlib.crc32(k.encode()) % 800)} for k in body]}


def fetch(contract, seed, kinds="NNNNNFFFFFFBMC"):
    """About fifty instruments, the letters say how many of which exchange."""
    names = {"N": "NSE", "F": "NFO", "B": "BSE", "M": "MCX", "C": "CDS"}
    rows = []
    for letter, exchange in names.items():
        count = kinds.count(letter) * 50 // len(kinds)
        rows += contract.pick(seed, count, exchange) if count else []
    Random(seed).shuffle(rows)
    return rows


def name(r):
    return r.brsymbol + "-EQ" if r.exchange == "NSE" else r.brsymbol


def cases(contract):
    def book(seed, numbers=float, key="trdSym", bad=("MISSING-EQ", "", "MISSING26AUGFUT", None)):
        rows = [
            {
                "nOrdNo": "f%03d" % n,
                "exSeg": SEG_BACK[r.exchange],
                "tok": numbers(r.token),
                "trdSym": name(r),
                "ordSt": ["complete", "rejected", "rejected", "open"][n % 4],
                "avgPrc": 2.75 * n,
                "fldQty": n + 1,
                "qty": str(n + 1),
                "buyQty": n % 5 * 10,
                "sellQty": 20,
            }
            for n, r in enumerate(fetch(contract, seed))
        ]
        for n, value in enumerate(bad):
            rows[n * 10 + 6][key] = value
        rows.insert(9, dict(rows[0]))
        rows.insert(29, dict(rows[17]))
        return rows

    def body(*args, **kwargs):
        return {"stat": "Ok", "data": book(*args, **kwargs)}

    def client(path, answer):
        return Client({path: json.dumps(answer)})

    def report():
        rows = [[row[c] for c in order_data.ORDER_COLS] for row in book(903, str, "tok", ("9", ""))]
        rows[31][2] = None
        rows[12][2] += ".0"
        return (rows,)

    def holdings():
        rows = []
        for n, r in enumerate(fetch(contract, 906, "NNNB")):
            other = {"NSE": "bse_cm", "BSE": "nse_cm"}[r.exchange]
            listings = [{"code": r.brsymbol, "seg": SEG_BACK[r.exchange]}]
            listings.insert(n % 2, {"code": r.brsymbol, "seg": other})
            rows.append({"isin": "INE%d" % n, "qty": "%d" % n, "listings": listings[: 1 + n % 3]})
        rows[4]["listings"][0]["code"] = "MISSING"
        rows[15]["listings"] = []
        rows[22]["listings"][0]["code"] = None
        rows[33]["listings"] = [{"code": "MISSING2", "seg": s} for s in ("nse_cm", "bse_cm")]
        return ({"data": rows},)

    def gtt():
        rows = {
            row["nOrdNo"]: {
                "tok": row["tok"],
                "seg": row["exSeg"].upper(),
                "state": "ACTIVE" if n % 8 else "EXPIRED",
            }
            for n, row in enumerate(book(907, key="tok", bad=(5.0,)))
        }
        return ({"gtt": rows},)

    def resting():
        rows = book(908)
        for row in rows[::6]:
            row["tok"] = 1.0
        return ({"data": rows},)

    def ours(seed, kinds="NNNNNFFFFFFBMC"):
        rows = [
            {"symbol": r.symbol, "exchange": r.exchange, "qty": n + 1, "action": "BUY"}
            for n, r in enumerate(fetch(contract, seed, kinds))
        ]
        for n, value in ((2, "MISSING"), (12, None), (25, ""), (37, "MISSING29SEP265PE")):
            rows[n]["symbol"] = value
        rows.insert(16, dict(rows[8]))
        return rows

    def open_position():
        last = [r for r in fetch(contract, 921) if r.exchange == "NSE"][-1]
        return client("/positions", body(921)), last.symbol, "NSE"

    def columns():
        rows = ours(924)
        return Client(), [r["symbol"] for r in rows], [r["exchange"] for r in rows]

    def watch():
        items = [{"key": SEG_BACK[r.exchange] + "|" + r.token} for r in fetch(contract, 932)]
        for n in (0, 10, 30):
            items.insert(n, {"title": "part %d" % n})
        items.insert(46, {"key": "nse_cm|3"})
        return client("/watch/mine", {"items": items}), "mine"

    def chain():
        some = next(r for r in contract.pick(933, 50, "NFO") if r.instrumenttype == "CE")
        rows = [
            r for r in contract.by_exchange["NFO"] if r.name == some.name and r.strike
        ][:80]
        expiries = {}
        for r in rows:
            strikes = expiries.setdefault(r.expiry, {})
            strikes.setdefault("%.2f" % r.strike, []).append(r.brsymbol)
        next(iter(expiries.values()))["1.00"] = ["MISSING26AUG1CE", "MISSING26AUG1PE"]
        return client("/chain/" + some.name, {"expiries": expiries}), some.name

    def bhav():
        rows = [
            {"tok": float(r.token), "exch": r.exchange, "close": 1.5 * n}
            for n, r in enumerate(fetch(contract, 934))
        ]
        rows[7]["tok"], rows[8]["tok"] = 4.0, "5"
        rows.insert(30, dict(rows[29]))
        return (rows,)

    def scrips():
        keys = [SEG_BACK[r.exchange] + "|" + r.token for r in fetch(contract, 942)]
        keys[5:5] = ["nse_cm|6", "", "lse_cm|6", keys[1]]
        return ("&".join(keys),)

    def frames():
        rows = [
            {"e": SEG_BACK[r.exchange], "tk": r.token, "ts": name(r), "ltp": "%.2f" % n}
            for n, r in enumerate(fetch(contract, 943))
        ]
        rows[6].update(ts="MISSING-EQ", tk="1")
        rows[18].update(ts=None, tk="2")
        return [rows[:20], rows[10:35], rows[5:15], rows[30:]], {}

    return [
        Case("fir orders", order_data.map_order_data, lambda: (body(901),)),
        Case("fir order report", order_data.order_rows_from_report, report),
        Case("fir trades frame", order_data.map_trade_data, lambda: (body(904),)),
        Case("fir positions", order_data.map_position_data,
             lambda: (body(905, key="tok", bad=(8.0, None, 0.0, "77")),)),
        Case("fir holdings", order_data.map_holdings, holdings),
        Case("fir gtt", order_data.map_gtt, gtt),
        Case("fir renumber", order_data.renumber, resting),
        Case("fir margin lines", margin.margin_lines, lambda: (ours(911),),
             "three kinds of lookup"),
        Case("fir single margins", margin.single_margins, lambda: (Client(), ours(912))),
        Case("fir open position", order_api.get_open_position, open_position),
        Case("fir square off", order_api.square_off,
             lambda: (client("/positions", body(922, key="tok", bad=(8.0, None, "x", "77"))),)),
        Case("fir basket", order_api.place_basket, lambda: (Client(), ours(923)), "thread pool"),
        Case("fir close many", order_api.close_many, columns, "thread pool"),
        Case("fir rejected names", order_api.rejected_names,
             lambda: (client("/orders", body(925)),)),
        Case("fir quotes", data.get_quotes, lambda: (Client(), ours(931))),
        Case("fir market watch", data.market_watch, watch),
        Case("fir option chain", data.option_chain, chain),
        Case("fir closes", data.load_closes, bhav),
        Case("fir scrip string", hs.scrip_string, lambda: (ours(941),)),
        Case("fir scrip names", hs.names_of, scrips),
        Case("fir feed rows", hs.feed_rows, frames),
    ]
