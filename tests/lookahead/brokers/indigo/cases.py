"""What Indigo's functions are tried with."""

from dataclasses import dataclass, field

from tests.lookahead.brokers.indigo import dealing, reports
from tests.lookahead.brokers.indigo.codes import CODES
from tests.lookahead.contract import Case


@dataclass
class FakeHttp:
    """Answers from a table, or with something made of the question."""

    table: dict = field(default_factory=dict)

    def get(self, name, **parameters):
        if name == "quote":
            return {"Ltp": len(parameters["key"]) * 1000 + int(parameters["key"][-2:])}
        return self.table[name]

    def post(self, name, body):
        return {"Reference": f"{name}-{body['Instrument']}"}


def _items(contract, seed, *exchanges):
    half = contract.pick(seed, 25, "NSE")
    rest = contract.pick(seed, 25, *(exchanges or ("NFO", "BSE", "MCX")))
    both = [item for pair in zip(half, rest, strict=True) for item in pair]
    return [*both, both[1], both[30]]


def _orders(contract, seed):
    states = ("Open", "Filled", "Parked", "Open", "Dead")
    rows = []
    for place, item in enumerate(_items(contract, seed)):
        rows.append({
            "Id": 5000 + place,
            "Market": CODES[item.exchange],
            "Instrument": int(item.token),
            "Label": item.brsymbol,
            "State": states[place % 5],
            "Qty": place,
        })
    rows[3]["Instrument"] = 11111111
    rows[25]["Instrument"] = 22222222
    return rows


def _order_report(contract):
    rows = _orders(contract, 301)
    rows[8]["Market"] = "1"
    rows[9]["Market"] = 99
    rows[40]["Instrument"] = None
    return ({"Success": True, "Body": rows},)


def _fills(contract):
    fills = []
    for place, item in enumerate(_items(contract, 302)):
        fills.append({
            "FillId": f"F{place}",
            "Key": f"{CODES[item.exchange]}|{item.token.zfill(10)}",
            "Qty": str(place % 9),
            "PricePaise": 10050 + place * 25,
        })
    fills[4]["Key"] = None
    fills[14]["Key"] = "1|0"
    fills[24]["Key"] = "NSE-RELIANCE"
    fills[34]["Key"] = "2|31337"
    return ({"Body": fills},)


def _net(contract):
    rows = []
    for place, item in enumerate(_items(contract, 303)):
        rows.append({
            "Market": str(CODES[item.exchange]),
            "Instrument": item.token if place % 2 else int(item.token),
            "NetQty": f"{place % 5 - 1}",
            "LtpPaise": 100 * place,
        })
    rows[47]["Instrument"] = "424242424"
    rows[47]["NetQty"] = 10
    return ({"Body": {"Net": rows}},)


def _packed(contract):
    items = _items(contract, 304)
    packed = [
        f"{CODES[item.exchange]};{item.token.zfill(9)};{place % 8 - 3}"
        for place, item in enumerate(items)
    ]
    packed[10] = "1;000012345;7"
    return {"Body": {"Packed": packed}}, items[44].symbol, items[44].exchange


def _holdings(contract):
    bombay = {item.symbol: item for item in contract.by_exchange["BSE"]}
    rows = []
    for place, item in enumerate(contract.pick(305, 50, "NSE")):
        listings = [{"Market": 1, "Instrument": int(item.token)}]
        other = bombay.get(item.symbol)
        if other is not None and place % 3 == 0:
            listings.append({"Market": 4, "Instrument": int(other.token)})
        if place % 6 == 0:
            listings[0]["Instrument"] = 90000000 + place
        rows.append({"Name": item.name, "Qty": place, "ClosePaise": 5025, "Listings": listings})
    rows[11]["Listings"] = []
    rows[13]["Listings"] = None
    rows[22]["Listings"][0]["Instrument"] = None
    return ({"Body": {"Holdings": rows}},)


def _chain(contract):
    options = [item for item in contract.by_exchange["NFO"] if item.instrumenttype in ("CE", "PE")]
    first = options[0]
    same = [item for item in options if (item.name, item.expiry) == (first.name, first.expiry)]
    strikes = {}
    for item in same:
        strikes.setdefault(float(item.strike), {})[item.instrumenttype] = item
    rows = []
    for place, strike in enumerate(sorted(strikes)[:30]):
        row = {"Strike": strike}
        for side, item in strikes[strike].items():
            row[side] = {"Name": item.brsymbol, "OI": 100 * (place + 1), "Ltp": 5 * place}
        rows.append(row)
    rows[2]["CE"] = None
    rows[5]["PE"] = {"Name": "NOTASTRIKE", "OI": 5, "Ltp": 1}
    return FakeHttp({"chain": {"Rows": rows}}), first.name, first.expiry


