"""Triggers by which a table's version moves whoever changes the table, in whatever language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Table, update

from dataloaders.errors import ConfigurationError

from .version_rows import begin_version, name_of, versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine

_EVENTS = ("INSERT", "UPDATE", "DELETE")


def watch_table(engine: Engine, table: Table) -> None:
    """Has a table's version move in each transaction that changes the table.

    PostgreSQL does so once for a statement, and tells listeners. SQLite, MariaDB and MySQL do so
    for each row, and MariaDB and MySQL not for TRUNCATE.

    Args:
        engine: The database; who connects to it has to have the right to make triggers.
        table: The table.

    Raises:
        ConfigurationError: There are no triggers for such a database.
        sqlalchemy.exc.SQLAlchemyError: The database refused.
    """
    statements = _statements_for(engine)
    begin_version(engine, name_of(table))
    with engine.begin() as connection:
        for statement in statements(_Names(engine, table), name_of(table)):
            connection.exec_driver_sql(statement)
        of_it = versions.c.name == name_of(table)
        connection.execute(update(versions).where(of_it).values(watched=True))


def unwatch_table(engine: Engine, table: Table) -> None:
    """Removes the triggers.

    Raises:
        ConfigurationError: There are none for such a database.
        sqlalchemy.exc.SQLAlchemyError: The database refused.
    """
    _statements_for(engine)
    names = _Names(engine, table)
    with engine.begin() as connection:
        of_it = versions.c.name == name_of(table)
        connection.execute(update(versions).where(of_it).values(watched=False))
        for statement in names.drops():
            connection.exec_driver_sql(statement)


class _Names:
    """What things are called in statements, quoted."""

    def __init__(self, engine: Engine, table: Table) -> None:
        preparer = engine.dialect.identifier_preparer
        self.table = preparer.format_table(table)
        self.versions = preparer.format_table(versions)
        self._quote: Callable[[Any], str] = preparer.quote
        self._base = f"dataloaders_{table.name}"[:50]
        self._schema = f"{preparer.quote_schema(table.schema)}." if table.schema else ""
        self._is_postgresql = engine.dialect.name == "postgresql"

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


def _postgresql(names: _Names, name: str) -> Iterator[str]:
    yield from names.drops()
    yield (
        f"CREATE FUNCTION {names.function}() RETURNS trigger LANGUAGE plpgsql AS $moved$ BEGIN "  # noqa: S608 - quoted
        f"UPDATE {names.versions} SET version = md5(random()::text || clock_timestamp()::text) "
        f"WHERE name = {_text(name)}; "
        "PERFORM pg_notify('dataloaders', 'moved'); RETURN NULL; END $moved$"
    )
    for event in (*_EVENTS, "TRUNCATE"):
        yield (
            f"CREATE TRIGGER {names.trigger(event)} AFTER {event} ON {names.table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {names.function}()"
        )


def _sqlite(names: _Names, name: str) -> Iterator[str]:
    yield from names.drops()
    for event in _EVENTS:
        yield (
            f"CREATE TRIGGER {names.trigger(event)} AFTER {event} ON {names.table} BEGIN "  # noqa: S608 - quoted
            f"UPDATE {names.versions} SET version = lower(hex(randomblob(16))) "
            f"WHERE name = {_text(name)}; END"
        )


def _mysql(names: _Names, name: str) -> Iterator[str]:
    yield from names.drops()
    for event in _EVENTS:
        yield (
            f"CREATE TRIGGER {names.trigger(event)} AFTER {event} ON {names.table} FOR EACH ROW "  # noqa: S608 - quoted
            f"UPDATE {names.versions} SET version = UUID() WHERE name = {_text(name)}"
        )


def _text(value: str) -> str:
    # Drivers take a percent sign for a parameter's only if there are parameters.
    return "'" + value.replace("'", "''") + "'"


_STATEMENTS: dict[str, Callable[[_Names, str], Iterator[str]]] = {
    "postgresql": _postgresql,
    "sqlite": _sqlite,
    "mysql": _mysql,
    "mariadb": _mysql,
}


def _statements_for(engine: Engine) -> Callable[[_Names, str], Iterator[str]]:
    statements = _STATEMENTS.get(engine.dialect.name)
    if statements is None:
        expected = f"one of {', '.join(_STATEMENTS)}, for tables to be watched by triggers"
        raise ConfigurationError("The database", expected, engine.dialect.name)
    return statements
