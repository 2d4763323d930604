"""The versions of tables, as any process reads them."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, create_engine, event, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from dataloaders.sql.triggers import watch_table
from dataloaders.sql.version_rows import announced, bump, take_part
from dataloaders.sql.versions import Versions
from tests.sql.source_helpers import async_engine_of, run, statements_of
from tests.threads import SECONDS, spawn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

METADATA = MetaData()
things = Table(
    "things", METADATA, Column("id", Integer, primary_key=True), Column("value", String(20))
)
others = Table("others", METADATA, Column("id", Integer, primary_key=True))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.db"


@pytest.fixture
def file(path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{path}")
    METADATA.create_all(engine)
    yield engine
    engine.dispose()


def versions_of(engine: Engine) -> Versions:
    found = Versions(engine)
    for table in (things, others):
        found.watch(table)
    return found


def foreign(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def by_query(engine: Engine) -> dict[str, str]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT name, version FROM dataloaders_versions")).all()
        return dict(rows)


def test_rows_are_made_when_they_are_first_read(any_database: Engine) -> None:
    versions = versions_of(any_database)
    found = versions.read()
    assert set(found) == {"things", "others"}
    assert found == by_query(any_database) == versions.read()
    assert len(set(found.values())) == 2


def test_of_many_who_make_them_at_once_one_wins(any_database: Engine, file: Engine) -> None:
    engine = any_database
    if engine.dialect.name == "sqlite":
        engine = file
    many = [create_engine(engine.url, poolclass=NullPool) for _ in range(6)]
    all_ready = threading.Barrier(len(many))

    def read(each: Engine) -> dict[str, str]:
        versions = versions_of(each)
        all_ready.wait(SECONDS)
        # In a file, each process has an addition of its own.
        return {name: version.partition("+")[0] for name, version in versions.read().items()}

    found = [asked.result(SECONDS) for asked in [spawn(read, each) for each in many]]
    assert found == [by_query(engine)] * len(many)
    for each in many:
        each.dispose()


def test_a_version_is_seen_with_what_it_is_of_and_not_before(
    any_database: Engine, file: Engine
) -> None:
    engine = file if any_database.dialect.name == "sqlite" else any_database
    versions = versions_of(engine)
    before = versions.read()
    with engine.connect() as connection:
        bump(connection, "things")
        assert versions.read() == before
        connection.rollback()
    assert versions.read() == before
    with engine.begin() as connection:
        bump(connection, "things")
    after = versions.read()
    assert after["things"] != before["things"]
    if engine is any_database:  # a SQLite file does not tell of what somebody has committed
        assert after["others"] == before["others"]


def test_a_database_that_is_not_there_is_tried_once(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'no' / 'such' / 'directory.db'}")
    attempts: list[object] = []
    event.listen(engine, "do_connect", lambda *_details: attempts.append(1))
    versions = Versions(engine)
    versions.watch(things)
    with pytest.raises((SQLAlchemyError, sqlite3.Error)):
        versions.read()
    assert len(attempts) == 1


def test_a_server_that_is_not_there_is_tried_once() -> None:
    engine = create_engine("postgresql+psycopg://127.0.0.1:1/none")
    attempts: list[object] = []
    event.listen(engine, "do_connect", lambda *_details: attempts.append(1))
    versions = Versions(engine)
    versions.watch(things)
    with pytest.raises(OperationalError):
        versions.read()
    assert len(attempts) == 1


def test_a_file_that_nobody_writes_to_is_asked_for_nothing(file: Engine) -> None:
    versions = versions_of(file)
    found = versions.read()
    sent = statements_of(file)
    assert versions.read() == found
    assert sent == []


def test_whatever_is_written_to_a_file_counts_for_all_tables(file: Engine, path: Path) -> None:
    versions = versions_of(file)
    seen = [versions.read()]
    for statement in ("INSERT INTO things VALUES (1, 'a')", "INSERT INTO others VALUES (1)"):
        foreign(path, statement)
        seen.append(versions.read())
        assert versions.read() == seen[-1]
    for name in ("things", "others"):
        assert len({found[name] for found in seen}) == 3


def test_a_watched_table_stands_still_while_others_are_written(file: Engine, path: Path) -> None:
    watch_table(file, things)
    versions = versions_of(file)
    before = versions.read()
    foreign(path, "INSERT INTO others VALUES (1)")
    after = versions.read()
    assert after["things"] == before["things"]
    assert after["others"] != before["others"]
    foreign(path, "INSERT INTO things VALUES (1, 'a')")
    assert versions.read()["things"] == by_query(file)["things"] != before["things"]


def test_a_watched_table_that_is_made_anew_has_no_triggers(file: Engine, path: Path) -> None:
    watch_table(file, things)
    versions = versions_of(file)
    versions.read()
    # As pandas' to_sql(if_exists="replace") does.
    foreign(path, "DROP TABLE things", "CREATE TABLE things (id INTEGER, value TEXT)")
    before = versions.read()
    foreign(path, "INSERT INTO things VALUES (1, 'new')")
    assert versions.read()["things"] != before["things"]


def test_a_file_in_the_place_of_another_is_read_after_dispose(
    file: Engine, path: Path, tmp_path: Path
) -> None:
    versions = versions_of(file)
    before = versions.read()
    copy = tmp_path / "copy.db"
    shutil.copy(path, copy)
    foreign(copy, "INSERT INTO things VALUES (1, 'new')")
    copy.replace(path)
    file.dispose()
    after = versions.read()
    assert after["things"] != before["things"]
    foreign(path, "INSERT INTO things VALUES (2, 'newer')")
    assert versions.read()["things"] != after["things"]


def test_dispose_closes_the_connection_that_watches_a_file(file: Engine, path: Path) -> None:
    versions = versions_of(file)
    versions.read()
    file.dispose()
    assert not _open_files(path)


def _open_files(path: Path) -> list[str]:
    found = []
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names that come and go
        try:
            found.append(os.readlink(f"/proc/self/fd/{number}"))  # noqa: PTH115 - as above
        except OSError:
            continue
    return [each for each in found if each.startswith(str(path))]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_an_async_engine_reads_the_same(
    request: pytest.FixtureRequest, kind: str, file: Engine
) -> None:
    engine: Engine = file if kind == "sqlite" else request.getfixturevalue(kind)
    async_engine = async_engine_of(engine)
    versions = Versions(async_engine)
    versions.watch(things)

    async def read() -> dict[str, str]:
        try:
            return await versions.read_async()
        finally:
            await async_engine.dispose()

    assert run(read()) == by_query(engine)
    assert run(read()) == by_query(engine)


class Told:
    def __init__(self) -> None:
        self.words: list[str] = []

    def hold(self) -> None:
        self.words.append("hold")

    def moved(self) -> None:
        self.words.append("moved")


def test_those_of_the_same_database_are_told(path: Path) -> None:
    engines = [
        create_engine(url)
        for url in (
            f"sqlite:///{path}",
            f"sqlite:///{path.parent}/./{path.name}",
            f"sqlite:///{path}.other",
        )
    ]
    told = [Told() for _ in engines]
    for engine, each in zip(engines, told, strict=True):
        take_part(engine, each)

    class StoppedError(Exception):
        pass

    with pytest.raises(StoppedError), announced(engines[0]):  # noqa: PT012 - what it is about
        assert [each.words for each in told] == [["hold"], ["hold"], []]
        raise StoppedError
    assert [each.words for each in told] == [["hold", "moved"], ["hold", "moved"], []]


def test_a_server_is_the_same_whatever_the_driver_and_the_user() -> None:
    engines = [
        create_engine(f"postgresql+{driver}://{user}@localhost:5432/trading")
        for driver, user in (("psycopg", "one:secret"), ("asyncpg", "other"))
    ]
    told = Told()
    take_part(engines[0], told)
    with announced(engines[1]):
        pass
    assert told.words == ["hold", "moved"]
