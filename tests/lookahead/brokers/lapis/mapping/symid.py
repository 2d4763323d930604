"""Lapis identifies instruments by text: "EQT_SBIN_EQ_NSE", "OPT_NIFTY26AUG25000CE_NFO",
and in the older half of its API by listing: "3045_NSE"."""

from tests.lookahead.token_db import get_br_symbol, get_oa_symbol, get_symbol, get_symbol_info

KINDS = {"EQ": "EQT", "FUT": "FUT", "CE": "OPT", "PE": "OPT"}


def parse(symid):
    """The broker's symbol and our exchange, or (None, None)."""
    if not symid or symid.count("_") < 2:
        return None, None
    kind, rest = symid.split("_", 1)
    name, exchange = rest.rsplit("_", 1)
    if kind == "EQT":
        name = name.rsplit("_", 1)[0]
    elif kind == "IDX":
        exchange += "_INDEX"
    return name, exchange


def to_symbol(symid):
    name, exchange = parse(symid)
    if name is None:
        return None
    return get_oa_symbol(name, exchange)


def listing_to_symbol(listing):
    token, sep, exchange = str(listing).partition("_")
    if not sep:
        return None
    return get_symbol(token, exchange)


def symid_of(symbol, exchange):
    info = get_symbol_info(symbol, exchange)
    if info is None:
        return None
    if exchange.endswith("_INDEX"):
        return f"IDX_{info.brsymbol}_{exchange[:3]}"
    if info.instrumenttype == "EQ":
        return f"EQT_{info.brsymbol}_EQ_{exchange}"
    return f"{KINDS[info.instrumenttype]}_{info.brsymbol}_{exchange}"


def checked_symid(symbol, exchange):
    """As symid_of, of what the broker's own master still has."""
    if not get_br_symbol(symbol, exchange):
        raise LookupError(f"Lapis has no {symbol} on {exchange}")
    return symid_of(symbol, exchange)
