"""Segment codes of Mira and the small helpers that every other module leans on."""

from tests.lookahead.token_db import get_br_symbol, get_oa_symbol, get_token

SEGMENTS = {
    "N_EQ": "NSE",
    "B_EQ": "BSE",
    "N_FO": "NFO",
    "B_FO": "BFO",
    "N_CD": "CDS",
    "M_CO": "MCX",
}
SEGMENT_OF = {exchange: segment for segment, exchange in SEGMENTS.items()}
PRODUCTS = {"C": "CNC", "I": "MIS", "M": "NRML"}
SIDES = {"B": "BUY", "S": "SELL"}


def exchange_of(row, default="NSE"):
    segment = row.get("seg")
    return SEGMENTS.get(segment, segment or default)


def bare(code):
    return code.strip().removesuffix("-EQ").removesuffix("-BE")


def display_symbol(row):
    code = row.get("trdSym")
    if not code:
        return None
    return get_oa_symbol(brsymbol=bare(code), exchange=exchange_of(row))


def wire_symbol(symbol, exchange):
    name = get_br_symbol(symbol, exchange)
    if name is None:
        return None
    return f"{name}-EQ" if exchange in ("NSE", "BSE") else name


def instrument_key(symbol, exchange):
    token = get_token(symbol, exchange)
    return token and f"{SEGMENT_OF.get(exchange, exchange)}|{token}"
