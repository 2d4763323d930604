"""Loading rows of database tables, through SQLAlchemy."""

from .registry import EngineRegistry
from .replicas import Replicas
from .shards import Shards
from .table_loader import GroupedTableLoader, TableLoader

__all__ = ["EngineRegistry", "GroupedTableLoader", "Replicas", "Shards", "TableLoader"]
