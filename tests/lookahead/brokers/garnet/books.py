"""Order book, trade book, positions, holdings and triggers of Garnet."""

import logging

from tests.lookahead.brokers.garnet.mapping import (
    PRICE_TYPES,
    application_product,
    describe_by_token,
    extract_items,
    resolve_application_symbol,
    safe_float,
    safe_int,
)
from tests.lookahead.token_db import get_oa_symbol, get_symbol

logger = logging.getLogger(__name__)


def normalise_order_book(response):
    """Rewrite an order book in place and return it with statistics."""
    orders = extract_items(response, "orders")
    statistics = {"total": 0, "open": 0, "complete": 0, "rejected": 0, "cancelled": 0, "unmapped": 0}

    for order in orders:
        statistics["total"] += 1
        try:
            exchange = order.get("exchange", "")
            broker_symbol = order.get("trading_symbol", "")

            if broker_symbol:
                symbol = get_oa_symbol(brsymbol=broker_symbol, exchange=exchange)
                if symbol:
                    order["trading_symbol"] = symbol
                else:
                    statistics["unmapped"] += 1
                    logger.warning("Order %s: %s is unknown", order.get("order_ref"), broker_symbol)
            else:
                statistics["unmapped"] += 1

            order["product"] = application_product(exchange, order.get("product"))
            order["price_type"] = PRICE_TYPES.get(order.get("price_type"), "LIMIT")

            status = str(order.get("status", "")).lower()
            if status in statistics:
                statistics[status] += 1
            order["status"] = status
        except Exception as error:  # a single bad order must not hide the others
            logger.exception("Order could not be read")
            order["error"] = str(error)

    return {"orders": orders, "statistics": statistics}


def transform_trade_book(response):
    """Trades as the application shows them, largest turnover first."""
    collected = []
    turnover_by_exchange = {}

    trades = extract_items(response, "trades")
    if not trades:
        return {"trades": [], "turnover": {}}

    for trade in trades:
        if not isinstance(trade, dict):
            logger.error("Skipped a trade of type %s", type(trade))
            continue
        symbol = resolve_application_symbol(trade)
        quantity = safe_int(trade.get("quantity"))
        average_price = safe_float(trade.get("fill_price"))
        collected.append({
            "symbol": symbol,
            "exchange": trade.get("exchange"),
            "product": application_product(trade.get("exchange"), trade.get("product")),
            "action": "BUY" if trade.get("side") == "B" else "SELL",
            "quantity": quantity,
            "average_price": average_price,
            "trade_value": round(quantity * average_price, 2),
            "order_id": trade.get("order_ref"),
        })

    for entry in collected:
        exchange = entry["exchange"]
        turnover_by_exchange.setdefault(exchange, 0.0)
        turnover_by_exchange[exchange] = round(
            turnover_by_exchange[exchange] + entry["trade_value"], 2)

    collected.sort(key=lambda entry: (-entry["trade_value"], str(entry["order_id"])))
    return {"trades": collected, "turnover": turnover_by_exchange}


def map_positions(response):
    """Both sections of the position answer, each with symbols in place of Garnet's names."""
    if not isinstance(response, dict) or "result" not in response:
        return {"net": [], "day": []}

    output = {}
    for section in ("net", "day"):
        rows = response["result"].get(section) or []
        mapped_rows = []
        for position in rows:
            exchange = position["exchange"]
            name = position["trading_symbol"]
            position["trading_symbol"] = get_oa_symbol(name, exchange) or name
            quantity = safe_int(position.get("quantity"))
            average = safe_float(position.get("average_price"))
            last = safe_float(position.get("last_price"))
            profit = round((last - average) * quantity, 2)
            mapped_rows.append({
                "symbol": position["trading_symbol"],
                "exchange": exchange,
                "product": application_product(exchange, position.get("product")),
                "quantity": quantity,
                "average_price": average,
                "ltp": last,
                "pnl": profit,
            })
        output[section] = mapped_rows
    output["total_pnl"] = round(sum(row["pnl"] for row in output["net"]), 2)
    return output


def summarise_holdings(response):
    """Holdings by scrip token: the National exchange first, Bombay if it does not know it."""
    holdings = extract_items(response, "portfolio", "lots")
    prepared = []
    invested = 0.0
    current = 0.0

    for holding in holdings:
        scrip_token = holding.get("scrip_token")
        if scrip_token is None:
            logger.debug("Holding %s carries no token", holding.get("isin"))
            prepared.append({"symbol": holding.get("isin"), "exchange": None, "quantity": 0})
            continue

        exchange = "NSE"
        symbol = get_symbol(str(scrip_token), "NSE")
        if symbol is None:
            exchange = "BSE"
            symbol = get_symbol(str(scrip_token), "BSE")
        if symbol is None:
            exchange = None
            symbol = holding.get("isin", "")

        quantity = safe_int(holding.get("free_quantity")) + safe_int(holding.get("pledged_quantity"))
        average = safe_float(holding.get("average_price"))
        last = safe_float(holding.get("last_price"))
        invested += average * quantity
        current += last * quantity
        prepared.append({
            "symbol": symbol,
            "exchange": exchange,
            "quantity": quantity,
            "pnl": round((last - average) * quantity, 2),
            "pnlpercent": round((last - average) / average * 100, 2) if average else 0.0,
        })

    return {
        "holdings": prepared,
        "totals": {"invested": round(invested, 2), "current": round(current, 2)},
    }


def map_triggers(response):
    """Good-till-triggered orders: the condition's symbol, and the symbol of every leg."""
    triggers = extract_items(response, "triggers")
    result = []
    for trigger in triggers:
        try:
            condition = trigger["condition"]
            watched = get_oa_symbol(brsymbol=condition["trading_symbol"], exchange=condition["exchange"])
            if not watched:
                watched = condition["trading_symbol"]

            legs = []
            for leg in trigger.get("legs", []):
                leg_symbol = get_oa_symbol(
                    brsymbol=leg["trading_symbol"], exchange=leg["exchange"])
                legs.append({
                    "symbol": leg_symbol or leg["trading_symbol"],
                    "action": "BUY" if leg["side"] == "B" else "SELL",
                    "quantity": safe_int(leg["quantity"]),
                    "price": safe_float(leg["price"]),
                })
        except KeyError as missing:
            logger.warning("Trigger without %s", missing)
            continue
        result.append({
            "trigger_id": str(trigger.get("id")),
            "symbol": watched,
            "kind": "OCO" if len(legs) > 1 else "SINGLE",
            "trigger_values": [safe_float(value) for value in condition.get("values", [])],
            "legs": legs,
        })
    return result


def audit_execution_log(lines):
    """Count the executions of an audit extract by symbol; its rows are tuples."""
    seen = {}
    index = 0
    while index < len(lines):
        timestamp, scrip_token, exchange, quantity = lines[index]
        index += 1
        if not scrip_token:
            continue
        label = describe_by_token(scrip_token, exchange)
        entry = seen.setdefault(label, {"count": 0, "quantity": 0, "last": ""})
        entry["count"] += 1
        entry["quantity"] += safe_int(quantity)
        if timestamp > entry["last"]:
            entry["last"] = timestamp
    return seen
