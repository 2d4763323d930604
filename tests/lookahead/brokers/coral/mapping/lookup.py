"""Instruments of Coral's rows. Segments arrive as text in books, as numbers in the feed."""

from tests.lookahead.brokers.coral.mapping.transform_data import map_exchange
from tests.lookahead.token_db import get_symbol, get_symbol_info, get_token

FEED_SEGMENT = {
    0: "IDX_I",
    1: "NSE_EQ",
    2: "NSE_FNO",
    3: "NSE_CURRENCY",
    4: "BSE_EQ",
    5: "MCX_COMM",
    8: "BSE_FNO",
}


def clean_id(value):
    """Security ids come as 1333, "1333" and, from the CSV export, "1333.0"."""
    if value is None or value == "":
        return None
    return str(int(float(value)))


def resolve(security_id, segment):
    exchange = map_exchange(segment)
    token = clean_id(security_id)
    if token is None or exchange is None:
        return None
    return get_symbol(token, exchange)


def resolve_row(row):
    return resolve(row.get("securityId"), row.get("exchangeSegment"))


def resolve_feed(row):
    return resolve(row["securityId"], FEED_SEGMENT.get(row["exchangeSegment"]))


def security_id(symbol, exchange):
    token = get_token(symbol, exchange)
    if not token:
        raise ValueError(f"Security id of {symbol} ({exchange}) not found")
    return int(token)


def instrument_kind(symbol, exchange):
    """What the chart service calls an instrument: EQUITY, FUTSTK, OPTIDX, ..."""
    if exchange in ("NSE", "BSE"):
        return "EQUITY"
    if exchange.endswith("_INDEX"):
        return "INDEX"
    info = get_symbol_info(symbol, exchange)
    if info is None:
        return None
    side = "FUT" if info.instrumenttype == "FUT" else "OPT"
    if exchange == "CDS":
        return side + "CUR"
    if exchange == "MCX":
        return "FUTCOM" if side == "FUT" else "OPTFUT"
    return side + ("IDX" if info.name in ("NIFTY", "BANKNIFTY", "SENSEX", "BANKEX") else "STK")
