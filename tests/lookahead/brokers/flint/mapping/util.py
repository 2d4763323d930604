"""Names and numbers of Flint: all of its answers are text."""

from tests.lookahead.token_db import get_oa_symbol, get_symbol, get_token


def as_float(value, default=0.0):
    try:
        return float(value)
    except (TypeError, ValueError):
        return default


def plain(tsym):
    """Shares carry their series: ACC-EQ, ACC-BE."""
    if tsym and tsym[-3:] in ("-EQ", "-BE"):
        return tsym[:-3]
    return tsym


def symbol_from(row):
    """Our name of a row's instrument: by token, or else by its name."""
    exch = row.get("exch")
    if row.get("token"):
        symbol = get_symbol(row["token"], exch)
        if symbol:
            return symbol
    return get_oa_symbol(plain(row.get("tsym")), exch)


def scrip(symbol, exchange):
    """"NSE|22", as requests and the feed want it."""
    token = get_token(symbol, exchange)
    if not token:
        raise KeyError(f"{exchange}:{symbol}")
    return f"{exchange.replace('_INDEX', '')}|{token}"
