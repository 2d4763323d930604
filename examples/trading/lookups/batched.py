"""The library's functions, under the names that the loops know: one query for each loop."""

from dataloaders.symbols import (
    get_br_symbol,
    get_brexchange,
    get_oa_symbol,
    get_symbol,
    get_symbol_info,
    get_token,
)

__all__ = [
    "get_br_symbol",
    "get_brexchange",
    "get_oa_symbol",
    "get_symbol",
    "get_symbol_info",
    "get_token",
]
