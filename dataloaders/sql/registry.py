"""Gives the loaders of a scope their database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from dataloaders.scope import LoaderRegistry

from .table_loader import TableLoader

if TYPE_CHECKING:
    from dataloaders.loader import DataLoader
    from dataloaders.scope import LoaderScope

    from .sources import Bind

    L = TypeVar("L", bound=DataLoader[Any, Any])


class EngineRegistry(LoaderRegistry):
    """Makes scopes whose table loaders use one database.

    Args:
        bind: An Engine, an AsyncEngine, `Replicas` or `Shards`, kept for as long as the process
            lives; or a Session, for a registry that lives no longer than the session.
    """

    def __init__(self, bind: Bind) -> None:
        super().__init__()
        self.bind = bind
        self.announce()

    def make(self, loader_class: type[L], scope: LoaderScope) -> L:
        """Makes the instance of a loader class for a scope."""
        if issubclass(loader_class, TableLoader):
            return loader_class(self.bind)
        return super().make(loader_class, scope)


TableLoader.registry_class = EngineRegistry
