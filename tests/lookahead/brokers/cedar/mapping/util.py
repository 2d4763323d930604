"""Odds and ends that every Cedar module imports."""

import json
import logging

from tests.lookahead.token_db import get_oa_symbol, get_symbol

logger = logging.getLogger("cedar")

SERIES = ("-EQ", "-BE", "-SM")
STREAM_EXCHANGE = {"NSE": 1, "NFO": 2, "BSE": 3, "BFO": 4, "MCX": 5, "CDS": 13}
FROM_STREAM = {code: name for name, code in STREAM_EXCHANGE.items()}


def parse(response):
    try:
        return json.loads(response.text)
    except ValueError:
        logger.debug("body is no json")
        return {"status": False, "data": None}


def without_series(name):
    for s in SERIES:
        if name.endswith(s):
            return name[: -len(s)]
    return name


def with_series(name, exchange):
    return name + "-EQ" if exchange == "NSE" else name


def lookup_name(tradingsymbol, exchange):
    return get_oa_symbol(brsymbol=without_series(tradingsymbol), exchange=exchange)


def displayName(row):
    """The application's symbol of a row, or the broker's name if there is none."""
    name = row.get("tradingSymbol")
    if not name:
        return ""
    return lookup_name(name, row["exchange"]) or name


def resolve(row):
    """By number if there is one, by name otherwise."""
    number = row.get("symbolToken")
    if number:
        return get_symbol(str(number).strip(), row["exchange"])
    return None
