"""A table of users in several databases, each of which shows in what it answers."""

from __future__ import annotations

import asyncio
import select
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import (
    Column,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    insert,
    text,
)
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool, QueuePool

from dataloaders.sql import TableLoader
from tests.threads import SECONDS, spawn

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Iterator

    from sqlalchemy.ext.asyncio import AsyncEngine

    from dataloaders import DataLoader

ASYNC_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}

users = Table(
    "users", MetaData(), Column("id", Integer, primary_key=True), Column("name", String(40))
)


class UserLoader(TableLoader[Any]):
    table, key = users, ("id",)


def users_on(bind: Any, **options: Any) -> DataLoader[Any, Any]:  # noqa: ANN401 - of many types
    return UserLoader(bind, **options)


def fill(engine: Engine, ids: Iterable[int] = range(1, 21), name: str = "user") -> None:
    """Makes the table, with users who are named after the database and their ids."""
    users.create(engine)
    with engine.begin() as connection:
        connection.execute(insert(users), [{"id": n, "name": f"{name} {n}"} for n in ids])


def names(records: Iterable[Any]) -> list[str | None]:
    return [None if record is None else record.name for record in records]


def names_by_query(engine: Engine, keys: Iterable[int]) -> list[str | None]:
    """What one query for each key finds."""
    query = text("SELECT name FROM users WHERE id = :id")
    with engine.connect() as connection:
        return [connection.scalar(query, {"id": key}) for key in keys]


def notes_of(error: BaseException) -> str:
    return "\n".join(getattr(error, "__notes__", []))


def pool_of(engine: Engine) -> QueuePool:
    assert isinstance(engine.pool, QueuePool)
    return engine.pool


def statements_of(engine: Engine) -> list[str]:
    """The texts of all statements that an engine runs from now on."""
    sent: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *call: sent.append(call[2]))
    return sent


def async_engine_of(engine: Engine, name: str = "test", **options: Any) -> AsyncEngine:  # noqa: ANN401 - of many types
    """Returns an async engine for the database of a sync one; a server knows it by its name."""
    url = engine.url.set(drivername=ASYNC_DRIVERS[engine.dialect.name])
    if (path := url.query.get("options")) is not None:  # asyncpg has another name for it
        schema = str(path).removeprefix("-csearch_path=")
        url = url.difference_update_query(["options"])
        settings = {"search_path": schema, "application_name": name}
        options["connect_args"] = {"server_settings": settings, **options.get("connect_args", {})}
    return create_async_engine(url, **options)


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - whatever it returns
    """Runs a coroutine on a loop of its own."""
    return asyncio.run(asyncio.wait_for(coroutine, SECONDS))


def many(loader: DataLoader[Any, Any], keys: list[Any]) -> list[Any]:
    """Asks in the way that the loader's engine has."""

    async def load() -> list[Any]:
        return await loader.load_many(keys)

    answers: list[Any] = run(load()) if loader.is_async else loader.get_many(keys)
    return answers


def ask_somehow(way: str, loader: DataLoader[Any, Any], keys: list[Any]) -> list[Any]:
    """Asks in one of the four ways; returns records, and errors in the place of records."""
    if way == "get_many":
        return loader.get_many(keys, return_exceptions=True)
    if way == "get":
        return [_outcome(loader, key) for key in keys]
    answers: list[Any] = run(_loaded(way, loader, keys))
    return answers


def _outcome(loader: DataLoader[Any, Any], key: Any) -> Any:  # noqa: ANN401 - of many types
    try:
        return loader.get(key)
    except Exception as error:  # noqa: BLE001 - it is the outcome
        return error


async def _loaded(way: str, loader: DataLoader[Any, Any], keys: list[Any]) -> list[Any]:
    if way == "load_many":
        return await loader.load_many(keys, return_exceptions=True)
    return await asyncio.gather(*map(loader.load, keys), return_exceptions=True)


class Server:
    """What a PostgreSQL server knows of its clients, asked through a connection of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = create_engine(engine.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")

    def number_of(self, condition: str, **values: object) -> int:
        """How many connections there are of which a condition holds."""
        query = (
            f"SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND {condition}"  # noqa: S608 - of constants
        )
        with self._engine.connect() as connection:
            return int(connection.scalar(text(query), values) or 0)

    def end(self, condition: str, **values: object) -> int:
        """Ends the connections of which a condition holds; returns how many there were."""
        query = (
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"  # noqa: S608 - of constants
            f" WHERE pid <> pg_backend_pid() AND {condition}"
        )
        with self._engine.connect() as connection:
            return len(connection.scalars(text(query), values).all())

    def run(self, *statements: str) -> None:
        with self._engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)


RUNS_THE_QUERY = "state = 'active' AND query LIKE '%users%' AND query LIKE 'SELECT%'"
"""The condition of a server's connections that look at the users right now."""


@contextmanager
def locked(engine: Engine) -> Iterator[None]:
    """Has whoever looks at the users wait until this ends; then their answers come after all."""
    with engine.connect() as connection:
        connection.exec_driver_sql("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        yield


class Relay:
    """A port that leads to a PostgreSQL server from when it is opened on, until it is frozen."""

    def __init__(self, engine: Engine) -> None:
        url, port = engine.url, engine.url.port or 5432
        directory = url.query.get("host")  # of the server's socket
        self._address: Any = (url.host, port)
        if directory is not None:
            self._address = f"{directory}/.s.PGSQL.{port}"
        self._listening = socket.socket()
        # Taken, but nobody listens on it yet: no connection can be made.
        self._listening.bind(("127.0.0.1", 0))
        self._frozen, self._ended = threading.Event(), threading.Event()
        own = self._listening.getsockname()[1]
        self._url = url.set(host="127.0.0.1", port=own).difference_update_query(["host"])

    def engine(self) -> Engine:
        return create_engine(self._url.update_query_dict({"sslmode": "disable"}))

    def async_engine(self, driver: str = "asyncpg") -> AsyncEngine:
        if driver == "psycopg":
            return create_async_engine(self.engine().url)
        return async_engine_of(create_engine(self._url), connect_args={"ssl": False})

    def open(self) -> None:
        self._listening.listen()
        spawn(self._serve)

    def freeze(self) -> None:
        """Has nothing pass any more, without ending what is there."""
        self._frozen.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._listening.close()

    def _serve(self) -> None:
        self._listening.settimeout(0.05)
        while not self._ended.is_set():
            try:
                client, _ = self._listening.accept()
            except (TimeoutError, OSError):
                continue
            spawn(self._relay, client)

    def _relay(self, client: socket.socket) -> None:
        kind = socket.AF_UNIX if isinstance(self._address, str) else socket.AF_INET
        with client, socket.socket(kind) as server:
            server.connect(self._address)
            both = {client: server, server: client}
            while not self._ended.is_set():
                ready, _, _ = select.select(both, [], [], 0.05)
                for source in () if self._frozen.is_set() else ready:
                    data = source.recv(65_536)
                    if not data:
                        return
                    both[source].sendall(data)
