import logging

import pandas as pd

from tests.lookahead.brokers.dolomite.mapping.util import bare, exchange_of, to_ours
from tests.lookahead.token_db import get_oa_symbol, get_symbol_info

logger = logging.getLogger(__name__)

STATUS = {1: "cancelled", 2: "complete", 4: "transit", 5: "rejected", 6: "open"}
PRODUCT = {"CNC": "CNC", "INTRADAY": "MIS", "MARGIN": "NRML", "CO": "CO", "BO": "BO"}


def map_order_data(order_data):
    orders = order_data.get("orderBook") or []
    for order in orders:
        symbol = order["symbol"]
        if symbol:
            order["exchange"] = exchange_of(order)
            found = get_oa_symbol(bare(symbol), order["exchange"])
            if found:
                order["symbol"] = found
            else:
                logger.info("order %s: what is %s?", order["id"], symbol)
        order["status"] = STATUS.get(order["status"], "unknown")
        order["side"] = "BUY" if order["side"] == 1 else "SELL"
        order["productType"] = PRODUCT.get(order["productType"])
    return orders


def trades_of(trade_data):
    """Yields the trades one by one, under our names where we have one."""
    for trade in trade_data.get("tradeBook") or ():
        exchange = exchange_of(trade)
        try:
            trade["symbol"] = get_oa_symbol(bare(trade["symbol"]), exchange) or trade["symbol"]
        except AttributeError:
            # combo legs have no symbol
            trade["symbol"] = "COMBO"
        yield {
            "symbol": trade["symbol"],
            "exchange": exchange,
            "quantity": trade["tradedQty"],
            "average_price": trade["tradePrice"],
            "trade_value": round(trade["tradedQty"] * trade["tradePrice"], 2),
            "orderid": trade["orderNumber"],
        }


def map_trade_data(trade_data):
    return list(trades_of(trade_data))


def map_position_data(position_data):
    rows = position_data.get("netPositions", [])
    for row in rows:
        row["exchange"] = exchange_of(row)
        if row["symbol"]:
            row["symbol"] = get_oa_symbol(bare(row["symbol"]), row["exchange"]) or row["symbol"]
    return rows


def map_portfolio_data(portfolio_data):
    """Holdings carry no usable segment; try the exchanges in turn."""
    out = []
    for holding in portfolio_data.get("holdings", []):
        name = bare(holding["symbol"])
        for exchange in ("NSE", "BSE"):
            symbol = get_oa_symbol(name, exchange)
            if symbol:
                break
        else:
            logger.info("holding %s is not traded", holding["symbol"])
            continue
        out.append(
            {
                "symbol": symbol,
                "exchange": exchange,
                "quantity": holding["quantity"],
                "pnl": round(holding["pl"], 2),
                "product": "CNC",
            }
        )
    return out


def positions_frame(position_data):
    """The positions as the report writer wants them: pnl and lots by underlying."""
    df = pd.DataFrame(position_data.get("netPositions", []))
    if df.empty:
        return {}
    df["oa_symbol"] = df.apply(
        lambda row: to_ours(row["symbol"], exchange_of(row.to_dict())), axis=1
    )
    df = df[df["oa_symbol"].notna()]
    totals = {}
    for _, row in df.iterrows():
        info = get_symbol_info(row["oa_symbol"], exchange_of(row.to_dict()))
        underlying = info.name if info else row["oa_symbol"]
        pnl, lots = totals.get(underlying, (0.0, 0))
        size = (info.lotsize if info else 1) or 1
        totals[underlying] = (round(pnl + float(row["pl"]), 2), lots + int(row["netQty"]) // size)
    return totals
