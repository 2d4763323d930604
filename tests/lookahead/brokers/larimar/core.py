"""The layers that Larimar's services stand on."""

import copy
import logging
from abc import ABC, abstractmethod

from tests.lookahead.token_db import (
    get_br_symbol,
    get_brexchange,
    get_oa_symbol,
    get_symbol,
    get_symbol_info,
    get_token,
)

logger = logging.getLogger(__name__)

VENUES = {
    "NSECM": "NSE",
    "NSEFO": "NFO",
    "NSECD": "CDS",
    "BSECM": "BSE",
    "BSEFO": "BFO",
    "MCXFO": "MCX",
}


class GatewayFailure(RuntimeError):
    """Larimar answered, but not with data."""


class InstrumentDirectory:
    """The only place of this package that asks the contract by number or name."""

    def __init__(self):
        self.asked = 0
        self.missing = []

    def exchange_for(self, venue):
        if venue in VENUES:
            return VENUES[venue]
        if venue in VENUES.values():
            return venue
        return None

    def symbol_by_instrument(self, instrument):
        """Symbol of {'venue': ..., 'id': ...} or {'venue': ..., 'code': ...}."""
        if not isinstance(instrument, dict):
            return None
        exchange = self.exchange_for(instrument.get("venue"))
        if exchange is None:
            self.missing.append(instrument.get("venue"))
            return None
        self.asked += 1
        if instrument.get("id") not in (None, ""):
            return self._remember(get_symbol(instrument["id"], exchange), instrument)
        return self._remember(get_oa_symbol(instrument.get("code"), exchange), instrument)

    def _remember(self, symbol, instrument):
        if symbol is None:
            self.missing.append(instrument.get("code") or instrument.get("id"))
        return symbol

    def listing(self, symbol, exchange):
        """(token, broker's name) of a symbol; GatewayFailure for an unknown one."""
        self.asked += 1
        token = get_token(symbol, exchange)
        name = get_br_symbol(symbol, exchange)
        if token is None or name is None:
            raise GatewayFailure(f"{exchange}:{symbol}")
        return token, name

    def venue_of(self, symbol, exchange):
        broker_exchange = get_brexchange(symbol, exchange)
        if broker_exchange is None:
            return None
        for venue, name in VENUES.items():
            if name == broker_exchange:
                return venue
        return broker_exchange

    def terms(self, symbol, exchange):
        info = get_symbol_info(symbol, exchange)
        if info is None:
            return {}
        return {"lot": info.lotsize, "tick": info.tick_size, "expiry": info.expiry or None}


class Report(ABC):
    """Runs the same four steps for every report: read, guard, convert, finish."""

    def __init__(self, directory=None):
        self.directory = directory or InstrumentDirectory()
        self.rejected = 0

    def run(self, payload):
        source = self.read(payload)
        converted = []
        for original in source:
            row = copy.deepcopy(original)
            if not self.guard(row):
                self.rejected += 1
                continue
            try:
                converted.append(self.convert(row))
            except (KeyError, TypeError, ValueError) as error:
                logger.warning("%s: %r", type(self).__name__, error)
                self.rejected += 1
        return self.finish(converted)

    def read(self, payload):
        if not isinstance(payload, dict):
            raise GatewayFailure("no object")
        if payload.get("error"):
            raise GatewayFailure(payload["error"])
        return payload.get("items") or []

    def guard(self, row):
        return isinstance(row, dict) and bool(row.get("instrument"))

    @abstractmethod
    def convert(self, row):
        """One row, converted."""

    def finish(self, rows):
        return {"rows": rows, "rejected": self.rejected, "asked": self.directory.asked}


def split_pair(text):
    """('NSE', 'RELIANCE') of 'NSE:RELIANCE'."""
    exchange, separator, symbol = text.partition(":")
    if not separator:
        return "NSE", exchange
    return exchange, symbol


def number(value, places=2):
    try:
        return round(float(value), places)
    except (TypeError, ValueError):
        return 0.0
