import logging

from tests.lookahead.brokers.flint.mapping.util import as_float, plain, symbol_from
from tests.lookahead.token_db import get_oa_symbol, get_symbol

logger = logging.getLogger(__name__)

PRODUCT = {"C": "CNC", "I": "MIS", "M": "NRML"}
SIDE = {"B": "BUY", "S": "SELL"}


def _rows(answer):
    """Books are lists; an empty one is {"stat": "Not_Ok", "emsg": "no data"}."""
    if isinstance(answer, dict):
        logger.debug("empty book: %s", answer.get("emsg"))
        return []
    return answer


def map_order_data(order_data):
    orders = _rows(order_data)
    for order in orders:
        try:
            order["tsym"] = get_oa_symbol(plain(order["tsym"]), order["exch"]) or order["tsym"]
            order["prd"] = PRODUCT[order["prd"]]
            order["trantype"] = SIDE[order["trantype"]]
            order["status"] = order["status"].lower()
        except KeyError as e:
            logger.debug("order %s: no %s", order.get("norenordno"), e)
    return orders


def map_trade_data(trade_data):
    trades = _rows(trade_data)
    for trade in trades:
        trade["tsym"] = symbol_from(trade) or trade.get("tsym")
        trade["prd"] = PRODUCT.get(trade["prd"], trade["prd"])
        try:
            trade["value"] = round(float(trade["flprc"]) * int(trade["flqty"]), 2)
        except (KeyError, ValueError):
            trade["value"] = 0.0
    return trades


def map_position_data(position_data):
    positions = _rows(position_data)
    for position in positions:
        if position.get("token"):
            symbol = get_symbol(position["token"], position["exch"])
            if symbol:
                position["tsym"] = symbol
            else:
                position["tsym"] = position.get("dname") or position["tsym"]
        position["prd"] = PRODUCT.get(position["prd"], position["prd"])
    return positions


def transform_positions_data(positions):
    return [
        {
            "symbol": p["tsym"],
            "exchange": p["exch"],
            "quantity": int(p["netqty"]),
            "product": p["prd"],
            "pnl": round(as_float(p["rpnl"]) + as_float(p["urmtom"]), 2),
        }
        for p in positions
    ]


def map_portfolio_data(holdings):
    """Each holding lists where it can be sold; the first we know is shown."""
    shown = []
    for holding in _rows(holdings):
        for listing in holding.get("exch_tsym", []):
            symbol = get_oa_symbol(plain(listing["tsym"]), listing["exch"])
            if symbol:
                shown.append(
                    {
                        "symbol": symbol,
                        "exchange": listing["exch"],
                        "quantity": int(holding["holdqty"]) + int(holding.get("btstqty", 0)),
                        "average_price": as_float(holding["upldprc"]),
                    }
                )
                break
    return shown
