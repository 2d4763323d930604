"""Triggers: whatever a table is called, whoever writes to it, its version moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import (
    Column,
    Engine,
    Integer,
    MetaData,
    Table,
    create_engine,
    insert,
    text,
)

from dataloaders.errors import ConfigurationError
from dataloaders.sql.triggers import unwatch_table, watch_table
from dataloaders.sql.version_rows import name_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def made(engine: Engine, name: str, schema: str | None = None) -> Table:
    table = Table(
        name,
        MetaData(),
        Column("id", Integer, primary_key=True, autoincrement=False),
        schema=schema,
    )
    table.create(engine)
    return table


def version_of(engine: Engine, table: Table) -> tuple[str, bool] | None:
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT version, watched FROM dataloaders_versions WHERE name = :name"),
            {"name": name_of(table)},
        ).first()
        return None if found is None else (found[0], bool(found[1]))


def write(engine: Engine, table: Table, key: int = 1) -> None:
    with engine.begin() as connection:
        connection.execute(insert(table).values(id=key))


NAMES = [
    "Mixed Case",
    "half%s full",
    "50% off",
    'say "no"',
    "it's",
    "back`tick",
    "select",
    "наименование_инструмента",
    "n" * 60,
]


@pytest.mark.parametrize("name", NAMES)
def test_a_table_may_have_any_name(any_database: Engine, name: str) -> None:
    table = made(any_database, name)
    watch_table(any_database, table)
    watch_table(any_database, table)
    before = version_of(any_database, table)
    assert before is not None
    assert before[1]
    write(any_database, table)
    after = version_of(any_database, table)
    assert after is not None
    assert after[0] != before[0]
    unwatch_table(any_database, table)
    unwatch_table(any_database, table)
    write(any_database, table, 2)
    assert version_of(any_database, table) == (after[0], False)


@pytest.mark.parametrize("names", [("n" * 55 + "1", "n" * 55 + "2"), ("a_b", "a b")])
def test_tables_whose_names_begin_alike_are_watched_each(
    any_database: Engine, names: tuple[str, str]
) -> None:
    tables = [made(any_database, name) for name in names]
    for table in tables:
        watch_table(any_database, table)
    before = [version_of(any_database, table) for table in tables]
    write(any_database, tables[0])
    after = [version_of(any_database, table) for table in tables]
    assert [a != b for a, b in zip(after, before, strict=True)] == [True, False]
    unwatch_table(any_database, tables[1])
    write(any_database, tables[0], 2)
    assert version_of(any_database, tables[0]) != after[0]


def test_nothing_that_was_kept_before_they_were_there_is_trusted(any_database: Engine) -> None:
    table = made(any_database, "things")
    watch_table(any_database, table)
    before = version_of(any_database, table)
    unwatch_table(any_database, table)
    write(any_database, table)
    watch_table(any_database, table)
    after = version_of(any_database, table)
    assert before is not None
    assert after is not None
    assert after[0] != before[0]


@pytest.fixture
def schema(any_database: Engine) -> Iterator[str]:
    """Another schema of the database."""
    if any_database.dialect.name == "sqlite":
        pytest.skip("see the test of attached databases")
    with any_database.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA elsewhere")
    yield "elsewhere"
    cascade = " CASCADE" if any_database.dialect.name == "postgresql" else ""
    with any_database.begin() as connection:
        connection.exec_driver_sql(f"DROP SCHEMA elsewhere{cascade}")


def test_a_table_of_another_schema_has_a_version_here(any_database: Engine, schema: str) -> None:
    here, there = made(any_database, "things"), made(any_database, "things", schema)
    for table in (here, there):
        watch_table(any_database, table)
    before = [version_of(any_database, table) for table in (here, there)]
    write(any_database, there)
    after = [version_of(any_database, table) for table in (here, there)]
    assert [a != b for a, b in zip(after, before, strict=True)] == [False, True]
    unwatch_table(any_database, there)
    write(any_database, there, 2)
    assert version_of(any_database, there) == (after[1][0], False)  # type: ignore[index]  # it has one


def test_an_attached_sqlite_database_is_refused(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("ATTACH ':memory:' AS elsewhere")
    table = made(engine, "things", "elsewhere")
    with pytest.raises(ConfigurationError, match="elsewhere"):
        watch_table(engine, table)


def test_a_writer_needs_no_rights_to_the_versions_and_no_search_path(
    postgresql: Engine, postgresql_url: str
) -> None:
    table = made(postgresql, "things")
    watch_table(postgresql, table)
    before = version_of(postgresql, table)
    with postgresql.begin() as connection:
        for statement in (
            "DROP ROLE IF EXISTS loads_files",
            "CREATE ROLE loads_files",
            "GRANT USAGE ON SCHEMA emptied TO loads_files",
            "GRANT INSERT, SELECT ON emptied.things TO loads_files",
        ):
            connection.exec_driver_sql(statement)
    other = create_engine(postgresql_url)
    try:
        with other.begin() as connection:
            connection.exec_driver_sql("SET LOCAL ROLE loads_files")
            connection.exec_driver_sql("INSERT INTO emptied.things VALUES (1)")
        assert version_of(postgresql, table) != before
    finally:
        with postgresql.begin() as connection:
            connection.exec_driver_sql("DROP OWNED BY loads_files")
            connection.exec_driver_sql("DROP ROLE loads_files")
        other.dispose()


def test_other_databases_are_refused() -> None:
    table = Table("things", MetaData(), Column("id", Integer))
    for change in (watch_table, unwatch_table):
        with pytest.raises(ConfigurationError, match=r"sqlite.*oracle|oracle"):
            change(_Oracle(), table)  # type: ignore[arg-type]  # it is asked for its name alone


class _Oracle:
    class dialect:  # noqa: N801 - as an Engine has it
        name = "oracle"


def test_postgresql_moves_a_version_once_in_a_transaction(postgresql: Engine) -> None:
    table = made(postgresql, "things")
    watch_table(postgresql, table)
    query = text("SELECT version FROM dataloaders_versions")
    seen = []
    with postgresql.begin() as connection:
        seen.append(connection.scalar(query))
        savepoint = connection.begin_nested()
        connection.execute(insert(table).values(id=1))
        savepoint.rollback()
        assert connection.scalar(query) == seen[0]
        for key in (1, 2, 3):
            connection.execute(insert(table).values(id=key))
            seen.append(connection.scalar(query))
    assert len(set(seen)) == 2
    assert len(set(seen[1:])) == 1
    write(postgresql, table, 4)
    assert version_of(postgresql, table) not in {(version, True) for version in seen}
