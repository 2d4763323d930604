"""Whether anybody has written to a SQLite file: also those who tell nobody."""

from __future__ import annotations

import os
import threading
import uuid
from typing import TYPE_CHECKING
from weakref import WeakSet, finalize, ref

from sqlalchemy import event

from .sources import never_free

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine, PoolProxiedConnection

    Rows = dict[str, tuple[str, bool]]


def is_file(engine: Engine) -> bool:
    """Whether an engine's database is a SQLite file, and not one in memory."""
    if engine.dialect.name != "sqlite":
        return False
    database = engine.url.database or ""
    return database not in {"", ":memory:"} and "mode=memory" not in str(engine.url)


class DataVersion:
    """Asks SQLite, on a connection of its own, whether another connection has committed.

    `PRAGMA data_version` tells that, and nothing of what was written: a table may have been written
    to although its own version stands still, unless triggers move it. So without them each change
    of the file is a version, of this process alone: another cannot know how it came about.
    https://www.sqlite.org/pragma.html#pragma_data_version
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # Safe even if gevent or eventlet patches locks after this one was made: what is under it
        # does not switch to another green thread.
        self._lock = threading.Lock()
        self._connection: PoolProxiedConnection | None = None
        self._seen: int | None = None
        self._rows: Rows = {}
        self._added: dict[str, str] = {}
        self._process = os.getpid()
        itself = ref(self)

        @event.listens_for(engine, "engine_disposed")
        def close(_engine: Engine) -> None:
            that = itself()
            if that is not None:
                that.close_connection()

        _all.add(self)

    def read(self, names: frozenset[str], read_rows: Callable[[], Rows]) -> dict[str, str]:
        """Returns the version of each table.

        Args:
            names: The tables.
            read_rows: Reads their versions, and whether triggers keep them.
        """
        with self._lock:
            seen = self._ask()
            if seen != self._seen or not names <= self._rows.keys():
                rows = read_rows()
                while seen != (seen := self._ask()):  # reading may make rows that are missing
                    rows = read_rows()
                # What nobody keeps a version of may be another one than any other process knows.
                own = f"+{uuid.uuid4().hex}"
                self._added = {name: "" if kept else own for name, (_, kept) in rows.items()}
                self._rows, self._seen = rows, seen
            return {name: self._rows[name][0] + self._added[name] for name in self._rows}

    def close_connection(self) -> None:
        """Closes its connection where the engine is disposed of; the file may be another then."""
        if self._process != os.getpid():
            return  # it is a parent's; see `forget_connection`
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = self._seen = None

    def forget_connection(self) -> None:
        """Leaves the connection of a process that this one was forked from to that one."""
        self._lock = threading.Lock()
        self._process = os.getpid()
        if self._connection is not None:
            never_free(self._connection)
            self._connection = self._seen = None

    def _ask(self) -> int:
        if self._connection is None:
            connection = self._engine.raw_connection()
            connection.detach()
            self._connection = connection
            finalize(self, connection.close)
        cursor = self._connection.cursor()
        try:
            cursor.execute("PRAGMA data_version")
            return int(cursor.fetchall()[0][0])
        finally:
            cursor.close()


_all: WeakSet[DataVersion] = WeakSet()


def _forget_connections() -> None:
    for each in list(_all):
        each.forget_connection()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_connections)
