import logging

from pydantic import ValidationError

from tests.lookahead.brokers.karst.mapping.models import OrderRow, PositionRow, TradeRow
from tests.lookahead.token_db import get_oa_symbol, get_symbol

logger = logging.getLogger(__name__)


def is_empty(book):
    return isinstance(book, dict) and book.get("stat") == "Not_Ok"


def map_order_data(book):
    if is_empty(book):
        return []
    orders = []
    for row in book:
        try:
            orders.append(OrderRow.model_validate(row).to_platform())
        except ValidationError as e:
            logger.debug("bad order: %s", e)
    return orders


def map_trade_data(book):
    if is_empty(book):
        return []
    trades = [TradeRow.model_validate(row) for row in book]
    return [trade.model_dump(include={"symbol", "exchange", "filled_at"}) for trade in trades]


def map_position_data(book):
    if is_empty(book):
        return []
    for position in book:
        try:
            token = position.get("Token")
            if token and token != "--":
                symbol = get_symbol(str(token), position["Exchange"])
                if symbol:
                    position["Tsym"] = symbol
            position["Pcode"] = position["Pcode"].upper()
        except (KeyError, AttributeError) as e:
            logger.debug("position %s: %s", position, e)
    return book


def map_portfolio_data(book):
    """A holding has up to two listings, Token1/ExchSeg1/Nsetsym and Token2/ExchSeg2/Bsetsym."""
    holdings = book.get("HoldingVal") or []
    result = []
    for holding in holdings:
        for which, name in (("1", "Nsetsym"), ("2", "Bsetsym")):
            exchange = holding.get("ExchSeg" + which)
            if not exchange or holding.get(name) in (None, "", "0"):
                continue
            symbol = get_oa_symbol(holding[name].replace("-EQ", ""), exchange)
            if symbol is None:
                symbol = get_symbol(holding["Token" + which], exchange)
            if symbol is not None:
                break
        else:
            continue
        result.append({"symbol": symbol, "exchange": exchange, "quantity": int(holding["Holdqty"])})
    return result


def realised_by_symbol(book):
    totals = {}
    for position in map(PositionRow.model_validate, book):
        symbol = position.symbol
        if symbol is None:
            continue
        totals[symbol] = round(totals.get(symbol, 0.0) + (position.realised or 0.0), 2)
    return totals
