"""Puts a master contract into the database, in place of the one that is there."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from dataloaders.sql.version_rows import announced, begin_version, bump, name_of, versions
from dataloaders.symbols.kite import RejectedRow, read_contract
from dataloaders.symbols.table import symtoken

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sqlalchemy import Connection, Engine, Table

_BATCH = 5_000  # rows; more gains no time


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did.

    Attributes:
        imported: The number of rows that the table now holds.
        rejected: The lines that were left out, in the file's order.
    """

    imported: int
    rejected: tuple[RejectedRow, ...]


def import_contract(
    engine: Engine,
    source: str | os.PathLike[str],
    *,
    table: Table = symtoken,
    progress: Callable[[int, int | None], None] | None = None,
) -> ImportReport:
    """Reads a Kite Connect instrument dump and replaces the contract by it.

    Args:
        engine: The database.
        source: A path, or an address that starts with `http://` or `https://`.
        table: Where the contract lives.
        progress: Called about a hundred times with (bytes read so far, bytes in total or None).

    Raises:
        ContractFormatError: The file is not an instrument dump. The old contract stays.
        OSError: The source cannot be read in full. The old contract stays.
        sqlalchemy.exc.SQLAlchemyError: The database refused. The old contract stays.
    """
    rejected: list[RejectedRow] = []

    def good(rows: Iterable[dict[str, object] | RejectedRow]) -> Iterator[dict[str, object]]:
        for row in rows:
            if isinstance(row, RejectedRow):
                rejected.append(row)
            else:
                yield row

    with closing(read_contract(source, progress=progress)) as rows:
        imported = replace_contract(engine, good(rows), table)
    return ImportReport(imported, tuple(rejected))


def replace_contract(
    engine: Engine, rows: Iterable[Mapping[str, object]], table: Table = symtoken
) -> int:
    """Replaces all rows of the table in one transaction.

    Other connections see the old contract or the new one, never none and never a part; of two that
    are put in at the same time, the table holds the later one in the end. The table is made first
    if it is missing. So is `dataloaders_versions`, where the contract's version moves
    in the same transaction: what is kept of the old one between requests is not served any more.

    Args:
        engine: The database; an engine in autocommit mode is fine too.
        rows: Column values by name. Values that `table` has no column for are left out.
        table: Where the contract lives.

    Returns:
        The number of rows that the table now holds.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: The database refused; the old contract stays.
        Exception: Whatever `rows` raises; the old contract stays.
    """
    batches = _batches(rows)
    # Read ahead of the transaction: a download happens here, and must not hold a lock meanwhile.
    batch = next(batches, [])
    count = 0
    name = name_of(table)
    begin_version(engine, name)
    with ExitStack() as after, _transaction(engine) as connection:
        # One after the other: a DELETE that waits for another's does not see what that puts in.
        connection.execute(select(versions).where(versions.c.name == name).with_for_update())
        table.create(connection, checkfirst=True)
        connection.execute(delete(table))
        while batch:
            connection.execute(insert(table), batch)
            count += len(batch)
            batch = next(batches, [])
        if connection.dialect.name == "postgresql":
            # Plans that other connections keep were made for the table as it was, and for one of
            # a few rows that is to read it all. New statistics have them made anew.
            formatted = connection.dialect.identifier_preparer.format_table(table)
            connection.exec_driver_sql(f"ANALYZE {formatted}")
        bump(connection, name)
        # Last, because whoever is told waits for it from here on, until it is committed.
        after.enter_context(announced(engine))
    return count


def _batches(rows: Iterable[Mapping[str, object]]) -> Iterator[list[Mapping[str, object]]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, _BATCH)):
        yield batch


@contextmanager
def _transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction, DDL included, whatever the engine's isolation level."""
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            with _unspilled(connection), connection.begin():
                # The sqlite3 module would begin at the DELETE, after the CREATE TABLE.
                if not getattr(connection.connection.dbapi_connection, "in_transaction", False):
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection
            return
        if connection.default_isolation_level:
            connection.execution_options(isolation_level=connection.default_isolation_level)
        with connection.begin():
            yield connection


@contextmanager
def _unspilled(connection: Connection) -> Iterator[None]:
    """Lets SQLite's readers read until the commit.

    When its page cache is full, SQLite writes to the file and shuts readers out from there on: for
    seconds, where a commit takes milliseconds. Here the cache grows instead, to the contract's size
    on disk. The setting works outside a transaction only, hence the bare cursor.
    """
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute("PRAGMA cache_spill")
        [(spills,)] = cursor.fetchall()
        cursor.execute("PRAGMA cache_spill = OFF")
        try:
            yield
        finally:
            if spills:
                cursor.execute("PRAGMA cache_spill = ON")
