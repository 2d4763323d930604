"""A loader's time limit, as the database is told: a statement nobody waits for must not run on."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.util import await_only

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Dialect, PoolProxiedConnection

    Run = Callable[[str], object]


class _NotBegunError(SQLAlchemyError):
    """There is no time left for a batch's next statement."""


class Limit:
    """One batch's time limit.

    This one leaves the statements of a database alone that has no limit to set: none begins when
    the time is over, but one that has begun runs on.

    Args:
        dialect: The database's dialect.
        seconds: What a batch may take.
    """

    def __init__(self, dialect: Dialect, seconds: float) -> None:
        self.seconds = seconds
        self._dialect = dialect
        self._ends = time.monotonic() + seconds
        self._milliseconds = math.ceil(seconds * 1_000)

    def begin(self, connection: PoolProxiedConnection, run: Run) -> None:
        """Prepares a connection, before its first statement."""

    def limited(self, text: str) -> str:
        """Returns a statement with its limit.

        Raises:
            SQLAlchemyError: The time is over.
        """
        if time.monotonic() > self._ends:
            raise _NotBegunError
        return text

    def end(self, connection: PoolProxiedConnection) -> None:
        """Undoes `begin`, before the connection goes back to its pool."""

    def has_ended(self, error: Exception) -> bool:
        """Whether this limit is why a statement failed."""
        if isinstance(error, _NotBegunError):
            return True
        original = getattr(error, "orig", None)
        codes = (
            getattr(original, "sqlstate", None),
            getattr(original, "pgcode", None),  # psycopg2
            *getattr(original, "args", ()),
        )
        # Others may end a statement as well, but hardly at this time.
        return any(code in _ENDED for code in codes) and time.monotonic() >= self._ends


_ENDED = (
    "57014",  # PostgreSQL: query_canceled
    1969,  # MariaDB: ER_STATEMENT_TIMEOUT
    3024,  # MySQL: ER_QUERY_TIMEOUT
    "interrupted",  # SQLite: by its progress handler
    "database is locked",  # SQLite: for as long as it was to wait
)


class _PostgreSQLLimit(Limit):
    """Sets it for one transaction, which is rolled back, and the limit with it.

    https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-STATEMENT-TIMEOUT
    """

    _has_begun = False

    def begin(self, connection: PoolProxiedConnection, run: Run) -> None:
        if getattr(connection.dbapi_connection, "autocommit", False):
            run("BEGIN")
            self._has_begun = True
        run(f"SET LOCAL statement_timeout = {self._milliseconds}")

    def end(self, connection: PoolProxiedConnection) -> None:
        # A pool may do without, and asyncpg knows of no transaction that it has not begun.
        if self._has_begun:
            cursor = connection.cursor()
            cursor.execute("ROLLBACK")
            cursor.close()
        else:
            connection.rollback()


class _MySQLLimit(Limit):
    """Tells MariaDB and MySQL, each in its own way. Which it is, a first connection has found out.

    https://mariadb.com/docs/server/reference/sql-statements/administrative-sql-statements/set-commands/set-statement
    https://dev.mysql.com/doc/refman/8.4/en/optimizer-hints.html#optimizer-hints-execution-time
    """

    def limited(self, text: str) -> str:
        text = super().limited(text)
        if getattr(self._dialect, "is_mariadb", False):
            return f"SET STATEMENT max_statement_time={self._milliseconds / 1_000:.3f} FOR {text}"
        return text.replace("SELECT", f"SELECT /*+ MAX_EXECUTION_TIME({self._milliseconds}) */", 1)


class _SQLiteLimit(Limit):
    """Has SQLite ask every now and then whether to go on, and wait no longer for a lock.

    https://www.sqlite.org/c3ref/progress_handler.html, https://www.sqlite.org/c3ref/busy_timeout.html
    """

    _INSTRUCTIONS = 10_000  # of its virtual machine between two questions: less than a millisecond

    _waits = 0
    """Milliseconds that the connection waits for a lock otherwise."""

    def begin(self, connection: PoolProxiedConnection, run: Run) -> None:  # noqa: ARG002 - as all
        self._ask(connection, lambda: time.monotonic() > self._ends)
        self._waits = self._busy_timeout(connection, "")
        if self._waits > self._milliseconds:
            self._busy_timeout(connection, f"= {self._milliseconds}")

    def end(self, connection: PoolProxiedConnection) -> None:
        self._ask(connection, None)
        if self._waits > self._milliseconds:
            self._busy_timeout(connection, f"= {self._waits}")

    @staticmethod
    def _busy_timeout(connection: PoolProxiedConnection, setting: str) -> int:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout {setting}")
        ((milliseconds,),) = cursor.fetchall()
        cursor.close()
        return int(milliseconds)

    def _ask(self, connection: PoolProxiedConnection, whether: Callable[[], bool] | None) -> None:
        driver: Any = connection.driver_connection
        setting = driver.set_progress_handler(whether, self._INSTRUCTIONS)
        if self._dialect.is_async:
            await_only(setting)


def limit_for(dialect: Dialect, seconds: float) -> Limit:
    """Returns a database's way to limit its statements."""
    return _LIMITS.get(dialect.name, Limit)(dialect, seconds)


_LIMITS: dict[str, type[Limit]] = {
    "postgresql": _PostgreSQLLimit,
    "mysql": _MySQLLimit,
    "mariadb": _MySQLLimit,
    "sqlite": _SQLiteLimit,
}
