"""Loads rows of a table by key: one statement for a batch, plain records out."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, scoped_session
from sqlalchemy.pool import SingletonThreadPool

from dataloaders.batch import MISSING, Batch, Failure
from dataloaders.errors import ConfigurationError
from dataloaders.loader import NO_TYPES, DataLoader

from .database import execute_on, executor_on, explain, is_async_engine
from .definition import Definition, define
from .plan import Plan
from .sqlite import SQLitePlan

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from .plan import Execute, Keys, Row

R = TypeVar("R")

_SYNC_BINDS = (Engine, Session, scoped_session)

Bind: TypeAlias = "Engine | AsyncEngine | Session | scoped_session[Session]"

PLANS: dict[str, type[Plan]] = {"sqlite": SQLitePlan}
"""Dialect name to the plan that asks it; any other database is asked by `Plan` itself."""


class TableLoader(DataLoader[Any, R | None]):
    """Loads one row for each key, as a plain record with slots.

    Subclasses say what is loaded::

        class UserLoader(TableLoader[Any]):
            table, key = User.__table__, ("id",)

    A key is a tuple with one value for each column of `key`, or the value itself where there is
    one column. Values are cast to their columns' types; None stands for NULL. Among several rows
    of one key the one with the lowest primary key is the answer.

    Args:
        bind: The database: an Engine (each batch takes a connection for as long as it lasts), an
            AsyncEngine (for `load` only; its pool belongs to one event loop, so give it a NullPool
            where loops come and go, as in Flask's async views), or a Session (whose transaction
            the batch is part of, and in whose thread `load` runs it too).
        options: As for `DataLoader`.

    Raises:
        ConfigurationError: The bind or a class attribute is not what it has to be.
    """

    table: ClassVar[Any]
    """A Core table, or a mapped class."""

    key: ClassVar[tuple[str, ...]]
    """The names of the columns that a key stands for, the most selective first."""

    columns: ClassVar[tuple[str, ...] | None] = None
    """The names of the columns to load; all of them by default."""

    record: ClassVar[Callable[..., Any] | None] = None
    """Makes a record of the values of `columns`; by default a dataclass with slots."""

    unique: ClassVar[bool] = False
    """Whether a key has one row at most, so that any row that has it is its answer."""

    _defined: ClassVar[Definition | None] = None

    def __init_subclass__(cls, **options: Any) -> None:  # noqa: ANN401 - whatever other bases take
        super().__init_subclass__(**options)
        cls._defined = None

    def __init__(
        self,
        bind: Bind | None = None,
        **options: Any,  # noqa: ANN401 - DataLoader's options
    ) -> None:
        if not (isinstance(bind, _SYNC_BINDS) or is_async_engine(bind)):
            expected = (
                "an Engine, an AsyncEngine or a Session (which a scope gives to its loaders if an "
                "EngineRegistry or a SymbolMaster made it)"
            )
            raise ConfigurationError(f"{type(self).__name__}'s bind", expected, bind)
        self.bind = bind
        self._definition = self.definition()
        self._cast = self._definition.cast
        if is_async_engine(bind):
            super().__init__(self._load_async, **options)
        else:
            super().__init__(**options)
        self._own_cache_keys = NO_TYPES  # every key is cast

    @classmethod
    def definition(cls) -> Definition:
        """Returns the class's table, key, columns and record, resolved and checked.

        Raises:
            ConfigurationError: A class attribute is missing or wrong.
        """
        if cls._defined is None:
            cls._defined = define(
                cls.__name__,
                getattr(cls, "table", None),
                getattr(cls, "key", ()),
                cls.columns,
                cls.record,
            )
        return cls._defined

    def get(self, key: Any) -> R | None:  # noqa: ANN401 - a caller may pass anything
        """Returns the record of one key, or None, and blocks until it is there.

        Raises:
            InvalidKeyError: The key has the wrong number of parts, or one of the wrong type.
            sqlalchemy.exc.SQLAlchemyError: The database refused, or is not there.
            As `DataLoader.get`.
        """
        # Equal keys are cast alike, so a key that is known as it stands needs no casting.
        try:
            answer = self._values.get(key, MISSING)
        except TypeError:  # not hashable: the cast below says what it should have been
            answer = MISSING
        if answer is MISSING or type(answer) is Failure:
            return super().get(key)
        record: R | None = answer
        return record

    def batch_load(self, keys: list[Any]) -> list[Any]:
        """Fetches a batch in one statement where the database allows it.

        Args:
            keys: Keys as tuples of values of their columns' types.

        Returns:
            A record, or None, for each key.
        """
        try:
            with executor_on(self._sync_bind(), self._definition.table) as execute:
                return self.fetch(execute, keys)
        except SQLAlchemyError as error:
            explain(error, self.name, len(keys))
            raise

    async def _load_async(self, keys: list[Any]) -> list[Any]:
        assert is_async_engine(self.bind)  # noqa: S101 - __init__ looked
        try:
            async with self.bind.connect() as connection:
                return await connection.run_sync(
                    lambda inner: self.fetch(
                        lambda text, parameters: execute_on(inner, text, parameters), keys
                    )
                )
        except SQLAlchemyError as error:
            explain(error, self.name, len(keys))
            raise

    def fetch(self, execute: Execute, keys: Keys) -> list[Any]:
        """Asks for the keys through `execute` and makes their answers of the rows."""
        rows = self._plan().rows(execute, keys)
        record = self._definition.record
        start = 1 + len(self._definition.lead)
        values: list[Any] = [None] * len(keys)
        if self.unique or len(rows) == len({row[0] for row in rows}):
            for row in rows:
                values[row[0]] = record(*row[start:])
        else:
            for row in reversed(self._in_order(rows)):
                values[row[0]] = record(*row[start:])
        return values

    def _in_order(self, rows: list[Row]) -> list[Row]:
        end = 1 + len(self._definition.lead)
        try:
            return sorted(rows, key=lambda row: tuple(row[1:end]))
        except TypeError:  # a view's lead, which may be NULL
            return rows

    @property
    def stays_on_thread(self) -> bool:
        """Whether the batch function has to run on the thread that asks."""
        if isinstance(self.bind, Engine):
            # In this pool each thread has a connection, and so an in-memory database, of its own.
            return isinstance(self.bind.pool, SingletonThreadPool)
        return True

    def keys_of(self, batch: Batch) -> list[Any]:
        """Returns what the batch function is given: keys as the columns hold them."""
        if self.cache:
            return list(batch.keys)
        return [self._cast(key) for key in batch.keys.values()]

    def _cache_key(self, key: Any) -> Hashable:  # noqa: ANN401 - a caller may pass anything
        cast = self._cast(key)
        return cast if self.cache else object()

    def _cache_keys(self, keys: Iterable[Any] | object) -> tuple[list[Hashable], list[Any]]:
        if self.cache and (type(keys) is list or isinstance(keys, Iterable)):
            keys = list(keys)
            if self._definition.are_cast(keys):
                return keys, keys
        return super()._cache_keys(keys)

    def _sync_bind(self) -> Engine | Session:
        bind = self.bind
        if isinstance(bind, scoped_session):
            return bind()
        assert not is_async_engine(bind)  # noqa: S101 - __init__ gave it _load_async
        return bind

    def _plan(self) -> Plan:
        engine = self._engine()
        dialect = engine.dialect
        schemas = engine.get_execution_options().get("schema_translate_map")
        # Plans are kept on what they are for, and so for as long as it lives.
        plans: dict[Any, Plan] = vars(dialect).setdefault("_dataloaders_plans", {})
        kind = (type(self), tuple(schemas.items()) if schemas else None)
        if kind not in plans:
            plans[kind] = PLANS.get(dialect.name, Plan)(self._definition, dialect, schemas)
        return plans[kind]

    def _engine(self) -> Engine:
        if isinstance(self.bind, Engine):
            return self.bind
        if is_async_engine(self.bind):
            return self.bind.sync_engine
        return self.bind.get_bind(clause=self._definition.table).engine


class GroupedTableLoader(TableLoader[R]):
    """Loads all rows of each key, as a list of records in the order of their primary keys.

    A key without rows has an empty list. Otherwise as `TableLoader`::

        class OptionChainLoader(GroupedTableLoader[Any]):
            table, key = contracts, ("underlying", "expiry")
    """

    def fetch(self, execute: Execute, keys: Keys) -> list[Any]:
        """Asks for the keys through `execute` and makes their answers of the rows."""
        record = self._definition.record
        start = 1 + len(self._definition.lead)
        values: list[list[Any]] = [[] for _ in keys]
        rows = self._plan().rows(execute, keys)
        for row in self._in_order(rows):
            values[row[0]].append(record(*row[start:]))
        return values
