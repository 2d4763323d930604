"""Books of Jade: exchange is NSE, BSE or MCX, the segment CASH, FNO or COMMODITY."""

import logging

import pandas as pd

from tests.lookahead.token_db import get_oa_symbol, get_symbol

logger = logging.getLogger(__name__)


def our_exchange(exchange, segment):
    if segment == "FNO":
        return "NFO" if exchange == "NSE" else "BFO"
    return exchange


def map_order_data(payload):
    orders = payload.get("order_list") or []
    for order in orders:
        exchange = our_exchange(order["exchange"], order["segment"])
        if order.get("trading_symbol"):
            try:
                symbol = get_oa_symbol(order["trading_symbol"], exchange)
                if symbol:
                    order["trading_symbol"] = symbol
            except Exception:
                logger.exception("order %s", order.get("groww_order_id"))
        order["exchange"] = exchange
    return orders


def map_trade_data(payload):
    """Trades as records, through a frame as the exporter needs the totals as well."""
    df = pd.DataFrame(payload.get("trade_list") or [])
    if df.empty:
        return []
    df["exchange"] = [our_exchange(e, s) for e, s in zip(df["exchange"], df["segment"])]
    df["symbol"] = [
        get_oa_symbol(name, exchange) for name, exchange in zip(df["trading_symbol"], df["exchange"])
    ]
    df["symbol"] = df["symbol"].where(df["symbol"].notna(), df["trading_symbol"])
    df["trade_value"] = (df["price"] * df["quantity"]).round(2)
    return df[["symbol", "exchange", "quantity", "price", "trade_value"]].to_dict("records")


def map_position_data(payload):
    df = pd.DataFrame(payload["positions"])
    for index, row in df.iterrows():
        exchange = our_exchange(row["exchange"], row["segment"])
        symbol = get_oa_symbol(row["trading_symbol"], exchange)
        if symbol:
            df.at[index, "trading_symbol"] = symbol
            df.at[index, "exchange"] = exchange
    df["net"] = df["credit_quantity"] - df["debit_quantity"]
    return df.to_dict("records")


def map_portfolio_data(payload):
    """Holdings do not say where; shares listed on both are shown on NSE."""
    for holding in payload.get("holdings", []):
        name = holding["trading_symbol"]
        symbol = get_oa_symbol(name, "NSE")
        if symbol:
            holding["exchange"] = "NSE"
        else:
            symbol = get_oa_symbol(name, "BSE")
            holding["exchange"] = "BSE" if symbol else ""
        holding["trading_symbol"] = symbol or name
        holding["invested"] = round(holding["quantity"] * holding["average_price"], 2)
    return payload.get("holdings", [])


def pnl_by_expiry(payload):
    """Sum of realised pnl by the expiry in the symbol's middle; shares under "EQ"."""
    df = pd.DataFrame(payload["positions"])
    df["symbol"] = df.apply(
        lambda r: get_symbol(r["exchange_token"], our_exchange(r["exchange"], r["segment"])), axis=1
    )
    df = df.dropna(subset=["symbol"])
    df["month"] = df["symbol"].map(lambda s: s[-12:-7] if s[-2:] in ("CE", "PE") else "EQ")
    return df.groupby("month")["realised_pnl"].sum().round(2).to_dict()
