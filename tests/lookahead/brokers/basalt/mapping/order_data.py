import logging

from tests.lookahead.brokers.basalt.mapping.exchange import (
    listed_on,
    map_exchange,
    symbol_of_row,
)
from tests.lookahead.token_db import get_oa_symbol, get_symbol

logger = logging.getLogger(__name__)

PRODUCT = {"D": "CNC", "I": "MIS"}


def map_order_data(order_data):
    book = order_data.get("data") or []

    for order in book:
        segment, token = order["instrument_token"].split("|")
        exchange = map_exchange(segment)
        name = get_symbol(token, exchange)
        if name:
            order["trading_symbol"] = name
            order["exchange"] = exchange
        else:
            logger.info("%s is not in the contract", order["instrument_token"])
        product = PRODUCT.get(order["product"], order["product"])
        if product == "CNC" and exchange not in ("NSE", "BSE"):
            product = "NRML"
        order["product"] = product
    return book


def transform_order_data(orders):
    shown = {"trading_symbol": "symbol", "transaction_type": "action", "order_id": "orderid"}
    rows = []
    for order in orders:
        row = {ours: order.get(theirs, "") for theirs, ours in shown.items()}
        row["exchange"] = order["exchange"]
        row["product"] = order["product"]
        row["order_status"] = "open" if "pending" in order["status"] else order["status"]
        rows.append(row)
    return rows


def map_trade_data(trade_data):
    trades = trade_data.get("data", [])
    for trade in trades:
        symbol, exchange = symbol_of_row(trade)
        if symbol:
            trade["trading_symbol"] = symbol
        trade["exchange"] = exchange
    return trades


def map_position_data(position_data):
    """Positions; those of scrips we do not carry stay as the broker wrote them."""
    rows = position_data.get("data") or []
    for position in rows:
        try:
            segment, token = position["instrument_token"].split("|")
            exchange = map_exchange(segment)
            symbol = get_symbol(token, exchange)
            if symbol is not None:
                position["trading_symbol"] = symbol
                position["exchange"] = exchange
        except (KeyError, AttributeError) as e:
            logger.info("position without a key: %s", e)
    return rows


def map_portfolio_data(portfolio_data):
    holdings = portfolio_data.get("data") or []
    for holding in holdings:
        name = holding["tradingsymbol"].removesuffix("-EQ")
        exchange = holding["exchange"] or "NSE"
        symbol = get_oa_symbol(name, exchange)
        if not symbol and exchange == "NSE":
            # only listed on the other one
            symbol = get_oa_symbol(name, "BSE")
            exchange = "BSE"
        if symbol:
            holding["tradingsymbol"] = symbol
            holding["exchange"] = exchange
        holding["product"] = "CNC" if holding["product"] == "D" else holding["product"]
    return holdings


def holdings_report(portfolio_data):
    lines = []
    for row in map_portfolio_data(portfolio_data):
        lines.append(
            "{:<20} {:>5} {}".format(
                row["tradingsymbol"],
                row["quantity"],
                listed_on(row["tradingsymbol"], row["exchange"]),
            )
        )
    return "\n".join(lines)
