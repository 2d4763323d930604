"""Which writes through SQLAlchemy move a table's version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import (
    Column,
    Engine,
    Executable,
    Integer,
    MetaData,
    Sequence,
    String,
    Table,
    column,
    create_engine,
    event,
    insert,
    select,
    table,
    text,
    update,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.schema import CreateSequence

from dataloaders.sql import TableLoader
from dataloaders.sql.version_rows import begin_version, name_of, take_part
from dataloaders.sql.writes import note_writes
from dataloaders.symbols.contract import replace_contract
from dataloaders.symbols.table import symtoken

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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


def run(engine: Engine, statement: Executable) -> None:
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
    bare: Any = table("stocks", column("id"), column("token"))
    run(engine, update(bare).where(bare.c.id == 1).values(token="new"))


def by_an_alias(engine: Engine) -> None:
    if engine.dialect.name == "postgresql":
        alias: Any = stocks.alias()
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
    run(
        noted,
        insert(others).from_select(["id", "token"], select(stocks.c.id + 100, stocks.c.token)),
    )
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


def test_a_sequence_is_no_write(postgresql: Engine) -> None:
    note_writes(postgresql, stocks)
    sequence = Sequence("numbers")
    with postgresql.begin() as connection:
        connection.execute(CreateSequence(sequence))
        assert connection.scalar(sequence) == 1


def test_each_transaction_has_its_own_writes(noted: Engine, tmp_path: Path) -> None:
    if noted.dialect.name == "sqlite":
        # One writes at a time, so the other one only reads, and on a connection of its own.
        path = tmp_path / "noted.db"
        noted = create_engine(f"sqlite:///{path}")
        METADATA.create_all(noted)
        note_writes(noted, stocks)
        begin_version(noted, "stocks")
    before = version_of(noted)
    with noted.connect() as writing, noted.connect() as reading:
        writing.execute(insert(stocks).values(id=10, token="new"))
        reading.execute(select(others)).all()
        reading.commit()
        assert version_of(noted) == before
        writing.commit()
    after = version_of(noted)
    assert after != before
    with noted.connect() as forgotten:
        forgotten.execute(insert(stocks).values(id=11, token="new"))
    with noted.begin() as connection:  # perhaps on the same connection to the server
        connection.execute(update(others).values(token="new"))
    assert version_of(noted) == after
    noted.dispose()


class Recording:
    """An announcer that takes note of what others see of the database when it is told."""

    def __init__(self, look: Callable[[], object]) -> None:
        self.told: list[tuple[str, object]] = []
        self._look = look

    def hold(self) -> None:
        self.told.append(("hold", self._look()))

    def moved(self) -> None:
        self.told.append(("moved", self._look()))


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_all_are_held_before_the_commit(request: pytest.FixtureRequest, kind: str) -> None:
    engine: Engine = request.getfixturevalue(kind)
    METADATA.create_all(engine)
    note_writes(engine, stocks)
    begin_version(engine, "stocks")
    before = version_of(engine)
    elsewhere = create_engine(engine.url)
    recording = Recording(lambda: version_of(elsewhere))
    take_part(elsewhere, recording)
    with engine.begin() as connection:
        connection.execute(insert(stocks).values(id=1, token="new"))
        assert recording.told == []
    assert recording.told == [("hold", before)]
    assert version_of(engine) != before
    elsewhere.dispose()


def test_a_contract_is_replaced_with_one_move(any_database: Engine) -> None:
    note_writes(any_database, symtoken)
    rows = [{"symbol": "S", "brsymbol": "S", "exchange": "NSE", "token": "1"}]
    replace_contract(any_database, rows)
    recording = Recording(lambda: None)
    take_part(any_database, recording)
    moves: list[object] = []

    def note(_connection: object, _cursor: object, statement: str, *_details: object) -> None:
        if statement.startswith(("UPDATE dataloaders", "INSERT INTO dataloaders")):
            moves.append(statement)

    event.listen(any_database, "before_cursor_execute", note)
    replace_contract(any_database, rows)
    assert len(moves) == 1
    assert [word for word, _ in recording.told] == ["hold", "moved"]


class StockLoader(TableLoader[Any]):
    table, key, shared = stocks, ("id",), True


LISTENERS = ["before_cursor_execute", "after_cursor_execute", "begin", "rollback", "engine_connect"]


@pytest.mark.parametrize("name", LISTENERS)
@pytest.mark.parametrize("whom", ["engine", "class"])
def test_batches_let_others_hear_who_listen_besides(noted: Engine, name: str, whom: str) -> None:
    heard: list[object] = []

    def hear(*details: object) -> None:
        heard.append(details)

    target = noted if whom == "engine" else Engine
    loader: Any = StockLoader(noted)
    assert loader.get(1).token == "t1"
    event.listen(target, name, hear)
    try:
        assert loader.get(2).token == "t2"
    finally:
        event.remove(target, name, hear)
    assert heard
    heard.clear()
    assert loader.get(3).token == "t3"
    assert not heard
