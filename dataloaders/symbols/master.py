"""SymbolMaster: what a process keeps of the master contract, and the lookups on it."""

from __future__ import annotations

from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from dataloaders.sql import EngineRegistry
from dataloaders.sql.definition import from_clause

from .loaders import BrokerSymbolLoader, SymbolLoader, TokenLoader
from .lookups import SymbolLookups
from .record import Symbol
from .table import symtoken

if TYPE_CHECKING:
    from dataloaders.loader import DataLoader
    from dataloaders.scope import LoaderScope
    from dataloaders.sql.sources import Bind
    from dataloaders.tiers.tiers import Tiers

    L = TypeVar("L", bound=DataLoader[Any, Any])


class SymbolMaster(EngineRegistry, SymbolLookups):
    """The master contract in a database, made once for a process.

    Lookups made inside a scope (`with master.scope():`, or a request of the Flask extension)
    share its cache. Outside any, values live for a second.

    Args:
        bind: The database; see `TableLoader`.
        table: The contract's table, or the application's own model of it; its columns are those
            of `dataloaders.symbols.symtoken`, of which it may lack the optional ones.
        tiers: What it keeps of the contract between requests, if anything.

    Attributes:
        table: The contract's table.
    """

    def __init__(self, bind: Bind, table: Any = None, tiers: Tiers | None = None) -> None:  # noqa: ANN401 - a Core table or a mapped class
        EngineRegistry.__init__(self, bind, tiers)
        SymbolLookups.__init__(self, self.loader)
        self.table = from_clause("SymbolMaster", symtoken if table is None else table)
        self._classes: dict[type[Any], type[Any]] = {}
        if table is not None:
            self._classes = {
                loader: _for_table(loader, table)
                for loader in (SymbolLoader, BrokerSymbolLoader, TokenLoader)
            }

    def __repr__(self) -> str:
        return f"<SymbolMaster on {getattr(self.bind, 'url', self.bind)}>"

    def make(self, loader_class: type[L], scope: LoaderScope) -> L:
        """Makes the instance of a loader class for a scope."""
        actual: type[Any] = self._classes.get(loader_class, loader_class)
        loader: Any
        if issubclass(actual, BrokerSymbolLoader | TokenLoader):
            loader = actual(self.bind, symbols=scope.loader(SymbolLoader))
        else:
            loader = super().make(actual, scope)
        return cast("L", loader)

    @property
    def symbols(self) -> SymbolLoader:
        """The current loader by (symbol, exchange)."""
        return self.loader(SymbolLoader)

    @property
    def broker_symbols(self) -> BrokerSymbolLoader:
        """The current loader by (brsymbol, exchange)."""
        return self.loader(BrokerSymbolLoader)

    @property
    def tokens(self) -> TokenLoader:
        """The current loader by (token, exchange)."""
        return self.loader(TokenLoader)


def _for_table(loader: type[Any], table: object) -> type[Any]:
    """Returns a loader class for another table, which may lack a record's optional columns."""
    present = {str(column.key) for column in from_clause(loader.__name__, table).columns}
    columns = tuple(
        field.name
        for field in fields(Symbol)
        if field.name in present or field.name in ("id", "symbol", "brsymbol", "exchange")
    )
    record: Any = Symbol if columns == loader.columns else partial(_record, columns)
    return type(loader.__name__, (loader,), {"table": table, "columns": columns, "record": record})


def _record(columns: tuple[str, ...], *values: Any) -> Symbol:  # noqa: ANN401 - as the columns hold them
    return Symbol(**dict(zip(columns, values, strict=True)))
