import json
import logging

from tests.lookahead.brokers.birch.mapping.segments import exchange_of, symbol_of_key
from tests.lookahead.token_db import get_oa_symbol, get_symbol

log = logging.getLogger("birch.books")

STATUS = {"complete": "complete", "open": "open", "trigger pending": "trigger pending"}


def map_orders(text):
    """`text` is the body as it came over the wire."""
    body = json.loads(text)
    if body.get("status") != "success":
        return {"orders": [], "error": body.get("message")}
    orders = []
    for raw in body["data"]:
        row = dict(raw)
        key = row.pop("instrument_key", None)
        if key:
            symbol, exchange = symbol_of_key(key)
            if symbol is None:
                log.debug("order %s: %s is not in the contract", row["order_id"], key)
                symbol = row["trading_symbol"]
            row["symbol"] = symbol
            row["exchange"] = exchange
        row["status"] = STATUS.get(row["status"].lower(), "rejected")
        orders.append(row)
    return {"orders": orders}


def map_trades(trades):
    """Birch keys its fills by trade number."""
    out = {}
    for trade_id, t in trades.items():
        exch = exchange_of(t["segment"])
        sym = None
        if t.get("trading_symbol"):
            sym = get_oa_symbol(brsymbol=t["trading_symbol"], exchange=exch)
        out[trade_id] = {
            "symbol": sym or t.get("trading_symbol") or "",
            "exchange": exch,
            "value": t["quantity"] * t["price"],
        }
    return out


def map_positions(payload):
    rows = payload["data"]
    for row in rows:
        row["segment"] = exchange_of(row["segment"])
        row["product"] = "MIS" if row["product"] == "I" else "NRML"
        symbol = get_symbol(row["instrument_id"], row["segment"])
        if symbol:
            row["trading_symbol"] = symbol
        row["pnl"] = round(row.get("pnl") or 0.0, 2)
    return rows


def map_holdings(holdings):
    result = []
    for isin, row in holdings["rows"].items():
        symbol = get_symbol(row.get("instrument_id"), "NSE") or isin
        result.append((symbol, row["qty"], round(row["qty"] * row["cost"], 2)))
    total = sum(value for _, _, value in result)
    return {"holdings": result, "total": round(total, 2)}


def status_scan(rows, wanted_symbol, wanted_exchange):
    """The most recent state of a symbol's last order (the book is oldest first)."""
    i = len(rows) - 1
    while i >= 0:
        row = rows[i]
        i -= 1
        if not row["trading_symbol"]:
            continue
        exch = exchange_of(row["segment"])
        try:
            sym = get_oa_symbol(row["trading_symbol"], exch)
        except KeyError:
            continue
        if sym == wanted_symbol and exch == wanted_exchange:
            return {"state": row["status"], "scanned": len(rows) - 1 - i}
    return {"state": None, "scanned": len(rows)}
