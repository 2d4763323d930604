"""A channel over PostgreSQL: LISTEN and NOTIFY, and locks that say who is held."""

from __future__ import annotations

import logging
import selectors
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

AGAIN_SECONDS: Final = 0.25
"""Seconds after which those who still have it are told again: they may have taken it anew because
another writer had ended, or have begun to listen only now."""

ALIVE_SECONDS: Final = 2.0
"""Seconds without a message after which the server is asked whether it is still there; one that
does not say so within as many more is taken for dead."""

HELD_SECONDS: Final = 3.0
"""Seconds after which a process that is held, and is not told more, takes the lock again. It goes
on looking at each request for longer: a writer that has not to wait for it finds it held."""


class PostgreSQLChannel:
    """Tells all processes that listen; see `Channel`.

    A process that listens has a connection of its own, which is not of the pool. If the server is
    no longer reached, it notices within five seconds, and so does the server of a lost process.

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
        now = tell_at = time.monotonic()
        until = now + self._hold_seconds
        try:
            with connection_apart(self._engine) as connection:
                connection = connection.execution_options(isolation_level="AUTOCOMMIT")  # noqa: PLW2901 - the same one
                while (now := time.monotonic()) < until:
                    if now >= tell_at:
                        connection.exec_driver_sql(f"NOTIFY {CHANNEL}, 'hold'")
                        tell_at = now + AGAIN_SECONDS
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
    """A connection that listens, and that holds the lock unless its process is held.

    It is driven by libpq's own functions, since psycopg's wait for an answer without end, and keep
    eventlet's other green threads waiting with them.
    """

    def __init__(
        self, engine: Engine, on_hold: Callable[[], None], on_moved: Callable[[], None]
    ) -> None:
        self._on_hold = on_hold
        self._on_moved = on_moved
        pooled = engine.pool.recreate().connect()
        pooled.detach()
        self._connection = cast("Any", pooled.dbapi_connection)
        self._libpq = self._connection.pgconn
        self._heard_at = time.monotonic()
        self._held_at = 0.0
        self._has_lock = False
        try:
            self._connection.rollback()
            self._run(_KEEP_ALIVE)
            self._run(f"LISTEN {CHANNEL}")
            self._take_lock()
        except BaseException:
            self.close()
            raise

    def wait(self) -> None:
        """Waits for messages; see `listener.Line`."""
        if not self._act_on_messages():
            self._receive(ALIVE_SECONDS / 4)
            self._act_on_messages()
        now = time.monotonic()
        if now - self._held_at > HELD_SECONDS:
            self._take_lock()
        if now - self._heard_at > ALIVE_SECONDS:
            self._run("SELECT 1")

    def _act_on_messages(self) -> bool:
        """Acts on the messages that are there; returns whether there were any."""
        message = None
        while (following := self._libpq.notifies()) is not None:
            message = following
            if message.extra == b"hold":
                self._on_hold()
                self._release_lock()
            else:
                self._on_moved()
                self._take_lock()
        return message is not None

    def _take_lock(self) -> None:
        if not self._has_lock:
            self._run("SELECT pg_advisory_lock_shared({}, {})".format(*LOCK))
            self._has_lock = True

    def _release_lock(self) -> None:
        self._held_at = time.monotonic()
        if self._has_lock:
            self._run("SELECT pg_advisory_unlock_shared({}, {})".format(*LOCK))
            self._has_lock = False

    def _run(self, statement: str) -> None:
        """Runs a statement; raises if the server refuses, or does not answer in time."""
        until = time.monotonic() + ALIVE_SECONDS
        self._libpq.send_query(statement.encode())
        while True:
            while self._libpq.is_busy():
                if not self._receive(until - time.monotonic()):
                    raise OSError(f"PostgreSQL has not answered for {ALIVE_SECONDS} seconds")
            result = self._libpq.get_result()
            if result is None:
                return
            if result.error_message:
                raise OSError(result.error_message.decode(errors="replace"))

    def _receive(self, seconds: float) -> bool:
        """Waits for something from the server; returns whether there was anything."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._libpq.socket, selectors.EVENT_READ)
            if not selector.select(max(seconds, 0)):
                return False
        self._libpq.consume_input()
        self._heard_at = time.monotonic()
        return True

    def close(self) -> None:
        """Hangs up."""
        with suppress(Exception):
            self._connection.close()  # not by SQLAlchemy, which would ask the server first


# The lock of a process whose machine is gone is to be gone soon as well.
_KEEP_ALIVE = (
    "SET tcp_keepalives_idle = 2; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 3"
)
