"""Batches data lookups without rewriting the code that makes them."""

from . import errors
from ._version import __version__
from .loader import DataLoader
from .scope import LoaderRegistry, LoaderScope, ScopeThreadPoolExecutor, current_scope

__all__ = [
    "DataLoader",
    "LoaderRegistry",
    "LoaderScope",
    "ScopeThreadPoolExecutor",
    "__version__",
    "current_scope",
    "errors",
]
