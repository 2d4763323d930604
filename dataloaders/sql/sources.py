"""What a table loader is bound to: an engine's pool, a session's transaction."""

from __future__ import annotations

import logging
import os
import sys
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from weakref import WeakSet

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session, scoped_session
from sqlalchemy.pool import SingletonThreadPool, StaticPool

from dataloaders.errors import BatchTimeoutError

from .connections import OnConnection, PooledCursor, check_out
from .limits import limit_for
from .notes import explain
from .stated import stating
from .writes import has_other_listeners

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Pool, PoolProxiedConnection
    from sqlalchemy.ext.asyncio import AsyncEngine
    from typing_extensions import TypeIs  # typing's own from 3.13 on

    from .limits import Limit
    from .plan import Connected, Keys
    from .table_loader import TableLoader

B = TypeVar("B")
Bind: TypeAlias = "Engine | AsyncEngine | Session | scoped_session[Session] | Source"


class Source(ABC):
    """Where a table loader's batches are answered."""

    is_async = False
    """Whether `load` returns an awaitable."""

    stays_on_thread = False
    """Whether `load` has to be called on the thread that asks."""

    is_transaction = False
    """Whether batches are part of a transaction that an error would end."""

    is_whole = True
    """Whether all of the table is in one place, so that part of a key finds its rows."""

    @property
    def up_to_date(self) -> Source:
        """Where all that is committed is seen at once."""
        return self

    @abstractmethod
    def load(self, loader: TableLoader[Any], keys: Keys) -> Any:  # noqa: ANN401 - or an awaitable of it
        """Has a loader fetch keys on a connection; returns an answer for each.

        Raises:
            BatchTimeoutError: A statement took longer than the loader's time limit.
            sqlalchemy.exc.SQLAlchemyError: The database refused, or is not there.
        """


class EngineSource(Source):
    """Answers each batch on a connection of its own, which goes back to the pool afterwards.

    Args:
        engine: The engine.
        pool: In place of the engine's own pool.
    """

    def __init__(self, engine: Engine, pool: Pool | None = None) -> None:
        self.engine = engine
        self._own_pool = pool
        _used.add(self)

    @property
    def stays_on_thread(self) -> bool:  # type: ignore[override]  # it is a matter of the pool
        """Whether the engine has a connection, and so an in-memory database, for each thread."""
        return isinstance(self.engine.pool, SingletonThreadPool)

    def load(self, loader: TableLoader[Any], keys: Keys) -> list[Any]:
        """Answers a batch; see `Source.load`."""
        seconds = loader.timeout
        limit = None if seconds is None else limit_for(self.engine.dialect, seconds)
        try:
            with self._connected(limit) as connected:
                return loader.fetch(stating(connected), keys)
        except (SQLAlchemyError, OSError) as error:  # asyncpg's are passed on as they are
            if limit is not None and limit.has_ended(error):
                raise BatchTimeoutError(loader.name, len(keys), limit.seconds) from error
            explain(error, loader.name, len(keys))
            raise

    def _connected(self, limit: Limit | None) -> AbstractContextManager[Connected]:
        engine = self.engine
        pool = self._own_pool or engine.pool
        # Statements have to pass through a Connection for listeners, for the log, and for options.
        if (
            (engine._has_events and has_other_listeners(engine))  # noqa: SLF001 - there is no public way to ask
            or engine.dialect._has_events  # noqa: SLF001 - as above
            or engine.logger.isEnabledFor(logging.INFO)
            or engine.get_execution_options()
        ):
            return _on_connection(engine, pool, limit)
        return PooledCursor(engine, pool, limit)

    def close_connections(self) -> None:
        """Closes the connections of its own pool that are not in use."""
        if self._own_pool is not None:
            pool, self._own_pool = self._own_pool, self._own_pool.recreate()
            pool.dispose()

    def forget_connections(self) -> None:
        """Leaves the connections of a process that this one was forked from to that one.

        Not a database that lives in its connection: this process has a copy of it.
        """
        if isinstance(self.engine.pool, SingletonThreadPool | StaticPool):
            return
        never_free(self.engine.pool)
        self.engine.dispose(close=False)
        if self._own_pool is not None:
            never_free(self._own_pool)
            self._own_pool = self._own_pool.recreate()


@contextmanager
def _on_connection(engine: Engine, pool: Pool, limit: Limit | None) -> Iterator[Connected]:
    has_answers = False
    try:
        own = pool is not engine.pool
        opened = Connection(engine, check_out(engine, pool)) if own else engine.connect()
        with opened as connection, OnConnection(connection, limit) as connected:
            yield connected
            has_answers = True
    except DBAPIError as error:
        # One that is lost after that, when its transaction is to be rolled back, is no matter.
        if not (has_answers and error.connection_invalidated):
            raise


class SessionSource(Source):
    """Answers batches within a session's transaction, after a flush of what is pending.

    A loader's time limit is none for its statements: they are the transaction's.
    """

    stays_on_thread = True
    is_transaction = True

    def __init__(self, session: Session | scoped_session[Session]) -> None:
        self._session = session

    def load(self, loader: TableLoader[Any], keys: Keys) -> list[Any]:
        """Answers a batch; see `Source.load`."""
        session = self._session() if isinstance(self._session, scoped_session) else self._session
        try:
            if session.autoflush:
                session.flush()
            table = loader.definition().table
            with OnConnection(session.connection(bind_arguments={"clause": table})) as connected:
                return loader.fetch(stating(connected), keys)
        except SQLAlchemyError as error:
            explain(error, loader.name, len(keys))
            raise


def source_of(bind: object) -> Source | None:
    """Returns the source for what a loader is bound to, or None if that is no database."""
    if isinstance(bind, Source):
        return bind
    if isinstance(bind, Engine):
        return _kept_on(bind, "_dataloaders_source", EngineSource, bind)
    if isinstance(bind, Session | scoped_session):
        return SessionSource(bind)
    if is_async_engine(bind):
        from .async_source import AsyncSource  # noqa: PLC0415 - needs greenlet, which may be missing

        return _kept_on(bind.sync_engine, "_dataloaders_async_source", AsyncSource, bind)
    return None


def _kept_on(engine: Engine, name: str, kind: Callable[[B], Source], bind: B) -> Source:
    """Returns the source that is kept on what it is for, and so for as long as that lives."""
    source: Source | None = vars(engine).get(name)
    return source or vars(engine).setdefault(name, kind(bind))


def is_async_engine(bind: object) -> TypeIs[AsyncEngine]:
    """Whether a bind is an AsyncEngine.

    Asked without importing SQLAlchemy's asyncio side, which fails where greenlet is missing: if
    nobody has imported it, nobody has an AsyncEngine.
    """
    asyncio_side = sys.modules.get("sqlalchemy.ext.asyncio")
    return asyncio_side is not None and isinstance(bind, asyncio_side.AsyncEngine)


_used: WeakSet[EngineSource] = WeakSet()


def never_free(connections: Pool | PoolProxiedConnection) -> None:
    """Has connections outlive the process, at its end as well.

    To free a connection is to say goodbye to the server, with some drivers (mysqlclient), and that
    would end the parent's.
    """
    import ctypes  # noqa: PLC0415 - only forked processes need it

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connections))


def _forget_connections() -> None:
    # Two processes that talk over one connection get each other's answers.
    # https://docs.sqlalchemy.org/en/20/core/pooling.html#pooling-multiprocessing
    for source in list(_used):
        source.forget_connections()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_connections)
