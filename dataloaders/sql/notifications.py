"""A channel over PostgreSQL: LISTEN and NOTIFY, and locks that say who is held."""

from __future__ import annotations

import logging
import select
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy.exc import SQLAlchemyError

from dataloaders.errors import ConfigurationError
from dataloaders.tiers.listener import Listener

from .connections import connection_apart

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

logger = logging.getLogger(__name__)

CHANNEL: Final = "dataloaders"

LOCK: Final = (1_684_107_116, 1)  # the letters "datl": no application has the same by chance
"""The advisory lock that a listening process shares while it is not held."""

HOLDERS: Final = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted "
    "AND classid = %s AND objid = %s AND objsubid = 2 "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)

POLL_SECONDS: Final = 0.003
"""Seconds between two looks at who still has it."""

ALIVE_SECONDS: Final = 2.0
"""Seconds without a message after which the server is asked whether it is still there."""

HELD_SECONDS: Final = 5.0
"""Seconds after which a process that is held, and is not told more, goes on as before."""


class PostgreSQLChannel:
    """Tells all processes that listen; see `Channel`.

    A process that listens has a connection of its own, which is not of the pool.

    Args:
        engine: The database, with psycopg (3) as its driver.
        hold_seconds: How long a writer waits for all processes to be held, at most.

    Raises:
        ConfigurationError: It is another database or driver.
    """

    def __init__(self, engine: Engine, *, hold_seconds: float = 1.0) -> None:
        if (engine.dialect.name, engine.dialect.driver) != ("postgresql", "psycopg"):
            expected = "of PostgreSQL, with the driver psycopg (postgresql+psycopg://)"
            raise ConfigurationError("PostgreSQLChannel's engine", expected, engine)
        self._engine = engine
        self._hold_seconds = hold_seconds
        self._listener: Listener | None = None

    def listen(self, on_hold: Callable[[], None], on_moved: Callable[[], None]) -> None:
        """Listens from now on; see `Channel`."""
        if self._listener is None:
            self._listener = Listener(lambda: _Line(self._engine, on_hold, on_moved), on_hold)
        if not self._listener.is_running:
            self._listener.start()

    @property
    def is_listening(self) -> bool:
        """Whether this process is connected."""
        return self._listener is not None and self._listener.is_connected

    def hold(self) -> bool:
        """Holds all processes; see `Channel`."""
        until = time.monotonic() + self._hold_seconds
        try:
            with connection_apart(self._engine) as connection:
                connection = connection.execution_options(isolation_level="AUTOCOMMIT")  # noqa: PLW2901 - the same one
                connection.exec_driver_sql(f"NOTIFY {CHANNEL}, 'hold'")
                while time.monotonic() < until:
                    if not connection.exec_driver_sql(HOLDERS, LOCK).scalar():
                        return True
                    time.sleep(POLL_SECONDS)
        except SQLAlchemyError as error:
            logger.warning("No process could be told of a change to come: %s", error)
            return False
        logger.warning("Not all processes have confirmed that they are held.")
        return False

    def moved(self) -> None:
        """Tells all processes that something has changed."""
        try:
            with connection_apart(self._engine) as connection:
                connection = connection.execution_options(isolation_level="AUTOCOMMIT")  # noqa: PLW2901 - the same one
                connection.exec_driver_sql(f"NOTIFY {CHANNEL}, 'moved'")
        except SQLAlchemyError as error:
            logger.warning("No process could be told of a change: %s", error)

    def close(self) -> None:
        """Ends listening in this process."""
        if self._listener is not None:
            self._listener.stop()


class _Line:
    """A connection that listens, and that holds the lock unless its process is held."""

    def __init__(
        self, engine: Engine, on_hold: Callable[[], None], on_moved: Callable[[], None]
    ) -> None:
        self._on_hold = on_hold
        self._on_moved = on_moved
        pool = engine.pool.recreate()
        pooled = pool.connect()
        pooled.detach()
        self._connection = cast("Any", pooled.dbapi_connection)
        self._pooled = pooled
        self._heard_at = time.monotonic()
        self._held_at = 0.0
        self._has_lock = False
        try:
            self._connection.rollback()
            self._connection.autocommit = True
            self._connection.execute(f"LISTEN {CHANNEL}")
            self._take_lock()
        except BaseException:
            self.close()
            raise

    def wait(self) -> None:
        """Waits for messages; see `listener.Line`."""
        if not self._act_on_messages():
            # Not in psycopg's own code, which would keep eventlet's other green threads waiting.
            select.select([self._connection.fileno()], [], [], ALIVE_SECONDS / 4)
            self._act_on_messages()
        now = time.monotonic()
        if not self._has_lock and now - self._held_at > HELD_SECONDS:
            self._on_moved()
            self._take_lock()
        if now - self._heard_at > ALIVE_SECONDS:
            self._connection.execute("SELECT 1")
            self._heard_at = time.monotonic()

    def _act_on_messages(self) -> bool:
        """Acts on the messages that are there; returns whether there were any."""
        # All at once: as long as psycopg yields them, it lets nothing else be done.
        messages = list(self._connection.notifies(timeout=0))
        for message in messages:
            self._heard_at = time.monotonic()
            if message.payload == "hold":
                self._on_hold()
                self._release_lock()
            else:
                self._on_moved()
                self._take_lock()
        return bool(messages)

    def _take_lock(self) -> None:
        if not self._has_lock:
            self._connection.execute("SELECT pg_advisory_lock_shared(%s, %s)", LOCK)
            self._has_lock = True

    def _release_lock(self) -> None:
        if self._has_lock:
            self._connection.execute("SELECT pg_advisory_unlock_shared(%s, %s)", LOCK)
            self._has_lock = False
        self._held_at = time.monotonic()

    def close(self) -> None:
        """Hangs up."""
        with suppress(Exception):
            self._pooled.close()
