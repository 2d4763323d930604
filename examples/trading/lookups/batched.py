"""One query for each batch: the library's functions, under the names that the loops know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataloaders.symbols import (
    BrokerSymbolLoader,
    SymbolLoader,
    TokenLoader,
    get_br_symbol,
    get_brexchange,
    get_oa_symbol,
    get_symbol,
    get_symbol_info,
    get_token,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .variants import Pair

__all__ = [
    "expect_broker_symbols",
    "expect_symbols",
    "expect_tokens",
    "get_br_symbol",
    "get_brexchange",
    "get_oa_symbol",
    "get_symbol",
    "get_symbol_info",
    "get_token",
]


def expect_symbols(pairs: Iterable[Pair]) -> None:
    """Fetches (symbol, exchange) pairs for the rest of the request."""
    SymbolLoader.current().get_many(pairs)


def expect_broker_symbols(pairs: Iterable[Pair]) -> None:
    """Fetches (brsymbol, exchange) pairs; their rows answer for the symbols they name as well."""
    BrokerSymbolLoader.current().get_many(pairs)


def expect_tokens(pairs: Iterable[Pair]) -> None:
    """Fetches (token, exchange) pairs; their rows answer for the symbols they name as well."""
    TokenLoader.current().get_many(pairs)
