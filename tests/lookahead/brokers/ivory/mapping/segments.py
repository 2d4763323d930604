import logging

from tests.lookahead.token_db import get_oa_symbol, get_symbol

logger = logging.getLogger(__name__)

SEGMENT = {
    "nse_cm": "NSE",
    "bse_cm": "BSE",
    "nse_fo": "NFO",
    "bse_fo": "BFO",
    "cde_fo": "CDS",
    "mcx_fo": "MCX",
}
REVERSE = {v: k for k, v in SEGMENT.items()}
REVERSE["NSE_INDEX"] = "nse_cm"
REVERSE["BSE_INDEX"] = "bse_cm"


def to_exchange(segment):
    return SEGMENT[segment.lower()]


def name_of(row, *, strict=False):
    """The books call the token tok, instrumentToken or nothing, depending on the weather."""
    exchange = to_exchange(row.get("exSeg") or row["exchangeSegment"])
    token = row.get("tok") or row.get("instrumentToken")
    symbol = _by_token(token, exchange) if token else _by_name(row["trdSym"], exchange)
    if symbol is None and strict:
        raise LookupError(f"{exchange} {token or row['trdSym']}")
    return symbol


def _by_token(token, exchange):
    return get_symbol(str(token).strip(), exchange)


def _by_name(name, exchange):
    if exchange == "NSE":
        name = name.removesuffix("-EQ")
    return get_oa_symbol(name, exchange)
