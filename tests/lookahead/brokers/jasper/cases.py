"""What Jasper's functions are tried with."""

from types import SimpleNamespace

from tests.lookahead.brokers.jasper import desk, views
from tests.lookahead.brokers.jasper.wire import letter_of
from tests.lookahead.contract import Case


class Client:
    """Replies to a form with a number made of its name."""

    def send(self, action, form):
        return f"{action[:2]}{sum(map(ord, form['ts'])) % 9973}"

    def __eq__(self, other):
        return isinstance(other, Client)

    def __hash__(self):
        return 1


def _picked(contract, seed, *others):
    shares = contract.pick(seed, 28, "NSE")
    rest = contract.pick(seed + 7, 22, *(others or ("NFO", "BFO", "BSE")))
    picked = shares + rest
    picked.sort(key=lambda item: item.token[::-1])
    return picked + picked[4:6] + picked[:1]


def _name(item):
    return f"{item.brsymbol}-EQ" if item.exchange == "NSE" else item.brsymbol


def _rows(contract, seed, *others):
    rows = []
    for place, item in enumerate(_picked(contract, seed, *others)):
        rows.append({
            "no": f"{place:04}",
            "ts": _name(item),
            "tk": item.token,
            "ex": letter_of(item.exchange),
            "q": str(place),
            "p": f"{place}.25",
            "fp": "101.5",
            "fq": str(place % 5),
            "nq": str((place % 6 - 2) * 15),
            "tt": "BS"[place % 2],
            "st": ("OPEN", "COMPLETE", "TRIGGER_PENDING")[place % 3],
            "tm": f"{9 + place // 12:02}:{16 + place % 40:02}",
        })
    rows[11]["ts"] = "FOLDED-EQ"
    rows[31]["ts"] = "FOLDED26SEPFUT"
    rows[31]["tk"] = "5"
    return rows


def _order_rows(contract):
    rows = _rows(contract, 401)
    rows[5]["ts"] = None
    rows[6]["ex"] = "NFO"
    rows[7]["q"] = ""
    return (rows,)


def _trade_rows(contract):
    rows = _rows(contract, 402)
    rows[9]["ts"] = None
    rows[10]["ex"] = "Z"
    rows[13]["ts"] = f" {rows[13]['ts']}"
    rows[41]["ts"] = ""
    return (rows,)


def _strict_rows(contract):
    rows = _rows(contract, 403)
    rows[11]["nq"] = "0"
    rows[31]["nq"] = "0"
    rows[46]["ts"] = "VANISHED-BE"
    rows[46]["nq"] = "5"
    return (rows,)


def _holding_rows(contract):
    rows = []
    for place, item in enumerate(contract.pick(404, 50, "NSE")):
        listings = [{"ex": "N", "ts": f"{item.brsymbol}-{('EQ', 'BE')[place % 2]}"},
                    {"ex": "B", "ts": item.brsymbol}]
        if place % 8 == 0:
            listings[0]["ts"] = f"OLD{item.brsymbol}-EQ"
        if place % 16 == 8:
            listings[1]["ts"] = f"OLD{item.brsymbol}"
        rows.append({"isin": f"INE{place:04}C01", "hq": str(place), "ls": listings})
    rows[3]["ls"] = []
    return (rows,)


def _limit_rows(contract):
    positions = []
    for place, item in enumerate(_picked(contract, 405)):
        positions.append(SimpleNamespace(
            symbol=item.symbol, exchange=item.exchange, price=7.35 + place, quantity=place * 25))
    positions[14].symbol = "UNSEEN"
    positions[24].symbol = ""
    return (positions,)


def _alerts(contract):
    alerts = []
    for place, item in enumerate(_picked(contract, 406, "NFO", "MCX")):
        sign = "<>"[place % 2]
        alerts.append({"id": place, "cond": f"{letter_of(item.exchange)}:{_name(item)}{sign}{place}.5"})
    alerts[12]["cond"] = ""
    alerts[22]["cond"] = "N:NEVERWAS-EQ>10"
    return ({"al": alerts},)


def _closing(contract):
    rows = _rows(contract, 407)
    rows[3]["tm"] = "09:01"
    rows[40]["tk"] = None
    return rows, ("OPEN", "COMPLETE")


def _strip(contract):
    options = [item for item in contract.by_exchange["NFO"] if item.instrumenttype in ("CE", "PE")]
    first = options[0]
    strikes = sorted({float(item.strike) for item in options
                      if (item.name, item.expiry) == (first.name, first.expiry)})
    step = strikes[1] - strikes[0]
    strikes += [strikes[-1] + step * 100, strikes[0] + 0.5]
    return first.name, first.expiry.replace("-", ""), strikes


def _orders(contract, seed):
    orders = []
    for place, item in enumerate(_picked(contract, seed)):
        orders.append({
            "no": place,
            "symbol": item.symbol,
            "exchange": item.exchange,
            "quantity": place + 1,
            "action": ("BUY", "SELL")[place % 2],
        })
    orders[8]["symbol"] = "NONESUCH"
    orders[18]["symbol"] = None
    orders[28]["symbol"] = 1234
    return orders


def _margin(contract):
    legs = _orders(contract, 410)
    return ({"A1": legs[:6], "A2": [], "A3": legs[6:29], "A4": legs[29:]},)


def _watch(contract):
    watch = [(item.exchange, item.symbol) for item in _picked(contract, 411)]
    watch[5:5] = [("NSE", "NIFTY"), ("NSE", "BANKNIFTY"), ("BSE", "SENSEX")]
    watch[20] = ("NSE", "LOST")
    return Client(), watch


def _subscriptions(contract):
    symbols = [{"symbol": order["symbol"], "exchange": order["exchange"]}
               for order in _orders(contract, 412)]
    symbols[13] = {"exchange": "NSE"}
    return (symbols,)


def _packets(contract):
    packets = [
        {"t": "tf" if place % 9 else "tk", "e": row["ex"], "ts": row["ts"], "lp": row["p"]}
        for place, row in enumerate(_rows(contract, 413))
    ]
    del packets[4]["lp"]
    del packets[6]["ts"]
    packets[13]["e"] = "NSE"
    return (packets,)


def cases(contract):
    return [
        Case("jasper_orders", views.orders_view, lambda: _order_rows(contract)),
        Case("jasper_trades", views.trades_view, lambda: _trade_rows(contract)),
        Case("jasper_strict_positions", views.strict_positions, lambda: _strict_rows(contract)),
        Case("jasper_holdings", views.holdings_view, lambda: _holding_rows(contract)),
        Case("jasper_limits", views.limits_view, lambda: _limit_rows(contract)),
        Case("jasper_alerts", views.alerts_view, lambda: _alerts(contract)),
        Case("jasper_closing_report", views.closing_report, lambda: _closing(contract)),
        Case("jasper_option_strip", views.option_strip, lambda: _strip(contract)),
        Case("jasper_basket_map", desk.run_basket, lambda: (Client(), _orders(contract, 408))),
        Case("jasper_modify_submit", desk.modify_many,
             lambda: (Client(), _orders(contract, 409))),
        Case("jasper_square_off", desk.square_off,
             lambda: (Client(), _rows(contract, 414), 45)),
        Case("jasper_span_margin", desk.span_margin, lambda: _margin(contract)),
        Case("jasper_snapshot", desk.snapshot, lambda: _watch(contract)),
        Case("jasper_subscribe", desk.stream_subscribe, lambda: _subscriptions(contract)),
        Case("jasper_packets", desk.stream_packets, lambda: _packets(contract)),
    ]
