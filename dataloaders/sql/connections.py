"""How a batch's statements run: on a pooled connection's own cursor, or through SQLAlchemy's."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from sqlalchemy import Engine, Pool, PoolProxiedConnection

    from .limits import Limit

    Fetched = tuple[list[Sequence[Any]], Any]


class OnConnection:
    """Runs statements on a SQLAlchemy Connection, which is for others to open and close.

    Attributes:
        engine: The connection's.
    """

    __slots__ = ("_connection", "_limit", "engine")

    def __init__(self, connection: Connection, limit: Limit | None = None) -> None:
        self.engine = connection.engine
        self._connection = connection
        self._limit = limit

    def __enter__(self) -> Self:
        if self._limit is not None:
            self._limit.begin(self._connection.connection, self._connection.exec_driver_sql)
        return self

    def __exit__(self, *_error: object) -> None:
        if self._limit is not None and not self._connection.invalidated:
            self._limit.end(self._connection.connection)

    def __call__(self, text: str, parameters: Any, *, describe: bool) -> Fetched:  # noqa: ANN401 - the driver's parameters
        """Runs a statement; see `Connected`."""
        text = text if self._limit is None else self._limit.limited(text)
        result = self._connection.exec_driver_sql(text, parameters)
        assert result.cursor is not None  # noqa: S101 - every statement of a plan returns rows
        try:
            description = result.cursor.description if describe else None
            rows = list(result.cursor.fetchall())
        except self.engine.dialect.loaded_dbapi.Error as error:
            pooled = self._connection.connection
            lost = self.engine.dialect.is_disconnect(error, pooled, result.cursor)
            if lost:
                self._connection.invalidate(error)
            raise _wrapped(self.engine, error, text, parameters, lost=lost) from error
        finally:
            result.close()
        return rows, description

    def inquire(self, text: str, parameters: Any) -> list[Sequence[Any]]:  # noqa: ANN401 - the driver's parameters
        """Runs a statement about the database; see `Connected`."""
        text = text if self._limit is None else self._limit.limited(text)
        try:
            cursor = self._connection.connection.cursor()
            cursor.execute(text, parameters)
            rows = list(cursor.fetchall())
            cursor.close()
        except self.engine.dialect.loaded_dbapi.Error as error:
            raise _wrapped(self.engine, error, text, parameters, lost=False) from error
        return rows


class PooledCursor:
    """Runs statements on a pooled connection's own cursor.

    A SQLAlchemy Connection costs half as much as a batch of 50 keys does. The pool does the
    same as with it: checks out, pings, resets, recycles.

    Attributes:
        engine: As given.
    """

    __slots__ = ("_connection", "_limit", "_pool", "_without_transaction", "engine")

    def __init__(self, engine: Engine, pool: Pool, limit: Limit | None = None) -> None:
        self.engine = engine
        self._pool = pool
        self._limit = limit
        self._without_transaction = False
        self._connection: PoolProxiedConnection

    def __enter__(self) -> Self:
        self._connection = connection = check_out(self.engine, self._pool)
        try:
            if self._limit is not None:
                self._limit.begin(connection, partial(self._run, returns_rows=False))
            elif self.engine.dialect.name == "postgresql":
                self._leave_transactions_out(connection)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            if isinstance(error, self.engine.dialect.loaded_dbapi.Error):
                raise _wrapped(self.engine, error, None, None, lost=False) from error
            raise
        return self

    def _leave_transactions_out(self, connection: PoolProxiedConnection) -> None:
        """Spares the round trips that begin a transaction and roll it back.

        A batch only reads, and PostgreSQL by default shows each statement of a transaction what
        is committed by then. Drivers keep this for themselves, so setting it is no round trip.
        """
        dialect = self.engine.dialect
        driver: Any = connection.dbapi_connection
        if (
            dialect._on_connect_isolation_level is not None  # noqa: SLF001 - there is no public way to ask
            or getattr(driver, "autocommit", None) is not False
        ):
            return
        # Somebody who listens to the pool may have begun a transaction: asyncpg can tell, and the
        # others refuse.
        in_transaction = getattr(connection.driver_connection, "is_in_transaction", None)
        if in_transaction is None or not in_transaction():
            with suppress(dialect.loaded_dbapi.Error):
                driver.autocommit = self._without_transaction = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        connection = self._connection
        if kind is not None and (issubclass(kind, TimeoutError) or not issubclass(kind, Exception)):
            # Ended in the middle: a cancelled task, a green thread that was killed. The rest of
            # the answer may still come, and must not be the answer to somebody else.
            connection.invalidate(error)
        elif connection.dbapi_connection is not None:  # or it was lost
            try:
                if self._limit is not None:
                    self._limit.end(connection)
                if self._without_transaction:
                    driver: Any = connection.dbapi_connection
                    driver.autocommit = False
            except self.engine.dialect.loaded_dbapi.Error as refused:
                connection.invalidate(refused)
        # Back to the pool, which resets it, but for a transaction where none was begun: as a
        # Connection tells it of one that it has ended.
        returned: Any = connection
        returned._close_special(transaction_reset=self._without_transaction)  # noqa: SLF001 - see above

    def __call__(self, text: str, parameters: Any, *, describe: bool) -> Fetched:  # noqa: ANN401 - the driver's parameters
        """Runs a statement; see `Connected`."""
        text = text if self._limit is None else self._limit.limited(text)
        return self._run(text, parameters, describe=describe)

    def inquire(self, text: str, parameters: Any) -> list[Sequence[Any]]:  # noqa: ANN401 - the driver's parameters
        """Runs a statement about the database; see `Connected`."""
        return self(text, parameters, describe=False)[0]

    def _run(
        self,
        text: str,
        parameters: Any = None,  # noqa: ANN401 - the driver's parameters
        *,
        returns_rows: bool = True,
        describe: bool = False,
    ) -> Fetched:
        cursor = None
        try:
            cursor = self._connection.cursor()
            cursor.execute(text, parameters)
            description = cursor.description if describe else None
            rows = list(cursor.fetchall()) if returns_rows else []
        except self.engine.dialect.loaded_dbapi.Error as error:
            dialect, connection = self.engine.dialect, self._connection
            lost = dialect.is_disconnect(error, connection, cursor)
            if lost:
                # As a Connection does: the other ones in the pool are lost as well.
                self._pool._invalidate(connection, error)  # noqa: SLF001 - there is no public way
            raise _wrapped(self.engine, error, text, parameters, lost=lost) from error
        finally:
            if cursor is not None:
                # Or a traceback keeps it, and SQLite's lock for what it has not read.
                with suppress(self.engine.dialect.loaded_dbapi.Error):
                    cursor.close()
        return rows, description


def check_out(engine: Engine, pool: Pool) -> PoolProxiedConnection:
    """Returns a connection of a pool.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: The database cannot be reached, or the pool is used up.
    """
    try:
        return pool.connect()
    except engine.dialect.loaded_dbapi.Error as error:
        raise _wrapped(engine, error, None, None, lost=False) from error


@contextmanager
def connection_apart(engine: Engine) -> Iterator[Connection]:
    """Opens a connection that is like those of an engine's pool, and not of it."""
    pool = engine.pool.recreate()
    try:
        with Connection(engine, check_out(engine, pool)) as connection:
            yield connection
    finally:
        pool.dispose()


def _wrapped(
    engine: Engine,
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
        engine.dialect.loaded_dbapi.Error,
        hide_parameters=engine.hide_parameters,
        connection_invalidated=lost,
        dialect=engine.dialect,
    )
