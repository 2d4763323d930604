"""Books of Damson."""

import logging

from tests.lookahead.brokers.damson.mapping.exchanges import map_exchange
from tests.lookahead.brokers.damson.mapping.models import Fill
from tests.lookahead.token_db import get_oa_symbol, get_symbol

logger = logging.getLogger(__name__)

STATUSES = {"TRADED": "complete", "PENDING": "open", "TRANSIT": "open"}


class OrderBook:
    """Wraps the list that /orders gives and renames it in place."""

    def __init__(self, rows):
        self.rows = rows
        self.unnamed = 0

    def normalise(self):
        for row in self.rows:
            self._fix(row)
        return self

    def _fix(self, row):
        row["tradingSymbol"] = self._name(row)
        row["orderStatus"] = STATUSES.get(row["orderStatus"], "rejected")
        row["exchangeSegment"] = map_exchange(row["exchangeSegment"]) or row["exchangeSegment"]

    def _name(self, row):
        exchange = map_exchange(row["exchangeSegment"])
        if exchange is None or not row["securityId"]:
            self.unnamed += 1
            return row["tradingSymbol"]
        symbol = get_symbol(token=row["securityId"], exchange=exchange)
        if not symbol:
            self.unnamed += 1
            return row["tradingSymbol"]
        return symbol

    def counts(self):
        total = {}
        for row in self.rows:
            total[row["orderStatus"]] = total.get(row["orderStatus"], 0) + 1
        return total


def map_order_data(payload):
    book = OrderBook(payload["data"]).normalise()
    return {"orders": book.rows, "counts": book.counts(), "unnamed": book.unnamed}


def map_trade_data(payload):
    return [Fill.from_row(r) for r in payload["data"] if r["tradedQuantity"]]


def map_position_data(positions):
    kept = []
    for p in positions:
        p.exchange = map_exchange(p.segment)
        if p.exchange is None:
            logger.debug("segment %s is not ours", p.segment)
            continue
        symbol = get_symbol(str(p.security_id), p.exchange)
        if symbol is None:
            logger.debug("position without a name: %s", p.security_id)
            continue
        p.symbol = symbol
        kept.append(p)
    return kept


def map_holding_data(rows):
    """Holdings of both exchanges say ALL."""
    try:
        for row in rows:
            code = row["tradingSymbol"]
            exch = row["exchange"]
            if exch == "ALL":
                symbol = get_oa_symbol(code, "NSE")
                row["exchange"] = "NSE"
                if not symbol:
                    symbol = get_oa_symbol(code, "BSE")
                    row["exchange"] = "BSE" if symbol else "ALL"
            else:
                symbol = get_oa_symbol(code, exch)
            row["tradingSymbol"] = symbol or code
            row["value"] = row["totalQty"] * row["avgCostPrice"]
    except KeyError as e:
        logger.debug("holding row is short of %s", e)
        return []
    return rows


def map_forever_orders(payload):
    """Forever (good till triggered) orders: list of groups, each a list of legs."""
    flat = []
    for group in payload["groups"]:
        for n, leg in enumerate(group["legs"], start=1):
            seg = map_exchange(leg["exchangeSegment"])
            name = get_symbol(leg["securityId"], seg) if leg["securityId"] else None
            flat.append({"id": group["id"], "leg": n, "symbol": name, "exchange": seg})
    return flat
