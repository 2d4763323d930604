"""Nova's books: every one of them in another layout."""

import csv
from io import StringIO
from itertools import groupby, islice
from operator import itemgetter

from tests.lookahead.brokers.nova.wire import EXCHANGES, name_of, split_composite
from tests.lookahead.token_db import get_oa_symbol, get_symbol


def order_book(payload):
    """Columns to rows."""
    cols = payload["orders"]
    return [
        {"orderid": ref, "symbol": name_of(code, number), "status": status.lower()}
        for ref, code, number, status in zip(
            cols["refs"], cols["codes"], cols["exchanges"], cols["states"], strict=True
        )
        if status != "PURGED"
    ]


def trade_book(payload):
    fields, trades = payload["fields"], []
    for raw in payload["rows"]:
        trade = dict(zip(fields, raw, strict=True))
        try:
            exchange = EXCHANGES[trade["ex"]]
            symbol = get_oa_symbol(trade["code"], exchange) if trade["code"] else None
        except Exception:
            symbol = None
        if symbol is None:
            continue
        trade.update(code=symbol, ex=exchange, value=trade["qty"] * trade["px"] / 100)
        trades.append(trade)
    return trades


def positions(report):
    """The position report is a CSV text with numbers for instruments."""
    return [
        {
            "symbol": get_symbol(row["Token"], EXCHANGES[int(row["Seg"])]) or row["Name"],
            "quantity": int(row["Buy"]) - int(row["Sell"]),
        }
        for row in csv.DictReader(StringIO(report), delimiter=";")
        if row["Token"].strip()
    ]


def holdings(payload):
    result = {}
    for isin, row in payload["demat"].items():
        try:
            row[0] = get_symbol(str(int(row[0])), "NSE")
        except (TypeError, ValueError):
            row[0] = None
        _, quantity, average, *_ = row
        result[row[0] or isin] = round(quantity * average, 2)
    return result


def open_symbols(payload):
    """Open orders' symbols per exchange; the rows come as (ref, composite, state)."""
    rows = [
        (part.exchange, part.code)
        for _, text, state in payload
        if state == "OPEN" and (part := split_composite(text)).code
    ]
    return {
        exchange: sorted({symbol for _, code in group if (symbol := get_oa_symbol(code, exchange))})
        for exchange, group in groupby(sorted(rows), key=itemgetter(0))
    }


def rename_columns(payload, limit=None):
    """Overwrites the codes of a columnar book; page-wise, as the grid asks for it."""
    codes, exchanges = payload["codes"], payload["exchanges"]
    for i, (code, exchange) in enumerate(islice(zip(codes, exchanges, strict=False), limit)):
        codes[i] = get_oa_symbol(code, exchange) or code
        exchanges[i] = exchange.lower()
    return payload