def _requests(contract, seed):
    requests = []
    for place, item in enumerate(_items(contract, seed)):
        lot = item.lotsize or 1
        requests.append({
            "symbol": item.symbol,
            "exchange": item.exchange,
            "action": "BUY" if place % 4 else "SELL",
            "quantity": lot * (place % 3 + 1) + (1 if place % 10 == 3 else 0),
        })
    requests[6]["symbol"] = "NOPE"
    requests[16]["symbol"] = ""
    requests[26]["symbol"] = "NOPE26AUGFUT"
    return requests


def _pending(contract):
    shares = contract.pick(309, 48, "NSE")
    orders = [{"id": place, "key": f"1|{int(item.token):010}"}
              for place, item in enumerate(shares[::2] + shares[::4])]
    return [item.symbol for item in shares] + ["OLDCO", ""], orders


def _statement(contract):
    lines = ["# key, side, quantity, paise"]
    for place, item in enumerate(_items(contract, 310)):
        side = "B" if place % 2 else "S"
        lines.append(f"{CODES[item.exchange]}|{item.token}, {side},{place},{place * 95}")
    lines[7] = "1|7, B,1,1"
    lines[17] = "garbled"
    lines[27] = ""
    return ("\n".join(lines),)


def _strategies(contract):
    legs = _requests(contract, 312)
    legs[6]["symbol"] = legs[0]["symbol"]
    legs[6]["exchange"] = legs[0]["exchange"]
    strategies = []
    for place in range(0, len(legs), 4):
        strategies.append({"id": f"S{place // 4}", "legs": legs[place:place + 4]})
    return ({"strategies": strategies},)


def _texts(contract):
    texts = [
        f"{item.exchange}:{item.symbol}" if place % 3 else f"{item.exchange.lower()}: {item.symbol} "
        for place, item in enumerate(_items(contract, 313))
    ]
    texts[9] = "NSE"
    texts[19] = "NSE:ABSENT"
    texts[29] = ""
    return (texts,)


def _ticks(contract):
    ticks = [{"k": f"{CODES[item.exchange]}|{item.token}", "p": place * 5}
             for place, item in enumerate(_items(contract, 314))]
    ticks[5]["k"] = "4|5"
    ticks[35]["k"] = "9|279041"
    return (ticks,)


def cases(contract):
    return [
        Case("indigo_order_report", reports.map_order_report, lambda: _order_report(contract)),
        Case("indigo_fills", reports.collect_fills, lambda: _fills(contract)),
        Case("indigo_net_positions", reports.net_positions, lambda: _net(contract)),
        Case("indigo_first_position", reports.first_net_position, lambda: _packed(contract)),
        Case("indigo_holdings", reports.holdings_statement, lambda: _holdings(contract)),
        Case("indigo_option_chain", reports.option_chain, lambda: _chain(contract)),
        Case("indigo_history", reports.history_requests,
             lambda: (_requests(contract, 307), 75)),
        Case("indigo_lot_check", reports.lot_check, lambda: (_requests(contract, 308),)),
        Case("indigo_pending", reports.pending_by_watch, lambda: _pending(contract)),
        Case("indigo_statement", reports.statement_lines, lambda: _statement(contract)),
        Case("indigo_basket_map", dealing.deal_basket,
             lambda: (FakeHttp(), _requests(contract, 311))),
        Case("indigo_quotes_submit", dealing.parallel_quotes,
             lambda: (FakeHttp(), _requests(contract, 315))),
        Case("indigo_cancel_all", dealing.cancel_everything,
             lambda: (FakeHttp({"orders": {"Body": _orders(contract, 316)}}),)),
        Case("indigo_margin_legs", dealing.margin_legs, lambda: _strategies(contract)),
        Case("indigo_subscribe", dealing.subscribe_all, lambda: _texts(contract)),
        Case("indigo_route_ticks", dealing.route_ticks, lambda: _ticks(contract)),
    ]
