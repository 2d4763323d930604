"""What a database's error says to those who wait for the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.exc import TimeoutError as PoolTimeoutError

if TYPE_CHECKING:
    from sqlalchemy.exc import SQLAlchemyError


def explain(error: SQLAlchemyError | OSError, loader: str, keys: int) -> None:
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
    elif any(sign in text for sign in _TOO_MANY):
        note += (
            " The server has as many connections as it allows: lower the pool_size of the"
            " application's processes, or raise the server's max_connections."
        )
    elif any(sign in text for sign in _NOT_READY):
        note += " The database is starting or stopping: ask again when it is ready."
    elif any(sign in text for sign in _UNREACHABLE):
        note += " The database cannot be reached: check that it runs, and the engine's URL."
    elif getattr(error, "connection_invalidated", False) or any(sign in text for sign in _LOST):
        note += " The connection was lost in the middle; the next batch takes a new one."
    error.add_note(note)


_NO_TABLE = (
    ("no such table",),
    ("relation", "does not exist"),
    ("table", "doesn't exist"),
)
_LOCKED = ("database is locked", "table is locked", "lock timeout", "lock wait timeout")
_TOO_MANY = (
    "too many clients",
    "too many connections",
    "connection slots are reserved",
    "max_user_connections",
)
_NOT_READY = (
    "database system is",  # starting up, shutting down, in recovery mode, not yet accepting
    "shutdown in progress",
)
_UNREACHABLE = (
    "unable to open database",
    "could not connect",
    "connection refused",
    "connect call failed",
    "can't connect",
    "connection failed",
    "connection is bad",  # what psycopg says of one that could not even be begun
)
_LOST = (
    "terminating connection",
    "server closed the connection",
    "connection is closed",
    "lost connection",
    "gone away",
    "connection was killed",
)
