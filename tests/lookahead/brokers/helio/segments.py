"""Segments of Helio, and the base of its services."""

import logging

from tests.lookahead.token_db import get_oa_symbol, get_symbol

SEGMENT_OF_EXCHANGE = {
    "NSE": "NSE_EQ",
    "BSE": "BSE_EQ",
    "NFO": "NSE_FO",
    "BFO": "BSE_FO",
    "CDS": "NSE_CUR",
    "MCX": "MCX_COM",
    "NSE_INDEX": "IDX_NSE",
    "BSE_INDEX": "IDX_BSE",
}
EXCHANGE_OF_SEGMENT = {segment: exchange for exchange, segment in SEGMENT_OF_EXCHANGE.items()}


def exchange_from_segment(segment):
    """The application's exchange; an unknown segment is handed back as it came."""
    if segment == "NSE_EQ":
        return "NSE"
    elif segment == "BSE_EQ":
        return "BSE"
    elif segment == "NSE_FO":
        return "NFO"
    elif segment == "BSE_FO":
        return "BFO"
    elif segment == "NSE_CUR":
        return "CDS"
    elif segment == "MCX_COM":
        return "MCX"
    return segment


class BaseService:
    """Shared behaviour: conversions that never raise, and a log of what went wrong."""

    def __init__(self, account="H0001"):
        self.account = account
        self.problems = []
        self.logger = logging.getLogger(f"{__name__}.{type(self).__name__}")

    def note_problem(self, message):
        self.logger.warning("%s: %s", self.account, message)
        self.problems.append(message)

    def to_number(self, value):
        if value in (None, "", "-"):
            return 0.0
        try:
            return float(str(value).replace(",", ""))
        except ValueError:
            self.note_problem(f"not a number: {value}")
            return 0.0

    def symbol_for(self, security_id, segment):
        """Symbol of a security id that may be a number or text."""
        exchange = exchange_from_segment(segment)
        return self._symbol_or_none(str(security_id), exchange)

    def _symbol_or_none(self, token, exchange):
        symbol = get_symbol(token, exchange)
        if symbol is None:
            self.note_problem(f"no symbol for {token} on {exchange}")
            return None
        return symbol


def first_known_symbol(display_name, exchanges):
    """(symbol, exchange) on the first exchange that lists a name."""
    for exchange in exchanges:
        found = get_oa_symbol(display_name, exchange)
        if found:
            return found, exchange
    return None, None
