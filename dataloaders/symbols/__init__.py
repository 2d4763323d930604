"""The master contract: its table, its import, and looking symbols up in it."""

from .contract import ImportReport, import_contract, replace_contract
from .generate import generate_contract
from .kite import RejectedRow
from .loaders import BrokerSymbolLoader, SymbolLoader, TokenLoader
from .lookups import (
    get_br_symbol,
    get_br_symbols_batch,
    get_brexchange,
    get_oa_symbol,
    get_symbol,
    get_symbol_info,
    get_symbols_batch,
    get_token,
    get_tokens_batch,
)
from .master import SymbolMaster
from .record import Symbol
from .table import symtoken

__all__ = [
    "BrokerSymbolLoader",
    "ImportReport",
    "RejectedRow",
    "Symbol",
    "SymbolLoader",
    "SymbolMaster",
    "TokenLoader",
    "generate_contract",
    "get_br_symbol",
    "get_br_symbols_batch",
    "get_brexchange",
    "get_oa_symbol",
    "get_symbol",
    "get_symbol_info",
    "get_symbols_batch",
    "get_token",
    "get_tokens_batch",
    "import_contract",
    "replace_contract",
    "symtoken",
]
