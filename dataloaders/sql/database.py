"""Where statements run: an engine's pool, or a session's transaction."""

from __future__ import annotations

import logging
import sys
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, FromClause
    from sqlalchemy.ext.asyncio import AsyncEngine
    from sqlalchemy.orm import Session
    from typing_extensions import TypeIs  # typing's own from 3.13 on

    from .plan import Execute

    Fetched = tuple[list[Sequence[Any]], Sequence[Any]]


def executor_on(bind: Engine | Session, table: FromClause) -> AbstractContextManager[Execute]:
    """Opens what runs the statements of one batch, on one connection.

    With an engine it is a connection of its own, which goes back to the pool afterwards. With a
    session it is the session's, within its transaction and after a flush of what is pending.
    """
    if not isinstance(bind, Engine):
        if bind.autoflush:
            bind.flush()
        connection = bind.connection(bind_arguments={"clause": table})
        return nullcontext(partial(execute_on, connection))
    if _somebody_listens(bind):
        return _connected(bind)
    return _PooledCursor(bind)


def is_async_engine(bind: object) -> TypeIs[AsyncEngine]:
    """Whether a bind is an AsyncEngine.

    Asked without importing SQLAlchemy's asyncio side, which fails where greenlet is missing: if
    nobody has imported it, nobody has an AsyncEngine.
    """
    asyncio_side = sys.modules.get("sqlalchemy.ext.asyncio")
    return asyncio_side is not None and isinstance(bind, asyncio_side.AsyncEngine)


@contextmanager
def _connected(engine: Engine) -> Iterator[Execute]:
    with engine.connect() as connection:
        yield partial(execute_on, connection)


def execute_on(connection: Connection, text: str, parameters: Any) -> Fetched:  # noqa: ANN401 - the driver's parameters
    """Runs a compiled statement; returns the driver's rows and their description."""
    result = connection.exec_driver_sql(text, parameters)
    assert result.cursor is not None  # noqa: S101 - every statement of a plan returns rows
    fetched = list(result.cursor.fetchall()), result.cursor.description
    result.close()
    return fetched


def _somebody_listens(engine: Engine) -> bool:
    """Whether statements have to pass through a Connection: for listeners, the log, or options."""
    return bool(
        engine._has_events  # noqa: SLF001 - there is no public way to ask
        or engine.dialect._has_events  # noqa: SLF001 - as above
        or engine.logger.isEnabledFor(logging.INFO)
        or engine.get_execution_options()
    )


class _PooledCursor:
    """Runs statements on a pooled connection's own cursor.

    A SQLAlchemy Connection costs half as much as a batch of 50 keys does. The pool does the
    same as with it: checks out, pings, resets, recycles.
    """

    __slots__ = ("_connection", "_engine")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __enter__(self) -> Execute:
        try:
            self._connection = self._engine.raw_connection()
        except self._engine.dialect.loaded_dbapi.Error as error:
            raise self._wrapped(error, None, None, lost=False) from error
        return self._execute

    def __exit__(self, *_error: object) -> None:
        self._connection.close()  # back to the pool, which resets it

    def _execute(self, text: str, parameters: Any) -> Fetched:  # noqa: ANN401 - the driver's parameters
        dialect = self._engine.dialect
        cursor = None
        try:
            cursor = self._connection.cursor()
            cursor.execute(text, parameters)
            fetched = list(cursor.fetchall()), cursor.description
            cursor.close()
        except dialect.loaded_dbapi.Error as error:
            lost = dialect.is_disconnect(error, self._connection, cursor)
            if lost:
                self._connection.invalidate(error)
                self._engine.dispose()  # the pooled ones are lost as well
            raise self._wrapped(error, text, parameters, lost=lost) from error
        return fetched

    def _wrapped(
        self,
        error: Exception,
        text: str | None,
        parameters: Any,  # noqa: ANN401 - the driver's parameters
        *,
        lost: bool,
    ) -> BaseException:
        """Returns a driver's error as the one that a Connection would raise."""
        return DBAPIError.instance(
            text,
            parameters,
            error,
            self._engine.dialect.loaded_dbapi.Error,
            hide_parameters=self._engine.hide_parameters,
            connection_invalidated=lost,
            dialect=self._engine.dialect,
        )


def explain(error: SQLAlchemyError, loader: str, keys: int) -> None:
    """Adds to a database's error what was being loaded, and what helps.

    The error keeps its type, so code that handles SQLAlchemy's errors goes on working.
    """
    text = str(getattr(error, "orig", error)).lower()
    note = f"{loader} was loading {keys} keys in one batch; none of them was cached."
    if isinstance(error, PoolTimeoutError):
        note += " All pooled connections are in use: raise pool_size, or give connections back."
    elif any(all(part in text for part in sign) for sign in _NO_TABLE):
        note += (
            " The table is not in this database: create it (an import of the master contract"
            " does), or check the engine's URL. An in-memory SQLite database is empty for every"
            " new connection unless its engine has poolclass=StaticPool."
        )
    elif any(sign in text for sign in _LOCKED):
        note += " Another connection holds a lock for longer than this one waits for it."
    elif any(sign in text for sign in _UNREACHABLE):
        note += " The database cannot be reached: check that it runs, and the engine's URL."
    error.add_note(note)


_NO_TABLE = (
    ("no such table",),
    ("relation", "does not exist"),
    ("table", "doesn't exist"),
)
_LOCKED = ("database is locked", "table is locked", "lock timeout", "lock wait timeout")
_UNREACHABLE = (
    "unable to open database",
    "could not connect",
    "connection refused",
    "can't connect",
    "connection failed",
    "server closed the connection",
    "gone away",
)
