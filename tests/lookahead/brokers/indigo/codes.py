"""Market codes, composite keys and the conversions around them."""

import logging

from tests.lookahead.token_db import get_symbol, get_token

log = logging.getLogger(__name__)

MARKETS = {1: "NSE", 2: "NFO", 3: "CDS", 4: "BSE", 5: "BFO", 7: "MCX"}
CODES = {name: code for code, name in MARKETS.items()}


class IndigoError(Exception):
    """A message of Indigo's that stops the work at hand."""


def market_name(code):
    """Exchange of a market code given as number or text."""
    try:
        numeric = int(code)
    except (TypeError, ValueError):
        return None
    if numeric == 1:
        return "NSE"
    if numeric == 2:
        return "NFO"
    if numeric == 3:
        return "CDS"
    if numeric == 4:
        return "BSE"
    if numeric == 5:
        return "BFO"
    if numeric == 7:
        return "MCX"
    return None


def split_key(key):
    """('NFO', '832770') of '2|832770'; ValueError if it is no key."""
    if not isinstance(key, str) or "|" not in key:
        raise ValueError(f"not an instrument key: {key!r}")
    market, _, instrument = key.partition("|")
    exchange = market_name(market)
    if exchange is None:
        raise ValueError(f"market {market!r} is not served")
    return exchange, instrument


def symbol_of_key(key):
    """Symbol and exchange of a composite key, or (None, None)."""
    try:
        exchange, instrument = split_key(key)
    except ValueError as error:
        log.debug("%s", error)
        return None, None
    return _symbol_by_instrument(instrument, exchange), exchange


def _symbol_by_instrument(instrument, exchange):
    normalised = str(int(instrument)) if instrument.isdigit() else instrument
    return _ask(normalised, exchange)


def _ask(token, exchange):
    answer = get_symbol(token, exchange)
    if answer is None:
        log.info("token %s is not in the contract of %s", token, exchange)
    return answer


def key_of_symbol(symbol, exchange):
    """'2|832770' of a symbol; IndigoError if the contract does not have it."""
    token = get_token(symbol, exchange)
    if token is None:
        raise IndigoError(f"{symbol} ({exchange}) has no instrument key")
    return f"{CODES.get(exchange, 0)}|{token}"


def rupees(paise):
    """Indigo counts in paise."""
    if paise is None or isinstance(paise, bool):
        return 0.0
    try:
        return round(int(paise) / 100, 2)
    except (TypeError, ValueError):
        return 0.0
