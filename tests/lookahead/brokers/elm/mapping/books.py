import json
import logging

from jinja2 import Environment
from pydantic import BaseModel

from tests.lookahead.brokers.elm.mapping.ticker import MARKETS, market, our_symbol, strip_ticker
from tests.lookahead.token_db import get_oa_symbol, get_symbol

logger = logging.getLogger(__name__)


class NetPosition(BaseModel):
    id: str
    symbol: str | None
    exchange: int
    segment: int
    netQty: int = 0
    pl: float = 0.0
    market: str = ""


class PositionBook(BaseModel):
    netPositions: list[NetPosition]


def map_orders(payload):
    orders = []
    for row in sorted(payload["orderBook"], key=lambda r: r["slNo"], reverse=True):
        exch = market(row)
        sym = our_symbol(row["symbol"], exch)
        if sym is None:
            logger.debug("order %s: %s", row["id"], row["symbol"])
            sym = row["symbol"]
        row["symbol"] = sym
        row["exchange"] = exch
        orders.append(row)
    return orders


def map_trades(payload):
    def named(trades):
        for t in trades:
            t["symbol"] = our_symbol(t["symbol"], market(t)) or t["symbol"]
            yield t

    done = filter(lambda t: t["tradedQty"] > 0, payload["tradeBook"])
    return [(t["symbol"], t["tradedQty"], t["tradedQty"] * t["tradePrice"]) for t in named(done)]


def map_positions(book):
    for p in book.netPositions:
        p.market = MARKETS.get((p.exchange, p.segment), "")
        if not p.symbol:
            continue
        p.symbol = get_oa_symbol(strip_ticker(p.symbol), p.market) or p.symbol
    return book


def map_holdings(payload):
    """Elm's number is house, segment, six digits of date, and the exchange's own number."""
    value = 0.0
    rows = payload["holdings"]
    for i in range(len(rows)):
        full = rows[i].get("elmToken")
        if not full:
            continue
        exch = MARKETS.get((int(full[:2]), int(full[2:4])), "NSE")
        sym = get_symbol(int(full[10:]), exch)
        rows[i]["symbol"] = sym.upper() if sym else rows[i]["symbol"]
        value += rows[i]["qty"] * rows[i]["ltp"]
    return round(value, 2)


class Ledger:
    """A report line that only turns into names when it is written."""

    def __init__(self, token, exchange, amount):
        self.token = token
        self.exchange = exchange
        self.amount = amount

    def __eq__(self, other):
        return vars(self) == vars(other)

    __hash__ = None


def _plain(line):
    return {"symbol": get_symbol(line.token, line.exchange), "amount": line.amount}


def ledger_json(lines):
    return json.dumps({"lines": lines}, default=_plain, sort_keys=True)


TEMPLATE = """{% for t in trades %}{{ loop.index }}. {{ t|name or "?" }} x {{ t.tradedQty }}
{% endfor %}"""


def trades_text(trades):
    env = Environment(autoescape=False)
    env.filters["name"] = lambda t: our_symbol(t["symbol"], market(t))
    return env.from_string(TEMPLATE).render(trades=trades)
