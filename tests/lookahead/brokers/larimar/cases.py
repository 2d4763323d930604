"""What Larimar's functions are tried with."""

import json
from dataclasses import dataclass, field

from tests.lookahead.brokers.larimar import execution, reporting
from tests.lookahead.brokers.larimar.core import VENUES
from tests.lookahead.contract import Case

VENUE_OF = {exchange: venue for venue, exchange in VENUES.items()}


@dataclass
class Session:
    """Answers requests from its pages."""

    pages: dict = field(default_factory=dict)

    def request(self, verb, path, body):
        if verb == "GET":
            return self.pages[path]
        if verb == "DELETE":
            return {"ok": not path.endswith("3")}
        if path == "/quotes":
            return {"quotes": {code: len(code) * 1.5 for code in body["codes"]}}
        return {"ticket": f"L{body['instrument']['id'] % 99991}"}


def _chosen(contract, seed, *others):
    equities = contract.pick(seed, 20, "NSE") + contract.pick(seed + 1, 10, "BSE")
    rest = contract.pick(seed + 2, 20, *(others or ("NFO",)))
    chosen = (equities + rest)
    chosen = chosen[::3] + chosen[1::3] + chosen[2::3]
    return chosen + chosen[15:18]


def _items(contract, seed, *, by="id"):
    items = []
    for place, item in enumerate(_chosen(contract, seed)):
        instrument = {"venue": VENUE_OF[item.exchange], "code": item.brsymbol}
        if by == "id":
            instrument["id"] = int(item.token) if place % 4 == 0 else item.token
        items.append({
            "ref": f"R{place}",
            "instrument": instrument,
            "state": ("WORKING", "DONE", "HELD")[place % 3],
            "product": ("CNC", "MIS")[place % 5 == 0],
            "side": ("LONG", "SHORT")[place % 2],
            "quantity": str(place % 7),
            "filled": place % 8,
            "average": f"{place}.1",
            "price": f"{place * 2}.345",
        })
    return items


def _orders(contract):
    items = _items(contract, 601)
    items[5]["instrument"]["id"] = None
    items[5]["instrument"]["code"] = "NEWCO"
    items[11]["instrument"] = None
    items[21]["instrument"]["venue"] = "OTC"
    items[33]["instrument"]["id"] = "1"
    items.append(["not", "an", "object"])
    return ({"items": items},)


def _trades(contract):
    items = _items(contract, 604, by="code")
    items[10]["instrument"]["code"] = "WITHERED"
    items[20]["instrument"]["code"] = None
    items[30]["price"] = None
    return ({"error": None, "items": items},)


def _sections(contract):
    items = _items(contract, 607)
    items[4]["instrument"]["id"] = None
    items[14]["instrument"]["id"] = "2222222222"
    items[34]["instrument"]["id"] = ""
    return ({"sections": {"overnight": items[:25], "intraday": items[25:], "closed": []}},)


def _holdings(contract):
    holdings = {}
    for place, item in enumerate(_chosen(contract, 610)):
        detail = {"quantity": place, "average": place * 1.5}
        pair = item.brsymbol if item.exchange == "NSE" and place % 2 else (
            f"{item.exchange}:{item.brsymbol}")
        holdings[pair] = json.dumps(detail) if place % 4 == 0 else detail
    holdings["NSE:TORN"] = "{"
    holdings["NSE:LAPSED"] = {"quantity": 1}
    holdings["BSE:"] = {"quantity": 2}
    return ({"holdings": holdings},)


def _open(contract):
    items = _items(contract, 613)
    items[9]["instrument"] = None
    chosen = _chosen(contract, 613)
    return {"items": items}, f"{chosen[42].exchange}:{chosen[42].symbol}", "CNC"


def _groups(contract):
    items = _items(contract, 616, by="code")
    items[13]["instrument"]["code"] = "WITHERED"
    items[26]["instrument"]["code"] = ""
    triggers = [{"id": place, "orders": items[place:place + 3]} for place in range(0, 53, 3)]
    return ({"groups": [
        {"name": "swing", "triggers": triggers[:5]},
        {"name": "none", "triggers": []},
        {"name": "hedge", "triggers": triggers[5:]},
    ]},)


