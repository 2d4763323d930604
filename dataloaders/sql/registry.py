"""Gives the loaders of a scope their database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from dataloaders.scope import LoaderRegistry

from .table_loader import TableLoader
from .versions import keep_up_to_date

if TYPE_CHECKING:
    from dataloaders.loader import DataLoader
    from dataloaders.scope import LoaderScope
    from dataloaders.tiers.tiers import Tiers

    from .sources import Bind

    L = TypeVar("L", bound=DataLoader[Any, Any])


class EngineRegistry(LoaderRegistry):
    """Makes scopes whose table loaders use one database.

    Args:
        bind: An Engine, an AsyncEngine, `Replicas` or `Shards`, kept for as long as the process
            lives; or a Session, for a registry that lives no longer than the session.
        tiers: What its loaders that are `shared` keep between requests, if anything.

    Raises:
        ConfigurationError: There are tiers, and a bind of whose tables nobody can say when they
            change.
    """

    def __init__(self, bind: Bind, tiers: Tiers | None = None) -> None:
        super().__init__()
        self.bind = bind
        if tiers is not None:
            keep_up_to_date(tiers, bind)
            self.tiers = tiers
        self.announce()

    def make(self, loader_class: type[L], scope: LoaderScope) -> L:
        """Makes the instance of a loader class for a scope."""
        if issubclass(loader_class, TableLoader):
            return loader_class(self.bind)
        return super().make(loader_class, scope)


TableLoader.registry_class = EngineRegistry
