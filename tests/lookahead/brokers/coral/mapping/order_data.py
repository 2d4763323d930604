import logging

from tests.lookahead.brokers.coral.mapping.lookup import clean_id, resolve_row
from tests.lookahead.brokers.coral.mapping.transform_data import (
    map_exchange,
    reverse_map_product_type,
)
from tests.lookahead.token_db import get_oa_symbol, get_symbol

logger = logging.getLogger(__name__)


def map_order_data(orders):
    for order in orders or []:
        # their ids are numbers, ours are text
        token = str(order["securityId"])
        order["exchange"] = map_exchange(order["exchangeSegment"])
        symbol = get_symbol(token, order["exchange"])
        if symbol:
            order["tradingSymbol"] = symbol
            order["productType"] = reverse_map_product_type(
                order["exchange"], order["productType"]
            )
        else:
            logger.info("security %s is new or gone", token)
    return orders or []


def transform_order_data(orders):
    rows = []
    for order in orders:
        state = order.get("orderStatus", "")
        rows.append(
            {
                "symbol": order["tradingSymbol"],
                "exchange": order["exchange"],
                "action": order["transactionType"],
                "quantity": order["quantity"],
                "product": order["productType"],
                "orderid": order["orderId"],
                "order_status": {"TRADED": "complete", "PENDING": "open"}.get(state, state.lower()),
            }
        )
    return rows


def map_trade_data(trade_data):
    """Trades, newest last. A broken row must not lose the book."""
    mapped = []
    for trade in trade_data:
        try:
            exchange = map_exchange(trade["exchangeSegment"])
            symbol = get_symbol(str(int(trade["securityId"])), exchange)
            trade["tradingSymbol"] = symbol or trade["tradingSymbol"]
            trade["exchangeSegment"] = exchange
            trade["value"] = float(trade["tradedPrice"]) * int(trade["tradedQuantity"])
        except (TypeError, ValueError, KeyError) as e:
            logger.info("trade skipped: %s", e)
            continue
        mapped.append(trade)
    return mapped


def map_position_data(position_data):
    positions = [p for p in position_data if p["positionType"] != "CLOSED"]
    for position in positions:
        exchange = map_exchange(position["exchangeSegment"])
        if position.get("securityId"):
            token = clean_id(position["securityId"])
            symbol = get_symbol(token, exchange)
            if symbol:
                position["tradingSymbol"] = symbol
        position["exchangeSegment"] = exchange
    return positions


def map_portfolio_data(portfolio_data):
    """Holdings say "ALL" for the exchange: NSE unless it is only on BSE."""
    if isinstance(portfolio_data, dict) and portfolio_data.get("errorCode"):
        return []
    for holding in portfolio_data:
        if holding.get("tradingSymbol"):
            holding["exchange"] = "NSE"
            symbol = get_oa_symbol(holding["tradingSymbol"], "NSE")
            if symbol is None:
                symbol = get_oa_symbol(holding["tradingSymbol"], "BSE")
                holding["exchange"] = "BSE" if symbol else "ALL"
            if symbol:
                holding["tradingSymbol"] = symbol
    return portfolio_data


def map_super_orders(rows):
    """Bracket orders: the legs repeat the parent's instrument, or not."""
    for row in rows:
        symbol = resolve_row(row)
        row["symbol"] = symbol or row.get("tradingSymbol")
        for leg in row.get("legDetails", []):
            if leg.get("securityId"):
                leg["symbol"] = resolve_row({**leg, "exchangeSegment": row["exchangeSegment"]})
            else:
                leg["symbol"] = row["symbol"]
    return rows
