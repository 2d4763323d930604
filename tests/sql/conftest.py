"""Databases for the tests of table loaders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest
from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.pool import NullPool, StaticPool

from tests.databases import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator


class EngineMaker(Protocol):
    """Makes an engine that is disposed of when the test is over."""

    def __call__(self, url: str = ..., *, shared: bool = ..., **options: object) -> Engine: ...


@pytest.fixture
def make_engine() -> Iterator[EngineMaker]:
    """Makes engines; without arguments, each has an in-memory SQLite database of its own."""
    made: list[Engine] = []

    def make(url: str = "sqlite://", *, shared: bool = True, **options: Any) -> Engine:  # noqa: ANN401 - of many types
        if url == "sqlite://" and shared:
            options = {
                "poolclass": StaticPool,
                "connect_args": {"check_same_thread": False},
                **options,
            }
        engine = create_engine(url, **options)
        made.append(engine)
        return engine

    yield make
    for engine in made:
        engine.dispose()


@pytest.fixture
def engine(make_engine: EngineMaker) -> Engine:
    """An in-memory SQLite database."""
    return make_engine()


class SelectCounter:
    """Counts a SQLite engine's SELECTs, whichever way they are sent.

    SQLite itself reports them: a listener on the engine might change what it listens to.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []

    def watch(self, engine: Engine) -> None:
        def on_checkout(connection: Any, _record: object, _proxy: object) -> None:  # noqa: ANN401 - of many types
            connection.set_trace_callback(self._note)

        event.listen(engine, "checkout", on_checkout)

    def _note(self, statement: str) -> None:
        # What SQLite runs inside of a statement, it reports as a comment.
        if statement.lstrip().upper().startswith("SELECT"):
            self.texts.append(statement)

    def __len__(self) -> int:
        return len(self.texts)

    def clear(self) -> None:
        self.texts.clear()


@pytest.fixture
def selects() -> SelectCounter:
    return SelectCounter()


@pytest.fixture
def postgresql(postgresql_url: str) -> Iterator[Engine]:
    """A PostgreSQL schema without tables; its URL alone leads there."""
    # Keeps no connections, which a test might have ended.
    server = create_engine(postgresql_url, poolclass=NullPool)
    with server.begin() as connection:
        connection.execute(text("CREATE SCHEMA emptied"))
    url = make_url(postgresql_url).update_query_dict({"options": "-csearch_path=emptied"})
    engine = create_engine(url)
    yield engine
    engine.dispose()
    with server.begin() as connection:
        connection.execute(text("DROP SCHEMA emptied CASCADE"))


@pytest.fixture
def mariadb(mariadb_url: str) -> Iterator[Engine]:
    """A MariaDB database without tables; its URL alone leads there."""
    yield from emptied(mariadb_url)


@pytest.fixture
def mysql(mysql_url: str) -> Iterator[Engine]:
    """A MySQL database without tables; its URL alone leads there."""
    yield from emptied(mysql_url)


def emptied(server_url: str) -> Iterator[Engine]:
    server = create_engine(server_url, poolclass=NullPool)
    with server.begin() as connection:
        connection.execute(text("CREATE DATABASE emptied CHARACTER SET utf8mb4"))
    engine = create_engine(make_url(server_url).set(database="emptied"))
    yield engine
    engine.dispose()
    with server.begin() as connection:
        connection.execute(text("DROP DATABASE emptied"))


@pytest.fixture(params=KINDS)
def any_database(request: pytest.FixtureRequest) -> Engine:
    """Each kind of database in turn, without tables."""
    return database(request, request.param)


def database(request: pytest.FixtureRequest, kind: str) -> Engine:
    """Returns a database of a kind, without tables."""
    engine: Engine = request.getfixturevalue("engine" if kind == "sqlite" else kind)
    return engine
