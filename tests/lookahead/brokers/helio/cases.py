"""What Helio's functions are tried with."""

from dataclasses import dataclass

from tests.lookahead.brokers.helio import orders, portfolio
from tests.lookahead.brokers.helio.segments import SEGMENT_OF_EXCHANGE
from tests.lookahead.contract import Case


@dataclass
class Http:
    """A client whose every order gets an id made of its body."""

    prefix: str = "HX"

    def post(self, path, body):
        return {"orderId": f"{self.prefix}{body['securityId']}", "path": path}


def _chosen(contract, seed):
    picked = (contract.pick(seed, 22, "NSE") + contract.pick(seed + 1, 20, "NFO")
              + contract.pick(seed + 2, 8, "BSE"))
    order = sorted(range(len(picked)), key=lambda place: place * 17 % 50)
    picked = [picked[place] for place in order]
    return picked + picked[10:12]


def _security_rows(contract, seed, *, number=False, text_only=False):
    rows = []
    for place, item in enumerate(_chosen(contract, seed)):
        token = int(item.token) if number or (place % 5 == 0 and not text_only) else item.token
        rows.append({
            "securityId": token,
            "exchangeSegment": SEGMENT_OF_EXCHANGE[item.exchange],
            "tradingSymbol": item.brsymbol,
            "productType": ("CNC", "INTRADAY", "MARGIN")[place % 3],
            "transactionType": ("BUY", "SELL")[place % 2],
            "orderId": f"{place:05}",
            "orderStatus": ("TRADED", "PENDING", "TRANSIT", "REJECTED")[place % 4],
            "netQty": (place % 6 - 2) * 10,
            "buyAvg": f"1,{100 + place}.50",
            "lastTradedPrice": 1000 + place,
            "tradedPrice": 10 + place,
            "tradedQty": place % 4 + 1,
        })
    rows[6]["securityId"] = "77777777"
    rows[33]["securityId"] = "66666666"
    return rows


def _positions(contract):
    rows = _security_rows(contract, 201)
    rows[14]["securityId"] = None
    rows[15]["exchangeSegment"] = "nse_eq"
    rows[44]["netQty"] = "-"
    rows.insert(20, "corrupt")
    return ({"status": "success", "data": rows},)


def _holdings(contract):
    held = {}
    for place, item in enumerate(contract.pick(202, 50, "NSE")):
        held[f"INE{place:03}B01018"] = {
            "nseSecurityId": item.token,
            "bseSecurityId": None,
            "displayName": item.name,
            "totalQty": place % 11,
            "closePrice": "12.35",
        }
    bombay = contract.pick(203, 12, "BSE")
    keys = list(held)
    for place, item in enumerate(bombay):
        row = held[keys[place * 4 + 1]]
        row["nseSecurityId"] = "" if place % 2 else None
        row["bseSecurityId"] = int(item.token)
    held[keys[3]]["nseSecurityId"] = "123"
    held[keys[8]]["nseSecurityId"] = ""
    held[keys[24]]["nseSecurityId"] = 456
    return ({"holdings": held},)


def _trade_pages(contract):
    rows = _security_rows(contract, 204)
    rows[21]["securityId"] = ""
    return ([{"content": rows[:30]}, {"content": None}, {"content": rows[30:]}],)


def _ledger(contract):
    entries = []
    names = [item.brsymbol for item in contract.pick(205, 30, "NSE")]
    names += [item.brsymbol for item in contract.pick(205, 20, "NFO")]
    for place, name in enumerate(names + names[:3]):
        entries.append({"scrip": f" {name.lower()} " if place % 3 else name, "amount": place * 1.1})
    entries[7]["scrip"] = "DP CHARGES"
    entries[17]["scrip"] = "AMC"
    return ({"entries": entries},)


def _symbols(contract, seed):
    rows = []
    for place, item in enumerate(_chosen(contract, seed)):
        rows.append({
            "symbol": item.symbol,
            "exchange": item.exchange,
            "action": "buy" if place % 2 else "sell",
            "quantity": str((place % 3 + 1) * (item.lotsize or 1)),
        })
    rows[5]["symbol"] = "DELISTED"
    rows[25]["symbol"] = None
    rows[36]["symbol"] = "XYZ26DECFUT"
    return rows


def _family(contract):
    rows = _security_rows(contract, 207)
    rows[12]["tradingSymbol"] = "NOBODY"
    rows[28]["tradingSymbol"] = ""
    return ([
        {"clientId": "F1", "positions": rows[:9]},
        {"clientId": "F2", "positions": []},
        {"clientId": "F3", "positions": rows[9:31]},
        {"clientId": "F4", "positions": None},
        {"clientId": "F5", "positions": rows[31:]},
    ],)


def _reconcile(contract):
    history = {}
    positions = []
    for place, item in enumerate(contract.pick(208, 28, "NSE") + contract.pick(208, 24, "NFO")):
        history[item.symbol] = {"exchange": item.exchange, "quantity": place}
        if place % 3:
            positions.append({"securityId": int(item.token), "netQty": str(place + place % 2)})
    history["BANKRUPT"] = {"exchange": "NSE", "quantity": 1}
    return history, positions


def _scan(contract):
    rows = _security_rows(contract, 210, number=True)
    return {"data": rows}, 22


def _open_rows(contract):
    rows = _security_rows(contract, 211, text_only=True)
    rows[17]["securityId"] = None
    return Http(), rows


def _feed(contract):
    rows = [{"symbol": row["symbol"], "exchange": row["exchange"]}
            for row in _symbols(contract, 212)]
    rows += [{"symbol": item.symbol, "exchange": item.exchange}
             for item in contract.pick(212, 4, "NSE_INDEX")]
    return rows, "quote"


def cases(contract):
    return [
        Case("helio_positions", portfolio.read_positions, lambda: _positions(contract)),
        Case("helio_holdings", portfolio.read_holdings, lambda: _holdings(contract)),
        Case("helio_trades", portfolio.read_trades, lambda: _trade_pages(contract)),
        Case("helio_ledger", portfolio.read_ledger, lambda: _ledger(contract)),
        Case("helio_exposure", portfolio.read_exposure, lambda: (_symbols(contract, 206),)),
        Case("helio_family", portfolio.family_positions, lambda: _family(contract)),
        Case("helio_reconcile", portfolio.reconcile, lambda: _reconcile(contract)),
        Case("helio_order_book", orders.read_order_book,
             lambda: (_security_rows(contract, 209),)),
        Case("helio_scan_waiting", orders.scan_waiting, lambda: _scan(contract)),
        Case("helio_basket_map", orders.execute_basket,
             lambda: (Http(), {"legs": _symbols(contract, 213)})),
        Case("helio_basket_submit", orders.execute_basket_as_ready,
             lambda: (Http("HY"), _symbols(contract, 214))),
        Case("helio_square_off_threads", orders.square_off_in_threads,
             lambda: _open_rows(contract)),
        Case("helio_feed", orders.open_feed, lambda: _feed(contract)),
    ]
