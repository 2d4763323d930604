import logging

from tests.lookahead.token_db import get_oa_symbol, get_symbol

logger = logging.getLogger(__name__)


def _product(exchange, product):
    if exchange in ("NSE", "BSE") and product == "DELIVERY":
        return "CNC"
    if product == "INTRADAY":
        return "MIS"
    if exchange in ("NFO", "MCX", "BFO", "CDS") and product == "CARRYFORWARD":
        return "NRML"
    return product


def map_order_data(response):
    orders = response.get("data") or []
    try:
        for order in orders:
            token, exchange = order["symboltoken"], order["exchange"]
            symbol = get_symbol(token, exchange)
            if symbol:
                order["tradingsymbol"] = symbol
                order["producttype"] = _product(exchange, order["producttype"])
            else:
                logger.info(f"{exchange} token {token}: name left as {order['tradingsymbol']}")
    except Exception as e:
        logger.info(f"order book: {e}")
    return orders


def transform_order_data(orders):
    kinds = {"STOPLOSS_LIMIT": "SL", "STOPLOSS_MARKET": "SL-M"}
    return [
        {
            "symbol": order["tradingsymbol"],
            "exchange": order["exchange"],
            "action": order["transactiontype"],
            "quantity": int(order["quantity"]),
            "pricetype": kinds.get(order["ordertype"], order["ordertype"]),
            "product": order["producttype"],
            "orderid": order["orderid"],
            "order_status": order["status"],
        }
        for order in orders
    ]


def map_trade_data(trade_data):
    """The trade book has no token since the v2 API, only the name with its series."""
    trades = trade_data.get("data") or []
    for trade in trades:
        name = trade["tradingsymbol"]
        exchange = trade["exchange"]
        if exchange == "NSE" and name and "-" in name:
            name = name.rsplit("-", 1)[0]
        symbol = get_oa_symbol(name, exchange)
        if symbol is not None:
            trade["tradingsymbol"] = symbol
        trade["producttype"] = _product(exchange, trade["producttype"])
    return trades


def map_position_data(position_data):
    rows = position_data.get("data")
    if not rows:
        return []
    for row in rows:
        token = row.get("symboltoken")
        if token:
            try:
                symbol = get_symbol(token, row["exchange"])
                row["tradingsymbol"] = symbol.strip().upper()
            except AttributeError:
                # unknown token
                row["unmapped"] = True
    return rows


def map_portfolio_data(response):
    data = response.get("data") or {"holdings": [], "totalholding": {}}
    for holding in data["holdings"]:
        name = holding["tradingsymbol"].replace("-EQ", "")
        found = get_oa_symbol(name, holding["exchange"])
        if found:
            holding["tradingsymbol"] = found
        holding["product"] = {"DELIVERY": "CNC"}.get(holding["product"], holding["product"])
    return data


def portfolio_summary(data):
    return {
        "value": data["totalholding"].get("totalholdingvalue", 0),
        "names": sorted(holding["tradingsymbol"] for holding in data["holdings"]),
    }
