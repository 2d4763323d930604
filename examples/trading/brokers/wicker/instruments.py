"""Instruments, from Wicker's terms into the application's and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from examples.trading.lookups import get_br_symbol, get_brexchange, get_symbol, get_token

from .segments import SEGMENTS

if TYPE_CHECKING:
    from .payloads import Instrument


class Names(NamedTuple):
    """What an instrument is called."""

    symbol: str
    brsymbol: str
    brexchange: str


def symbol_of(token: int, exchange: str) -> str:
    """Returns the application's symbol, or the token if the master contract does not have it."""
    return get_symbol(str(token), exchange) or str(token)


def names_of(token: int, exchange: str) -> Names:
    """Returns all names; the token if the master contract does not have it."""
    symbol = get_symbol(str(token), exchange)
    if symbol is None:
        return Names(str(token), str(token), exchange)
    return Names(
        symbol,
        get_br_symbol(symbol, exchange) or symbol,
        get_brexchange(symbol, exchange) or exchange,
    )


def find_instrument(symbol: str, exchange: str) -> Instrument | None:
    """Returns Wicker's instrument, or None if the master contract does not have the symbol."""
    token = get_token(symbol, exchange)
    if token is None:
        return None
    return instrument_of(token, get_brexchange(symbol, exchange) or exchange)


def instrument_of(token: str, brexchange: str) -> Instrument:
    """Returns Wicker's instrument."""
    return {"id": int(token), "segment": SEGMENTS.get(brexchange, brexchange)}
