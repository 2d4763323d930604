"""Loading rows of database tables, through SQLAlchemy."""

from .registry import EngineRegistry
from .table_loader import GroupedTableLoader, TableLoader

__all__ = ["EngineRegistry", "GroupedTableLoader", "TableLoader"]
