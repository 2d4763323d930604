"""Books and reports of Pavo."""

import json
from string import Template

from jinja2 import Environment

from tests.lookahead.brokers.pavo.shapes import EXCH, cut_series, each, oa, symbol_by_id, walk
from tests.lookahead.token_db import get_oa_symbol, get_symbol

TEMPLATES = Environment(trim_blocks=True, lstrip_blocks=True, autoescape=False)
BLOTTER = TEMPLATES.from_string(
    """{% for row in rows if row.qty %}
{{ loop.index }}. {{ symbol_of(row.tsym, row.seg) or row.tsym or "-" }} x {{ row.qty }}
{% endfor %}
"""
)
LINE = Template("$symbol;$exchange;$quantity")


@each
def map_orders(order):
    symbol = oa(order["tsym"], order["seg"])
    if symbol is not None:
        order["tsym"] = symbol
    return {
        "orderid": order["nOrdNo"],
        "symbol": order["tsym"],
        "exchange": EXCH[order["seg"]],
        "quantity": int(order["qty"]),
    }


def order_book(text):
    """The answer is text; its accounts hold baskets, which hold the orders."""
    return [
        mapped
        for acct in json.loads(text)["accounts"]
        for basket in acct["baskets"]
        for mapped in map_orders(basket["orders"])
    ]


def blotter(trades):
    return BLOTTER.render(rows=trades, symbol_of=oa)


def enrich(answer):
    """Puts the application's names wherever the answer has an instrument."""

    def name(node):
        if "tsym" in node and "seg" in node:
            node["tsym"] = oa(node["tsym"], node["seg"]) or node["tsym"]
            node["exchange"] = EXCH[node["seg"]]

    walk(answer, name)
    return answer


def position_lines(rows):
    """Lines of text; the row is overwritten step by step on the way."""
    lines = []
    for row in rows:
        row["seg"] = EXCH.get(row["seg"], row["seg"])
        row["tsym"] = cut_series(row["tsym"] or "")
        row["tsym"] = get_oa_symbol(row["tsym"], row["seg"]) or row["tsym"] or "UNKNOWN"
        lines.append(
            LINE.substitute(symbol=row["tsym"], exchange=row["seg"], quantity=row["netQty"])
        )
    return "\n".join(lines)


class Lot:
    """A parcel of shares; `json.dumps` asks `dump_lot` how to write it."""

    def __init__(self, tok, seg, qty, avg):
        self.tok, self.seg, self.qty, self.avg = tok, seg, qty, avg

    def __eq__(self, other):
        return vars(self) == vars(other)

    __hash__ = None


def dump_lot(lot):
    if not isinstance(lot, Lot):
        raise TypeError(type(lot).__name__)
    symbol = get_symbol(token=lot.tok, exchange=EXCH[lot.seg])
    return {"symbol": symbol or f"id:{lot.tok}", "invested": round(lot.qty * lot.avg, 2)}


def holdings_json(lots):
    return json.dumps({"holdings": lots, "count": len(lots)}, default=dump_lot)


def read_statement(text):
    """Parses a statement; each leaf object gets its symbol while the parser builds it."""

    def hook(node):
        if "tok" in node:
            node["symbol"] = symbol_by_id(node.pop("tok"), node["seg"])
        return node

    return json.loads(text, object_hook=hook)
