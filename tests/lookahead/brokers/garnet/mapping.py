"""Field translation between Garnet's REST gateway and the application."""

import logging

from tests.lookahead.token_db import get_br_symbol, get_oa_symbol, get_symbol, get_token

logger = logging.getLogger(__name__)

PRODUCT_NAMES = {"DELIVERY": "CNC", "INTRADAY": "MIS", "CARRY": "NRML"}
PRODUCT_CODES = {value: key for key, value in PRODUCT_NAMES.items()}
PRICE_TYPES = {"LMT": "LIMIT", "MKT": "MARKET", "STP": "SL", "STPMKT": "SL-M"}


def extract_items(response, *path):
    """Walk down an envelope; anything unexpected on the way yields an empty list."""
    if not isinstance(response, dict):
        logger.error("Garnet answered with %s instead of an object", type(response).__name__)
        return []
    if response.get("state") != "ok":
        logger.warning("Garnet reported state %r", response.get("state"))
        return []
    node = response.get("result")
    for step in path:
        if not isinstance(node, dict):
            return []
        node = node.get(step)
    return node if isinstance(node, list) else []


def safe_float(value, default=0.0):
    try:
        return round(float(value), 2)
    except (TypeError, ValueError):
        return default


def safe_int(value, default=0):
    try:
        return int(value)
    except (TypeError, ValueError):
        return default


def application_product(exchange, code):
    if code in PRODUCT_NAMES:
        return PRODUCT_NAMES[code]
    if exchange in ("NFO", "BFO", "MCX", "CDS"):
        return "NRML"
    return "CNC"


def resolve_application_symbol(row):
    """Symbol of a row by its Garnet name; the Garnet name itself if it is unknown."""
    broker_name = row.get("trading_symbol")
    exchange = row.get("exchange")
    return translate_name(broker_name, exchange)


def translate_name(broker_name, exchange):
    if broker_name is None:
        return ""
    translated = get_oa_symbol(brsymbol=broker_name, exchange=exchange)
    if translated is None:
        logger.info("No application symbol for %s on %s", broker_name, exchange)
        return str(broker_name)
    return translated


def describe_by_token(scrip_token, exchange):
    """Symbol by scrip token, in upper case, or a placeholder."""
    symbol = get_symbol(scrip_token, exchange)
    if not symbol:
        return f"UNKNOWN-{scrip_token}"
    return symbol.upper()


def to_gateway_order(order):
    """Body of one order as Garnet's gateway wants it; raises ValueError for an unknown symbol."""
    symbol = order["symbol"]
    exchange = order["exchange"]
    token = get_token(symbol, exchange)
    if token is None:
        raise ValueError(f"{symbol} is not traded on {exchange}")
    broker_name = get_br_symbol(symbol, exchange)
    return {
        "trading_symbol": broker_name,
        "scrip_token": int(token),
        "exchange": exchange,
        "side": "B" if str(order.get("action", "")).upper() == "BUY" else "S",
        "quantity": safe_int(order.get("quantity")),
        "product": PRODUCT_CODES.get(order.get("product"), "CARRY"),
        "price": safe_float(order.get("price")),
    }