def _bookmarks(contract):
    bookmarks, batches = [], []
    for place, item in enumerate(_chosen(contract, 619, "MCX", "NFO")):
        bookmarks.append({"symbol": item.symbol, "exchange": item.exchange, "until": 100 + place})
        if place % 3:
            batches.append({"token": int(item.token), "bars": [{"t": 120}, {"t": 110 + place % 5}]})
    bookmarks[6]["symbol"] = "UNLISTED"
    bookmarks[16]["symbol"] = None
    return bookmarks, batches


def _pairs(contract, seed):
    pairs = [f"{item.exchange}:{item.symbol}" for item in _chosen(contract, seed)]
    pairs[3] = "NSE:PHANTOM"
    pairs[13] = "NFO:"
    pairs[23] = "RELIANCE"
    return pairs


def _audit(contract):
    items = _items(contract, 625)
    items[46]["instrument"]["id"] = 31
    return ({"items": items},)


def _requests(contract, seed):
    requests = []
    for place, item in enumerate(_chosen(contract, seed)):
        requests.append({
            "symbol": item.symbol,
            "exchange": item.exchange,
            "action": ("BUY", "SELL")[place % 2],
            "quantity": place + 1,
        })
    requests[8]["symbol"] = "VOIDED"
    requests[18]["symbol"] = ""
    requests[38]["symbol"] = "VOIDED26SEPFUT"
    return requests


def _session(contract, seed, *, by="id"):
    items = _items(contract, seed, by=by)
    items[12]["instrument"]["code"] = "withered "
    items[22]["instrument"]["code"] = f" {items[22]['instrument']['code'].lower()}"
    if by == "id":
        items[12]["instrument"]["id"] = 17
    return Session({
        "/positions": {"items": items},
        "/orders": {"pages": [{"items": items[:20]}, {"items": items[20:]}]},
    })


def _margin(contract):
    return ({"legs": {f"leg{place}": leg
                      for place, leg in enumerate(_requests(contract, 637))}},)


def _contracts(contract):
    options = [item for item in contract.by_exchange["NFO"] if item.instrumenttype in ("CE", "PE")]
    first = options[40]
    same = [item for item in options if item.name == first.name][:60]
    entries = [{"code": f"{item.brsymbol[:-2]} {item.brsymbol[-2:]}", "strike": float(item.strike),
                "premium": 5 + place} for place, item in enumerate(same)]
    entries.append({"code": "WEEKLY", "strike": float(first.strike), "premium": 0})
    return {"contracts": entries}, float(first.strike)


def _feed(contract):
    symbols = [{"symbol": order["symbol"], "exchange": order["exchange"]}
               for order in _requests(contract, 640)]
    symbols[2]["symbol"] = f" {symbols[2]['symbol'].lower()} "
    symbols[25] = {"exchange": "NSE"}
    symbols[26]["symbol"] = None
    return (symbols,)


def cases(contract):
    return [
        Case("larimar_orders", reporting.order_report, lambda: _orders(contract)),
        Case("larimar_trades", reporting.trade_report, lambda: _trades(contract)),
        Case("larimar_positions", reporting.position_sheet, lambda: _sections(contract)),
        Case("larimar_holdings", reporting.holding_map, lambda: _holdings(contract)),
        Case("larimar_open_quantity", reporting.open_quantity, lambda: _open(contract)),
        Case("larimar_triggers", reporting.trigger_tree, lambda: _groups(contract)),
        Case("larimar_bookmarks", reporting.bar_bookkeeping, lambda: _bookmarks(contract)),
        Case("larimar_terms", reporting.terms_table, lambda: (_pairs(contract, 622),)),
        Case("larimar_audit", reporting.audit, lambda: _audit(contract)),
        Case("larimar_basket_map", execution.execute_basket,
             lambda: (Session(), _requests(contract, 628))),
        Case("larimar_quotes_submit", execution.fetch_multi_quotes,
             lambda: (Session(), _pairs(contract, 631))),
        Case("larimar_flatten", execution.flatten_account,
             lambda: (_session(contract, 634),)),
        Case("larimar_withdraw", execution.withdraw_all,
             lambda: (_session(contract, 643, by="code"), None)),
        Case("larimar_margin", execution.margin_request, lambda: _margin(contract)),
        Case("larimar_chain", execution.chain_sheet, lambda: _contracts(contract)),
        Case("larimar_subscribe", execution.subscribe_feed, lambda: _feed(contract)),
    ]
