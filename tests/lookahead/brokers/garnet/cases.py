"""What Garnet's functions are tried with."""

from dataclasses import dataclass, field

from tests.lookahead.brokers.garnet import books, trading
from tests.lookahead.contract import Case


@dataclass
class CannedGateway:
    """Answers requests out of a dictionary."""

    answers: dict = field(default_factory=dict)

    def get(self, path, keys=None):
        if path == "/quotes":
            return {"state": "ok", "result": {
                key: {"last": 100 + len(key), "volume": str(len(key) * 7)} for key in keys}}
        return self.answers.get(path, {"state": "error"})

    def post(self, path, body):
        name = body.get("trading_symbol")
        return {"state": "ok", "result": {"order_ref": f"{path}#{name}"}}

    def delete(self, path):
        return {"state": "error" if path.endswith("7") else "ok"}


def _instruments(contract, seed, shares=26, derivatives=24):
    chosen = contract.pick(seed, shares, "NSE") + contract.pick(seed, derivatives, "NFO", "BSE")
    mixed = chosen[::2] + chosen[1::2]
    return mixed + mixed[3:6]


def _rows(contract, seed):
    rows = []
    for number, item in enumerate(_instruments(contract, seed)):
        rows.append({
            "order_ref": f"G{1000 + number}",
            "trading_symbol": item.brsymbol,
            "scrip_token": int(item.token),
            "exchange": item.exchange,
            "product": ("DELIVERY", "INTRADAY", "CARRY")[number % 3],
            "price_type": ("LMT", "MKT", "STP", "??")[number % 4],
            "status": ("OPEN", "COMPLETE", "REJECTED", "TRIGGER PENDING", "OPEN")[number % 5],
            "side": "BS"[number % 2],
            "quantity": (number % 7 - 2) * 25,
            "fill_price": 100 + number * 1.5,
            "average_price": str(90 + number),
            "last_price": 95.25 + number,
        })
    rows[8]["trading_symbol"] = "NOSUCHCO"
    rows[20]["trading_symbol"] = "GHOST26AUGFUT"
    rows[41]["trading_symbol"] = ""
    return rows


def _envelope(**result):
    return {"state": "ok", "result": result}


def _orders(contract):
    return (_envelope(orders=_rows(contract, 101)),)


def _trades(contract):
    rows = _rows(contract, 102)
    rows[12]["trading_symbol"] = None
    rows[13]["trading_symbol"] = 500325
    rows.append("heartbeat")
    return (_envelope(trades=rows),)


def _positions(contract):
    return (_envelope(net=_rows(contract, 103), day=_rows(contract, 103)[10:30]),)


def _holdings(contract):
    lots = []
    for number, item in enumerate(contract.pick(104, 30, "NSE") + contract.pick(104, 20, "BSE")):
        lots.append({
            "isin": f"INE{number:03}A01010",
            "scrip_token": int(item.token) if number % 2 else item.token,
            "free_quantity": number,
            "pledged_quantity": None if number % 9 == 0 else 2,
            "average_price": 55.5 + number,
            "last_price": 60,
        })
    lots[5]["scrip_token"] = None
    lots[15]["scrip_token"] = 999999999
    lots[16]["scrip_token"] = "888888888"
    return (_envelope(portfolio={"lots": lots}),)


def _triggers(contract):
    first = _rows(contract, 105)
    triggers = []
    for number, row in enumerate(first):
        leg = {key: row[key] for key in ("trading_symbol", "exchange", "side", "quantity")}
        leg["price"] = 10 * number
        legs = [dict(leg), dict(leg, price=5)] if number % 3 == 0 else [dict(leg)]
        triggers.append({
            "id": 7000 + number,
            "condition": {
                "exchange": row["exchange"],
                "trading_symbol": row["trading_symbol"],
                "values": [1.5, "2.25"],
            },
            "legs": legs,
        })
    del triggers[9]["condition"]["exchange"]
    return (_envelope(triggers=triggers),)


def _audit(contract):
    lines = [
        (f"2026-08-03 09:{15 + number % 40:02}", int(item.token), item.exchange, number * 5)
        for number, item in enumerate(_instruments(contract, 106))
    ]
    lines[4] = ("2026-08-03 09:59", 0, "NSE", 10)
    lines[30] = ("2026-08-03 10:00", None, "NFO", "x")
    lines[31] = ("2026-08-03 10:01", 123, "NFO", "15")
    return (lines,)


def _find(contract):
    rows = _rows(contract, 107)
    target = rows[35]
    row = next(item for item in contract.by_exchange[target["exchange"]]
               if item.brsymbol == target["trading_symbol"])
    gateway = CannedGateway({"/portfolio/positions": _envelope(net=rows)})
    product = {"DELIVERY": "CNC", "INTRADAY": "MIS", "CARRY": "NRML"}[target["product"]]
    return gateway, row.symbol, row.exchange, product


def _gateway(contract, seed):
    rows = _rows(contract, seed)
    return CannedGateway({
        "/portfolio/positions": _envelope(net=rows),
        "/orders": _envelope(orders=rows),
    })


def _requests(contract, seed):
    orders = [
        {
            "symbol": item.symbol,
            "exchange": item.exchange,
            "action": "SELL" if number % 3 else "BUY",
            "quantity": str(number + 1),
            "product": "MIS",
            "price": number * 2.5,
        }
        for number, item in enumerate(_instruments(contract, seed))
    ]
    orders[7]["symbol"] = "NOTLISTED"
    orders[19]["symbol"] = ""
    orders[29]["symbol"] = None
    return orders


def _quotes(contract):
    wanted = [{"symbol": item.symbol, "exchange": item.exchange}
              for item in _instruments(contract, 111) + contract.pick(111, 4, "NSE_INDEX")]
    wanted[6]["symbol"] = "MISSING1"
    wanted[26]["symbol"] = "MISSING2"
    return CannedGateway(), wanted


def cases(contract):
    return [
        Case("garnet_order_book", books.normalise_order_book, lambda: _orders(contract)),
        Case("garnet_trade_book", books.transform_trade_book, lambda: _trades(contract)),
        Case("garnet_positions", books.map_positions, lambda: _positions(contract)),
        Case("garnet_holdings", books.summarise_holdings, lambda: _holdings(contract)),
        Case("garnet_triggers", books.map_triggers, lambda: _triggers(contract)),
        Case("garnet_audit_log", books.audit_execution_log, lambda: _audit(contract)),
        Case("garnet_find_open_position", trading.find_open_position, lambda: _find(contract)),
        Case("garnet_close_all", trading.close_all_positions, lambda: (_gateway(contract, 108),)),
        Case("garnet_cancel_all", trading.cancel_all_orders, lambda: (_gateway(contract, 109),)),
        Case("garnet_margin", trading.build_margin_request,
             lambda: (_requests(contract, 110),)),
        Case("garnet_basket_map", trading.place_basket,
             lambda: (CannedGateway(), _requests(contract, 112))),
        Case("garnet_basket_submit", trading.place_split_basket,
             lambda: (CannedGateway(), _requests(contract, 113))),
        Case("garnet_multi_quotes", trading.fetch_multi_quotes, lambda: _quotes(contract)),
    ]
