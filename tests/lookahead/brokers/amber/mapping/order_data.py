import logging

from tests.lookahead.token_db import get_oa_symbol

logger = logging.getLogger(__name__)


def map_order_data(response):
    """Order book -> list of orders with our symbol and product."""
    orders = response.get("data") or []

    for order in orders:
        exchange = order["exchange"]
        brsymbol = order["tradingsymbol"]
        symbol = get_oa_symbol(brsymbol, exchange)
        if symbol:
            order["tradingsymbol"] = symbol
        else:
            logger.info("order %s: no symbol for %s", order.get("order_id"), brsymbol)

        # MTF and CO are not ours: delivery for shares, carry for the rest
        if order["product"] not in ("CNC", "MIS", "NRML"):
            order["product"] = "CNC" if exchange in ("NSE", "BSE") else "NRML"

    return orders


def transform_order_data(orders):
    out = []
    for order in orders:
        ordertype = order.get("order_type", "")
        out.append(
            {
                "symbol": order.get("tradingsymbol", ""),
                "exchange": order.get("exchange", ""),
                "action": order.get("transaction_type", ""),
                "quantity": order.get("quantity", 0),
                "price": order.get("average_price", 0.0),
                "trigger_price": order.get("trigger_price", 0.0),
                "pricetype": "SL-M" if ordertype == "SLM" else ordertype,
                "product": order.get("product", ""),
                "orderid": order.get("order_id", ""),
                "order_status": order.get("status", "").lower(),
            }
        )
    return out


def map_trade_data(response):
    trades = []
    try:
        for trade in response["data"]:
            trade["tradingsymbol"] = get_oa_symbol(trade["tradingsymbol"], trade["exchange"])
            trades.append(
                {
                    "symbol": trade["tradingsymbol"],
                    "exchange": trade["exchange"],
                    "product": trade["product"],
                    "action": trade["transaction_type"],
                    "quantity": trade["quantity"],
                    "average_price": trade["average_price"],
                    "trade_value": round(trade["quantity"] * trade["average_price"], 2),
                    "orderid": trade["order_id"],
                    "timestamp": trade["fill_timestamp"][-8:],
                }
            )
    except (KeyError, TypeError) as e:
        logger.info("tradebook: %s", e)
    return trades


def map_position_data(response):
    data = response.get("data")
    if not data or not data.get("net"):
        return []
    for position in data["net"]:
        if position.get("tradingsymbol"):
            position["tradingsymbol"] = (
                get_oa_symbol(position["tradingsymbol"], position["exchange"])
                or position["tradingsymbol"]
            )
    return data["net"]


def transform_positions_data(positions):
    return [
        {
            "symbol": p.get("tradingsymbol", ""),
            "exchange": p.get("exchange", ""),
            "product": p.get("product", ""),
            "quantity": p.get("quantity", 0),
            "average_price": round(p.get("average_price") or 0.0, 2),
            "pnl": round(p.get("pnl") or 0.0, 2),
        }
        for p in positions
    ]


def map_portfolio_data(response):
    """Holdings. Shares bought today (t1) count too; nil holdings are dropped."""
    holdings = []
    for row in response.get("data", []):
        row["quantity"] = row.get("quantity", 0) + row.get("t1_quantity", 0)
        if row["quantity"] == 0:
            continue
        try:
            row["tradingsymbol"] = get_oa_symbol(row["tradingsymbol"], row["exchange"])
            invested = row["quantity"] * row["average_price"]
            row["pnl"] = round(row["quantity"] * row["last_price"] - invested, 2)
            row["pnlpercent"] = round(row["pnl"] / invested * 100, 2)
        except ZeroDivisionError:
            # bonus shares cost nothing
            row["pnlpercent"] = 0.0
        holdings.append(row)
    return holdings
