"""Triggers by which a table's version moves whoever changes the table, in whatever language."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from sqlalchemy import Table, literal, update

from dataloaders.errors import ConfigurationError

from .version_rows import begin_version, bump, name_of, versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine

_EVENTS = ("INSERT", "UPDATE", "DELETE")

_MAX_BYTES = 32
"""Of a table's name in those of its triggers, which PostgreSQL would cut after 63."""


def watch_table(engine: Engine, table: Table) -> None:
    """Has a table's version move in each transaction that changes the table, whoever it is.

    PostgreSQL looks once for a statement, and tells listeners. SQLite, MariaDB and MySQL do so for
    each row, and MariaDB and MySQL not for TRUNCATE, nor for what a foreign key does by itself.
    PostgreSQL does not for what is written to a partition by the partition's name. Transactions
    that write to the table wait for each other until they are committed. To delete and insert
    150,000 rows takes 1.1 times as long on PostgreSQL, 1.3 times on MariaDB, 2.8 times on SQLite.

    A table that is dropped loses its triggers: have the new one watched as well.

    Args:
        engine: The database; who connects to it has to have the right to make triggers.
        table: The table.

    Raises:
        ConfigurationError: There are no triggers for such a database.
        sqlalchemy.exc.SQLAlchemyError: The database refused.
    """
    statements = _statements_for(engine, table)
    name = name_of(table)
    begin_version(engine, name)
    with engine.begin() as connection:
        for statement in statements(_Names(connection, table)):
            connection.exec_driver_sql(statement)
        of_it = versions.c.name == name
        connection.execute(update(versions).where(of_it).values(watched=True))
        # Of what was written before they were there, nobody was told; on MySQL that is also what
        # was written while the old ones were replaced.
        bump(connection, name)


def unwatch_table(engine: Engine, table: Table) -> None:
    """Removes the triggers.

    Raises:
        ConfigurationError: There are none for such a database.
        sqlalchemy.exc.SQLAlchemyError: The database refused.
    """
    _statements_for(engine, table)
    name = name_of(table)
    begin_version(engine, name)
    with engine.begin() as connection:
        of_it = versions.c.name == name
        connection.execute(update(versions).where(of_it).values(watched=False))
        for statement in _Names(connection, table).drops():
            connection.exec_driver_sql(statement)


class _Names:
    """What things are called in statements, quoted."""

    def __init__(self, connection: Connection, table: Table) -> None:
        dialect = connection.dialect
        preparer = dialect.identifier_preparer
        self._is_postgresql = dialect.name == "postgresql"
        self._quote: Callable[[Any], str] = preparer.quote
        self._base = f"dataloaders_{_shortened(table.name)}"
        self._schema = f"{preparer.quote_schema(table.schema)}." if table.schema else ""
        self.table = preparer.format_table(table)
        # Whoever writes may find other tables by the name alone, or none.
        schema = _schema_of_versions(connection)
        self.versions = preparer.format_table(versions)
        if schema is not None:
            self.versions = f"{preparer.quote_schema(schema)}.{self.versions}"
        value = literal(name_of(table))
        self.of_it = f"name = {value.compile(dialect=dialect, compile_kwargs=_LITERALLY)}"

    def trigger(self, event: str) -> str:
        """Returns the name of a trigger."""
        name = self._quote(f"{self._base}_{event.lower()}")
        return name if self._is_postgresql else f"{self._schema}{name}"

    @property
    def function(self) -> str:
        """The name of PostgreSQL's function."""
        return f"{self._schema}{self._quote(f'{self._base}_moved')}"

    def drops(self) -> Iterator[str]:
        """Yields the statements that remove everything."""
        if self._is_postgresql:
            for event in (*_EVENTS, "TRUNCATE"):
                yield f"DROP TRIGGER IF EXISTS {self.trigger(event)} ON {self.table}"
            yield f"DROP FUNCTION IF EXISTS {self.function}()"
        else:
            for event in _EVENTS:
                yield f"DROP TRIGGER IF EXISTS {self.trigger(event)}"


_LITERALLY = {"literal_binds": True}

_SCHEMAS = {
    "postgresql": "SELECT nspname FROM pg_class JOIN pg_namespace s ON s.oid = relnamespace "  # noqa: S608 - of constants
    f"WHERE pg_class.oid = to_regclass('{versions.name}')",
    "mysql": "SELECT DATABASE()",
    "mariadb": "SELECT DATABASE()",
}


def _schema_of_versions(connection: Connection) -> str | None:
    query = _SCHEMAS.get(connection.dialect.name)
    return None if query is None else connection.exec_driver_sql(query).scalar()


def _shortened(name: str) -> str:
    whole = name.encode()
    if len(whole) <= _MAX_BYTES:
        return name
    return f"{whole[: _MAX_BYTES - 9].decode(errors='ignore')}_{sha256(whole).hexdigest()[:8]}"


def _postgresql(names: _Names) -> Iterator[str]:
    yield from names.drops()
    # With the rights of its owner: who writes to the table need have none to the versions. Once in
    # a transaction, or the server would go through all that it has made of the row each time it
    # makes another; a setting is undone together with what a savepoint is rolled back to.
    yield (
        f"CREATE FUNCTION {names.function}() RETURNS trigger LANGUAGE plpgsql "  # noqa: S608 - quoted
        "SECURITY DEFINER SET search_path = pg_catalog AS $moved$ BEGIN "
        "IF current_setting('dataloaders.moved_' || TG_RELID, true) = 'yes' "
        "THEN RETURN NULL; END IF; "
        "PERFORM set_config('dataloaders.moved_' || TG_RELID, 'yes', true); "
        f"UPDATE {names.versions} SET version = md5(random()::text || clock_timestamp()::text) "
        f"WHERE {names.of_it}; "
        "PERFORM pg_notify('dataloaders', 'moved'); RETURN NULL; END $moved$"
    )
    for event in (*_EVENTS, "TRUNCATE"):
        yield (
            f"CREATE TRIGGER {names.trigger(event)} AFTER {event} ON {names.table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {names.function}()"
        )


def _sqlite(names: _Names) -> Iterator[str]:
    yield from names.drops()
    for event in _EVENTS:
        yield (
            f"CREATE TRIGGER {names.trigger(event)} AFTER {event} ON {names.table} BEGIN "  # noqa: S608 - quoted
            f"UPDATE {names.versions} SET version = lower(hex(randomblob(16))) "
            f"WHERE {names.of_it}; END"
        )


def _mysql(names: _Names) -> Iterator[str]:
    yield from names.drops()
    for event in _EVENTS:
        yield (
            f"CREATE TRIGGER {names.trigger(event)} AFTER {event} ON {names.table} FOR EACH ROW "  # noqa: S608 - quoted
            f"UPDATE {names.versions} SET version = UUID() WHERE {names.of_it}"
        )


_STATEMENTS: dict[str, Callable[[_Names], Iterator[str]]] = {
    "postgresql": _postgresql,
    "sqlite": _sqlite,
    "mysql": _mysql,
    "mariadb": _mysql,
}


def _statements_for(engine: Engine, table: Table) -> Callable[[_Names], Iterator[str]]:
    statements = _STATEMENTS.get(engine.dialect.name)
    if statements is None:
        expected = f"one of {', '.join(_STATEMENTS)}, for tables to be watched by triggers"
        raise ConfigurationError("The database", expected, engine.dialect.name)
    if engine.dialect.name == "sqlite" and table.schema not in {None, "main"}:
        expected = "of the main database, since SQLite's triggers write to their own one only"
        raise ConfigurationError("A watched table", expected, table.fullname)
    return statements
