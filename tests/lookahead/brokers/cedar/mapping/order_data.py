from tests.lookahead.brokers.cedar.mapping.util import displayName, logger, resolve, without_series
from tests.lookahead.token_db import get_oa_symbol, get_symbol


def mapOrderBook(body):
    """The book in place: tradingSymbol becomes ours, the series goes."""
    data = body["data"]
    if data is None:
        return []
    for order in data:
        try:
            order["tradingSymbol"] = get_oa_symbol(
                without_series(order["tradingSymbol"]), order["exchange"]
            ) or order["tradingSymbol"]
        except AttributeError:
            logger.debug("order without a name")
            order["tradingSymbol"] = ""
        if order["productType"] == "MARGIN":
            order["productType"] = "MIS"
    return data


def mapTradeBook(body):
    return [
        {
            "symbol": displayName(t),
            "exchange": t["exchange"],
            "qty": int(t["fillSize"]),
            "price": float(t["fillPrice"]),
        }
        for t in body["data"] or []
    ]


def _position(row):
    symbol = resolve(row)
    if not symbol:
        symbol = displayName(row)
    net = int(row["buyQty"]) - int(row["sellQty"])
    return {"symbol": symbol, "exchange": row["exchange"], "quantity": net}


def mapPositions(body):
    return list(map(_position, body["data"]))


def mapHoldings(body):
    """Cedar's holdings mix the two cash markets, with and without the series in the name."""
    res = []
    for raw in body["data"]["holdings"]:
        row = dict(raw)
        name = without_series(row["tradingSymbol"] or "")
        if not name:
            continue
        sym = get_oa_symbol(name, "NSE")
        exch = "NSE"
        if sym is None:
            sym = get_oa_symbol(name, "BSE")
            exch = "BSE"
        if sym is None:
            row["exchange"] = None
        else:
            row["exchange"] = exch
            row["tradingSymbol"] = sym
        res.append(row)
    return res


EXCHANGES = ("NSE", "NFO", "BFO", "MCX", "CDS", "BSE")


def nameLedger(lines):
    """Ledger lines only have a number, so the exchange is whichever knows it first."""
    for line in lines:
        token = line.get("symbolToken")
        line["symbol"] = None
        if not token:
            continue
        for exch in EXCHANGES:
            symbol = get_symbol(token, exch)
            if symbol:
                line["symbol"] = symbol
                line["exchange"] = exch
                break
    return lines
