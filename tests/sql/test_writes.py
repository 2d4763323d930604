"""Which writes through SQLAlchemy move a table's version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import (
    Column,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    column,
    create_engine,
    delete,
    insert,
    select,
    table,
    text,
    update,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from dataloaders.sql.version_rows import begin_version, name_of
from dataloaders.sql.writes import note_writes

if TYPE_CHECKING:
    from collections.abc import Callable

METADATA = MetaData()
stocks = Table(
    "stocks",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("token", String(20)),
)
others = Table(
    "others", METADATA, Column("id", Integer, primary_key=True), Column("token", String(20))
)


class Base(DeclarativeBase):
    pass


class Stock(Base):
    """The application's own model of the table that a loader has another one of."""

    __tablename__ = "stocks"
    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(String(20))


@pytest.fixture
def noted(any_database: Engine) -> Engine:
    """A database with a table that is noted, one that is not, and versions."""
    METADATA.create_all(any_database)
    with any_database.begin() as connection:
        for each in (stocks, others):
            rows = [{"id": n, "token": f"t{n}"} for n in range(1, 4)]
            connection.execute(insert(each), rows)
    note_writes(any_database, stocks)
    begin_version(any_database, name_of(stocks))
    return any_database


def version_of(engine: Engine, name: str = "stocks") -> str | None:
    with engine.connect() as connection:
        query = text("SELECT version FROM dataloaders_versions WHERE name = :name")
        found: str | None = connection.scalar(query, {"name": name})
        return found


def run(engine: Engine, statement: Any) -> None:
    with engine.begin() as connection:
        connection.execute(statement)


def by_another_model(engine: Engine) -> None:
    with Session(engine) as session:
        session.add(Stock(id=9, token="new"))
        session.commit()


def by_bulk_mappings(engine: Engine) -> None:
    with Session(engine) as session:
        session.bulk_insert_mappings(Stock, [{"id": 9, "token": "new"}])
        session.commit()


def by_a_bare_table(engine: Engine) -> None:
    bare = table("stocks", column("id"), column("token"))
    run(engine, update(bare).where(bare.c.id == 1).values(token="new"))


def by_an_alias(engine: Engine) -> None:
    if engine.dialect.name == "postgresql":
        alias = stocks.alias()
        run(engine, update(alias).where(alias.c.id == 1).values(token="new"))
    else:
        by_a_bare_table(engine)


def of_a_query(engine: Engine) -> None:
    rows = select(others.c.id + 100, others.c.token)
    run(engine, insert(stocks).from_select(["id", "token"], rows))


WRITES = [by_another_model, by_bulk_mappings, by_a_bare_table, by_an_alias, of_a_query]


@pytest.mark.parametrize("write", WRITES)
def test_it_is_the_tables_name_that_counts(noted: Engine, write: Callable[[Engine], None]) -> None:
    before = version_of(noted)
    write(noted)
    assert version_of(noted) not in {before, None}


def test_writes_to_other_tables_move_nothing(noted: Engine) -> None:
    before = version_of(noted)
    run(noted, update(others).values(token="new"))
    run(noted, insert(others).from_select(["id", "token"], select(stocks.c.id + 100, stocks.c.token)))
    assert version_of(noted) == before
    assert version_of(noted, "others") is None


def test_a_write_is_not_refused_for_want_of_versions(noted: Engine) -> None:
    run(noted, update(stocks).values(token="new"))
    with noted.begin() as connection:
        connection.exec_driver_sql("DROP TABLE dataloaders_versions")
    run(noted, update(stocks).values(token="newer"))
    with noted.connect() as connection:
        assert set(connection.scalars(text("SELECT token FROM stocks"))) == {"newer"}


def test_writes_in_a_query_move_the_version(postgresql: Engine) -> None:
    METADATA.create_all(postgresql)
    note_writes(postgresql, stocks)
    begin_version(postgresql, name_of(stocks))
    before = version_of(postgresql)
    new = insert(stocks).values(id=1, token="new").returning(stocks.c.id).cte()
    with postgresql.begin() as connection:
        assert connection.scalar(select(new.c.id)) == 1
    assert version_of(postgresql) != before


def test_an_update_of_two_tables_moves_both(mariadb: Engine) -> None:
    METADATA.create_all(mariadb)
    run(mariadb, insert(stocks).values(id=1, token="t"))
    run(mariadb, insert(others).values(id=1, token="t"))
    for each in (stocks, others):
        note_writes(mariadb, each)
        begin_version(mariadb, name_of(each))
    before = [version_of(mariadb, name) for name in ("stocks", "others")]
    run(
        mariadb,
        update(others)
        .where(others.c.id == stocks.c.id)
        .values({others.c.token: "a", stocks.c.token: "b"}),
    )
    after = [version_of(mariadb, name) for name in ("stocks", "others")]
    assert [a != b for a, b in zip(before, after, strict=True)] == [True, True]
