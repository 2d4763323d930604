import logging
from functools import partial

from tests.lookahead.brokers.lapis.mapping.symid import parse, to_symbol
from tests.lookahead.token_db import get_oa_symbol, get_symbol

logger = logging.getLogger(__name__)

PRODUCT = {"delivery": "CNC", "intraday": "MIS", "normal": "NRML"}


def _rows(answer):
    if answer.get("s") == "no-data":
        return
    yield from answer.get("d", [])


def _named(row):
    """The row with our names in place of the broker's."""
    name, exchange = parse(row.get("symId"))
    if name:
        row["symbol"] = get_oa_symbol(name, exchange) or name
        row["exchange"] = exchange
    return row


def map_order_data(answer):
    return [
        {
            "symbol": row.get("symbol", ""),
            "exchange": row.get("exchange", ""),
            "action": row["side"].upper(),
            "product": PRODUCT.get(row["product"], ""),
            "orderid": row["orderId"],
            "order_status": row["status"],
        }
        for row in map(_named, _rows(answer))
    ]


def map_trade_data(answer):
    for row in _rows(answer):
        if row.get("listingId"):
            try:
                token, exchange = row["listingId"].split("_")
                row["tradingSymbol"] = get_symbol(token, exchange) or row["tradingSymbol"]
            except ValueError:
                logger.debug("odd listing %s", row["listingId"])
        row["product"] = PRODUCT.get(row["product"], row["product"])
    return answer


def positions(answer):
    """Yields open positions; a position's error must not hide the next one."""
    for row in _rows(answer):
        if not row["netQty"]:
            continue
        try:
            token, exchange = row["listingId"].split("_")
            symbol = get_symbol(token, exchange)
        except (AttributeError, ValueError):
            symbol = to_symbol(row["symId"])
            exchange = parse(row["symId"])[1]
        if symbol is None:
            continue
        yield {"symbol": symbol, "exchange": exchange, "quantity": row["netQty"], "pnl": row["pnl"]}


def map_position_data(answer):
    return list(positions(answer))


def map_portfolio_data(answer):
    """ETFs and bonds are on odd segments: the first exchange that knows the name wins."""
    holdings = list(_rows(answer))
    for row in holdings:
        if row.get("sym"):
            for exchange in ("NSE", "BSE", "NSE_INDEX"):
                symbol = get_oa_symbol(row["sym"], exchange)
                if symbol:
                    row["sym"] = symbol
                    row["exchange"] = exchange
                    break
    return holdings


def totals(answer, rate=1.0):
    scale = partial(round, ndigits=2)
    by_exchange = {}
    for position in positions(answer):
        key = position["exchange"]
        by_exchange[key] = scale(by_exchange.get(key, 0.0) + position["pnl"] * rate)
    return by_exchange
