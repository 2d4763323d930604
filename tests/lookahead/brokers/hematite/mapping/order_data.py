"""Books of Hematite. Exch is N, B or M and ExchType C (cash), D (derivatives) or U (currency)."""

import logging

from tests.lookahead.token_db import get_oa_symbol, get_symbol

logger = logging.getLogger(__name__)


def map_exchange(exch, exch_type):
    if exch == "N":
        return {"C": "NSE", "D": "NFO", "U": "CDS"}.get(exch_type, "NSE")
    if exch == "B":
        return {"C": "BSE", "D": "BFO", "U": "BCD"}.get(exch_type, "BSE")
    return "MCX"


def product_of(exchange, delivery_intraday):
    if delivery_intraday == "I":
        return "MIS"
    return "CNC" if exchange in ("NSE", "BSE") else "NRML"


def map_order_data(response):
    try:
        orders = response["body"]["OrderBookDetail"] or []
    except (KeyError, TypeError):
        logger.debug("no order book in %s", response)
        return []
    for order in orders:
        order["Exch"] = map_exchange(order["Exch"], order["ExchType"])
        if order.get("ScripCode"):
            symbol = get_symbol(str(order["ScripCode"]), order["Exch"])
            if symbol:
                order["ScripName"] = symbol
        order["DelvIntra"] = product_of(order["Exch"], order["DelvIntra"])
        order["BuySell"] = "BUY" if order["BuySell"] == "B" else "SELL"
    return orders


def map_trade_data(response):
    """The trade book's names have blanks: "NIFTY 27 AUG 2026 CE 25000.00" - go by code."""
    trades = response["body"]["TradeBookDetail"]
    for trade in trades:
        try:
            exchange = map_exchange(trade["Exch"], trade["ExchType"])
            trade["ScripName"] = get_symbol(str(trade["ScripCode"]), exchange)
            trade["Exch"] = exchange
            trade["Value"] = round(trade["Rate"] * trade["Qty"], 2)
        except KeyError as e:
            trade["error"] = f"no {e}"
    return trades


def map_position_data(response):
    rows = response["body"].get("NetPositionDetail") or []
    for row in rows:
        exchange = map_exchange(row["Exch"], row["ExchType"])
        code = row.get("ScripCode")
        if code:
            row["ScripName"] = get_symbol(str(code), exchange) or row["ScripName"].replace(" ", "")
        elif row.get("ScripName"):
            row["ScripName"] = get_oa_symbol(row["ScripName"], exchange) or row["ScripName"]
        row["Exch"] = exchange
    return rows


def map_portfolio_data(response):
    """Holdings know a code for each exchange, 0 for none."""
    holdings = []
    for holding in response["body"]["Data"]:
        symbol = None
        exchange = "NSE"
        if holding.get("NseCode"):
            symbol = get_symbol(str(holding["NseCode"]), "NSE")
        if not symbol and holding.get("BseCode"):
            exchange = "BSE"
            symbol = get_symbol(str(holding["BseCode"]), "BSE")
        if not symbol:
            symbol = get_oa_symbol(holding["Symbol"], exchange) or holding["Symbol"]
        holding["Symbol"] = symbol
        holding["Exch"] = exchange
        holdings.append(holding)
    return holdings
