"""The symbol lookups that the application's modules import.

An application with one way of looking symbols up has these names from `dataloaders.symbols`, or
from a module of its own. This one has both ways, so the functions here hand each call on to the
one that the running application is configured for, and count it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import current_app

from examples.trading.metering import meter

if TYPE_CHECKING:
    from .variants import Lookups, SymbolInfo

EXTENSION = "trading_lookups"
"""Where `current_app.extensions` has the application's way of looking symbols up."""


def get_token(symbol: str, exchange: str) -> str | None:
    """Returns the broker's token of a symbol."""
    return _counted().get_token(symbol, exchange)


def get_symbol(token: str | int, exchange: str) -> str | None:
    """Returns the symbol with a token."""
    return _counted().get_symbol(token, exchange)


def get_br_symbol(symbol: str, exchange: str) -> str | None:
    """Returns the broker's name of a symbol."""
    return _counted().get_br_symbol(symbol, exchange)


def get_oa_symbol(brsymbol: str, exchange: str) -> str | None:
    """Returns the application's name of a broker's symbol."""
    return _counted().get_oa_symbol(brsymbol, exchange)


def get_brexchange(symbol: str, exchange: str) -> str | None:
    """Returns the broker's name of a symbol's exchange."""
    return _counted().get_brexchange(symbol, exchange)


def get_symbol_info(symbol: str, exchange: str) -> SymbolInfo | None:
    """Returns all that is known of a symbol."""
    return _counted().get_symbol_info(symbol, exchange)


def _counted() -> Lookups:
    meter().count_lookup()
    return _lookups()


def _lookups() -> Lookups:
    lookups: Lookups = current_app.extensions[EXTENSION]
    return lookups
