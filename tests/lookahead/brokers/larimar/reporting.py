"""Larimar's reports, as classes and as the functions that the application calls."""

import json
import logging
from types import SimpleNamespace

from tests.lookahead.brokers.larimar.core import (
    VENUES,
    GatewayFailure,
    InstrumentDirectory,
    Report,
    number,
    split_pair,
)
from tests.lookahead.token_db import get_oa_symbol, get_symbol, get_token

logger = logging.getLogger(__name__)


class OrderReport(Report):
    def convert(self, row):
        instrument = row.pop("instrument")
        symbol = self.directory.symbol_by_instrument(instrument)
        row["symbol"] = symbol if symbol else instrument.get("code", "")
        row["exchange"] = self.directory.exchange_for(instrument["venue"]) or instrument["venue"]
        row["price"] = number(row.get("price"))
        return row


class TradeReport(Report):
    def guard(self, row):
        return super().guard(row) and int(row.get("filled") or 0) > 0

    def convert(self, row):
        symbol = self.directory.symbol_by_instrument(row["instrument"])
        if symbol is None:
            raise ValueError("unknown instrument")
        return {
            "symbol": symbol.upper(),
            "filled": int(row["filled"]),
            "value": round(int(row["filled"]) * number(row["price"]), 2),
        }

    def finish(self, rows):
        totals = {}
        for row in rows:
            total = totals.setdefault(row["symbol"], [0, 0.0])
            total[0] += row["filled"]
            total[1] = round(total[1] + row["value"], 2)
        return {"totals": totals, "rejected": self.rejected}


def order_report(payload):
    return OrderReport().run(payload)


def trade_report(payload):
    return TradeReport().run(payload)


def position_sheet(payload):
    """Positions as objects first; the objects get their symbols in a second loop."""
    objects = []
    for section, rows in payload["sections"].items():
        for row in rows:
            objects.append(SimpleNamespace(
                section=section,
                venue=row["instrument"]["venue"],
                number=row["instrument"]["id"],
                quantity=int(row["quantity"]),
                average=number(row["average"]),
                symbol=None,
            ))

    unresolved = []
    for position in objects:
        if position.number is None:
            unresolved.append(position.section)
            continue
        position.symbol = get_symbol(position.number, VENUES.get(position.venue))
        if position.symbol is None:
            unresolved.append(position.number)

    sheet = {}
    for position in objects:
        if not position.symbol:
            continue
        cell = sheet.setdefault(position.symbol, {"quantity": 0, "sections": []})
        cell["quantity"] += position.quantity
        cell["sections"].append(position.section)
    return {"sheet": sheet, "unresolved": unresolved}


def holding_map(payload):
    """Holdings by pair; the value of a pair may be text with the details in JSON."""
    converted = {}
    for pair, detail in payload["holdings"].items():
        if isinstance(detail, str):
            try:
                detail = json.loads(detail)
            except json.JSONDecodeError:
                logger.error("%s: no details", pair)
                continue
        exchange, name = split_pair(pair)
        symbol = get_oa_symbol(brsymbol=name, exchange=exchange)
        if symbol is None:
            symbol = name
            detail["mapped"] = False
        converted[f"{symbol}@{exchange}"] = detail
    return converted


def open_quantity(payload, pair, product):
    """Signed quantity of an open position, or None if the report is an error."""
    exchange, symbol = split_pair(pair)
    directory = InstrumentDirectory()
    try:
        rows = payload["items"]
    except (KeyError, TypeError):
        return None
    for row in rows:
        if row.get("product") != product:
            continue
        instrument = row.get("instrument") or {}
        if directory.symbol_by_instrument(instrument) != symbol:
            continue
        if directory.exchange_for(instrument.get("venue")) == exchange:
            return int(row["quantity"]) * (1 if row["side"] == "LONG" else -1)
    return 0


def trigger_tree(payload):
    """GTT: groups hold triggers, triggers hold orders, each with its instrument."""
    directory = InstrumentDirectory()
    tree = []
    for group in payload["groups"]:
        triggers = []
        for trigger in group["triggers"]:
            symbols = []
            for order in trigger["orders"]:
                symbol = directory.symbol_by_instrument(order["instrument"])
                symbols.append(symbol or "n/a")
            triggers.append({"id": trigger["id"], "symbols": symbols})
        tree.append({"group": group["name"], "triggers": triggers})
    return {"tree": tree, "missing": directory.missing}


def bar_bookkeeping(bookmarks, batches):
    """Moves the bookmark of each series to the last bar that came for it."""
    moved = 0
    by_token = {}
    for batch in batches:
        by_token[batch["token"]] = max(bar["t"] for bar in batch["bars"])
    for bookmark in bookmarks:
        token = get_token(**{key: bookmark[key] for key in ("symbol", "exchange")})
        if token is None:
            bookmark["state"] = "orphan"
            continue
        latest = by_token.get(int(token))
        if latest is None or latest <= bookmark["until"]:
            bookmark["state"] = "current"
            continue
        bookmark["until"] = latest
        bookmark["state"] = "moved"
        moved += 1
    return moved


def terms_table(pairs):
    """Contract terms by pair."""
    directory = InstrumentDirectory()
    table = [(pair, directory.terms(*reversed(split_pair(pair)))) for pair in pairs]
    unknown = [pair for pair, terms in table if not terms]
    lots = {}
    for pair, terms in table:
        lots.setdefault(terms.get("lot", 0), []).append(pair)
    return {"table": dict(table), "unknown": unknown, "lots": lots}


def audit(payload):
    """All trades must be known; the first that is not fails the audit."""
    directory = InstrumentDirectory()
    checked = 0
    try:
        for row in payload["items"]:
            symbol = directory.symbol_by_instrument(row["instrument"])
            if symbol is None:
                raise GatewayFailure(f"trade {row['ref']}")
            checked += 1
    except GatewayFailure as failure:
        return {"passed": False, "checked": checked, "reason": str(failure)}
    return {"passed": True, "checked": checked, "reason": None}
