"""Jasper's wire format: short keys, 'TCS-EQ' for shares, exchanges of one letter."""

import logging

from tests.lookahead.token_db import get_br_symbol, get_oa_symbol, get_symbol_info, get_token

logger = logging.getLogger("tests.lookahead.brokers.jasper.wire")

LETTERS = {"N": "NSE", "B": "BSE", "F": "NFO", "G": "BFO", "C": "CDS", "M": "MCX"}
SERIES = ("-EQ", "-BE", "-SM")


class UnmappedInstrument(LookupError):
    """The contract lacks an instrument."""


def spell_exchange(letter):
    """'NSE' of 'N'. Names pass through; None and '' are taken for the NSE."""
    if letter is None or letter == "":
        return "NSE"
    if letter in LETTERS:
        return LETTERS[letter]
    return str(letter).upper()


def letter_of(exchange):
    for letter, name in LETTERS.items():
        if name == exchange:
            return letter
    return "?"


def bare_name(name):
    """'TCS' of 'TCS-EQ'."""
    if not isinstance(name, str):
        return name
    for ending in SERIES:
        if name.endswith(ending):
            return name[: -len(ending)]
    return name


class Translator:
    """Gives rows the application's symbols; counts hits and misses."""

    def __init__(self, strict=False):
        self.strict = strict
        self.hits = 0
        self.misses = 0

    def apply(self, row, name_key="ts", exchange_key="ex", target="symbol"):
        exchange = spell_exchange(row.get(exchange_key))
        row[target] = self._translate(row.get(name_key), exchange)
        row["exchange"] = exchange
        return row

    def _translate(self, name, exchange):
        if exchange in ("NSE", "BSE"):
            return self._share(name, exchange)
        return self._derivative(name, exchange)

    def _share(self, name, exchange):
        return self._count(get_oa_symbol(bare_name(name), exchange), name, exchange)

    def _derivative(self, name, exchange):
        return self._count(get_oa_symbol(brsymbol=name, exchange=exchange), name, exchange)

    def _count(self, symbol, name, exchange):
        if symbol is not None:
            self.hits += 1
            return symbol
        self.misses += 1
        logger.warning("%s:%s is not mapped", exchange, name)
        if self.strict:
            raise UnmappedInstrument(f"{exchange}:{name}")
        return name


def wire_name(symbol, exchange):
    """What Jasper calls a symbol; '' if it has no name for it."""
    name = get_br_symbol(symbol, exchange)
    if not name:
        return ""
    return f"{name}-EQ" if exchange == "NSE" else name


def wire_instrument(symbol, exchange):
    """'F|832770' of a symbol."""
    token = get_token(symbol, exchange)
    if token is None:
        raise UnmappedInstrument(symbol)
    return letter_of(exchange) + "|" + token


def contract_terms(symbol, exchange):
    """(lot, tick, is an option) of a symbol, with sensible numbers for an unknown one."""
    info = get_symbol_info(symbol, exchange)
    lot = getattr(info, "lotsize", 1) or 1
    tick = getattr(info, "tick_size", 0.05) or 0.05
    kind = getattr(info, "instrumenttype", "")
    return int(lot), float(tick), kind in ("CE", "PE")
