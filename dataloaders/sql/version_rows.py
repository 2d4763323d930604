"""Which version a table is of: a row beside it, changed by whoever changes the table.

The row is changed in the transaction that changes the table, so who sees the one sees the other.
A version is a random text, and not a count: a database that was set up anew must not be taken for
the one of which a cache still holds values.
"""

from __future__ import annotations

import os
import uuid
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

from sqlalchemy import Boolean, Column, MetaData, String, Table, insert, inspect, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.pool import QueuePool

from .connections import connection_apart

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine, FromClause

metadata = MetaData()

# Text has a length because MariaDB cannot make it a primary key otherwise.
versions = Table(
    "dataloaders_versions",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("version", String(64), nullable=False),
    Column("watched", Boolean, nullable=False),
)
"""The version of each table, and whether triggers change it whoever changes the table."""


def name_of(table: FromClause) -> str:
    """Returns what a table is called in `versions`."""
    return str(getattr(table, "fullname", table.description))


def begin_version(engine: Engine, name: str) -> None:
    """Sees to it that a table has a version, in a transaction of its own.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: The database refused, or is not there.
    """
    with _connection(engine) as connection:
        try:
            with connection.begin():
                metadata.create_all(connection, checkfirst=True)
        except DBAPIError:
            # Somebody else may have made it since it was looked for.
            if not inspect(connection).has_table(versions.name):
                raise
        row = {"name": name, "version": _new(), "watched": False}
        connection.rollback()  # of looking
        # Somebody else may be doing the same.
        with suppress(IntegrityError), connection.begin():
            if connection.scalar(select(versions.c.name).where(versions.c.name == name)) is None:
                connection.execute(insert(versions), row)


def _connection(engine: Engine) -> AbstractContextManager[Connection]:
    """Opens a connection; one of an async engine is not to come from its pool.

    That keeps connections of any event loop.
    """
    is_pooled = engine.dialect.is_async and isinstance(engine.pool, QueuePool)
    return connection_apart(engine) if is_pooled else engine.connect()


def bump(connection: Connection, name: str) -> None:
    """Gives a table another version, in the transaction that changes it.

    Args:
        connection: Where that is under way.
        name: The table, by `name_of`.
    """
    moved = update(versions).where(versions.c.name == name).values(version=_new())
    if connection.execute(moved).rowcount == 0:
        row = {"name": name, "version": _new(), "watched": False}
        is_alone = connection._is_autocommit_isolation()  # noqa: SLF001 - there is no public way to ask
        try:
            with nullcontext() if is_alone else connection.begin_nested():
                connection.execute(insert(versions), row)
        except IntegrityError:  # somebody else has made it meanwhile
            connection.execute(moved)
    if connection.dialect.name == "postgresql":
        # Sent when the transaction is committed, to those who listen.
        connection.exec_driver_sql("SELECT pg_notify('dataloaders', 'moved')")


def _new() -> str:
    return uuid.uuid4().hex


class Announcer(Protocol):
    """Whoever has to know before a table is changed, and after."""

    def hold(self) -> None:
        """Called before the commit."""

    def moved(self) -> None:
        """Called after it, or after a rollback."""


_announcers: WeakKeyDictionary[Announcer, tuple[Any, ...]] = WeakKeyDictionary()


def take_part(engine: Engine, announcer: Announcer) -> None:
    """Has an announcer be told of changes to tables of a database, as long as it lives."""
    _announcers[announcer] = _database_of(engine)


@contextmanager
def announced(engine: Engine) -> Iterator[None]:
    """Tells those who take part before and after something is committed."""
    told = announce(engine)
    try:
        yield
    finally:
        for announcer in told:
            announcer.moved()


def announce(engine: Engine) -> list[Announcer]:
    """Tells those who take part before something is committed; returns them."""
    database = _database_of(engine)
    told = [each for each, its in list(_announcers.items()) if its == database]
    for announcer in told:
        announcer.hold()
    return told


def _database_of(engine: Engine) -> tuple[Any, ...]:
    """Returns what two engines of one database have in common."""
    url = engine.url
    database = url.database
    if engine.dialect.name == "sqlite" and database:
        database = os.path.realpath(database)
    return (engine.dialect.name, url.host, url.port, database)
