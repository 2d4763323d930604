import logging

from tests.lookahead.brokers.ivory.mapping.segments import name_of, to_exchange
from tests.lookahead.token_db import get_oa_symbol, get_symbol

logger = logging.getLogger(__name__)

SIDES = {"B": "BUY", "S": "SELL"}


def map_order_data(response):
    if response.get("stat") != "Ok":
        return []
    orders = response["data"]
    for order in orders:
        order["exSeg"] = to_exchange(order["exSeg"])
        try:
            order["trdSym"] = get_oa_symbol(order["trdSym"].split("-")[0], order["exSeg"]) or order["trdSym"]
        except AttributeError as e:
            logger.debug("order %s: %s", order["nOrdNo"], e)
        order["trnsTp"] = SIDES[order["trnsTp"]]
    return orders


def map_trade_data(response):
    out = []
    for trade in response.get("data", []):
        try:
            symbol = name_of(trade, strict=True)
        except LookupError as e:
            logger.debug("trade: %s", e)
            continue
        trade["trdSym"] = symbol
        trade["avgPrc"] = float(trade["avgPrc"])
        out.append(trade)
    return out


def map_position_data(response):
    """Quantities are split in carried (cf) and today's (fl), bought and sold."""
    rows = response.get("data") or []
    try:
        for row in rows:
            bought = int(row["flBuyQty"]) + int(row["cfBuyQty"])
            sold = int(row["flSellQty"]) + int(row["cfSellQty"])
            row["netQty"] = bought - sold
            row["exSeg"] = to_exchange(row["exSeg"])
            if row["tok"]:
                symbol = get_symbol(row["tok"], row["exSeg"])
                row["trdSym"] = symbol if symbol else row["trdSym"]
    except (KeyError, ValueError) as e:
        logger.debug("positions: %s", e)
    return rows


def map_portfolio_data(response):
    holdings = []
    for holding in response["data"]:
        segment = holding.get("exchangeSegment")
        if not segment:
            continue
        symbol = name_of(holding)
        if not symbol and segment == "nse_cm":
            # some ids are those of the other exchange
            symbol = get_symbol(str(holding["instrumentToken"]), "BSE")
            segment = "bse_cm"
        holdings.append(
            {
                "symbol": symbol or holding["displaySymbol"],
                "exchange": to_exchange(segment),
                "quantity": holding["quantity"],
                "pnl": round(holding["mktValue"] - holding["holdingCost"], 2),
            }
        )
    return holdings
