from __future__ import annotations

import gzip
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateIndex, CreateTable

from dataloaders.errors import ContractFormatError
from dataloaders.sql.triggers import watch_table
from dataloaders.symbols.contract import import_contract, replace_contract
from dataloaders.symbols.table import symtoken
from tests.threads import SECONDS, spawn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine

HEADER = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,"
    "lot_size,instrument_type,segment,exchange"
)


class Interrupted(Exception):  # noqa: N818 - it stands for any exception
    pass


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app.db"


@pytest.fixture
def engine(path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{path}")
    yield engine
    engine.dispose()


def rows(name: str, number: int) -> Iterator[dict[str, object]]:
    for n in range(number):
        symbol = f"{name.upper()}{n:06}"
        yield {"symbol": symbol, "brsymbol": f"B{symbol}", "name": name, "exchange": "NSE"}


def broken(name: str, number: int) -> Iterator[dict[str, object]]:
    yield from rows(name, number)
    raise Interrupted


def contents(path: Path, timeout: float = 5.0) -> dict[str, int]:
    """Asks, on a connection of its own, how many rows there are of each contract."""
    with closing(sqlite3.connect(path, timeout=timeout)) as connection:
        found = connection.execute("SELECT name, count(*) FROM symtoken GROUP BY name")
        return dict(found.fetchall())


def tables(path: Path) -> list[tuple[str]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()


def test_table_is_made_with_the_apps_indexes(engine: Engine, path: Path) -> None:
    replace_contract(engine, rows("old", 1))
    with closing(sqlite3.connect(path)) as connection:
        indexes = {
            tuple(
                column
                for (column,) in connection.execute(
                    "SELECT name FROM pragma_index_info(?) ORDER BY seqno", (index,)
                )
            )
            for (index,) in connection.execute("SELECT name FROM pragma_index_list('symtoken')")
        }
        columns = [
            name for (name,) in connection.execute("SELECT name FROM pragma_table_info('symtoken')")
        ]
    assert indexes == {
        ("symbol",),
        ("brsymbol",),
        ("exchange",),
        ("brexchange",),
        ("token",),
        ("symbol", "exchange"),
        ("brsymbol", "exchange"),
    }
    assert columns == [
        "id",
        "symbol",
        "brsymbol",
        "name",
        "exchange",
        "brexchange",
        "token",
        "expiry",
        "strike",
        "lotsize",
        "instrumenttype",
        "tick_size",
        "contract_value",
    ]


@pytest.mark.parametrize("url", ["mysql://", "postgresql://"])
def test_table_can_be_made_on_other_databases(url: str) -> None:
    dialect = make_url(url).get_dialect()()
    ddl = str(CreateTable(symtoken).compile(dialect=dialect))
    assert "strike FLOAT(53)" in ddl
    for index in symtoken.indexes:
        assert "ON symtoken" in str(CreateIndex(index).compile(dialect=dialect))


def test_replaces_everything_and_counts(engine: Engine, path: Path) -> None:
    assert replace_contract(engine, rows("old", 12_345)) == 12_345
    assert contents(path) == {"old": 12_345}
    assert replace_contract(engine, rows("new", 10_000)) == 10_000
    assert contents(path) == {"new": 10_000}
    assert replace_contract(engine, []) == 0
    assert contents(path) == {}


def test_every_value_arrives(engine: Engine, path: Path) -> None:
    row: dict[str, object] = {
        "symbol": "NIFTY25AUG2625000CE",
        "brsymbol": "NIFTY26AUG25000CE",
        "name": "NIFTY",
        "exchange": "NFO",
        "brexchange": "NFO",
        "token": "0042",
        "expiry": "25-AUG-26",
        "strike": 76300.05,
        "lotsize": 65,
        "instrumenttype": "CE",
        "tick_size": 0.05,
        "contract_value": None,
    }
    replace_contract(engine, [row])
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        (found,) = connection.execute("SELECT * FROM symtoken").fetchall()
    assert dict(found) == {"id": 1, **row}


def test_values_without_a_column_are_left_out(engine: Engine, path: Path) -> None:
    small = Table(
        "symtoken",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("symbol", String(64)),
        Column("name", String(64)),
    )
    assert replace_contract(engine, rows("old", 6_000), small) == 6_000
    assert contents(path) == {"old": 6_000}


@pytest.mark.parametrize("number", [0, 10, 20_000])
def test_rows_that_fail_leave_the_old_contract(engine: Engine, path: Path, number: int) -> None:
    replace_contract(engine, rows("old", 100))
    with pytest.raises(Interrupted):
        replace_contract(engine, broken("new", number))
    assert contents(path) == {"old": 100}
    assert replace_contract(engine, rows("new", 5)) == 5


def test_rows_that_fail_leave_no_contract_behind(engine: Engine, path: Path) -> None:
    with pytest.raises(Interrupted):
        replace_contract(engine, broken("new", 20_000))
    assert tables(path) == [("dataloaders_versions",)]


def test_the_version_moves_with_the_contract_and_with_nothing_else(
    engine: Engine, path: Path
) -> None:
    def version() -> str:
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute("SELECT name, version FROM dataloaders_versions").fetchall()
        [(name, found)] = rows
        assert name == "symtoken"
        return str(found)

    replace_contract(engine, rows("old", 100))
    first = version()
    with pytest.raises(Interrupted):
        replace_contract(engine, broken("new", 10))
    assert version() == first
    replace_contract(engine, rows("new", 100))
    assert version() != first


@pytest.fixture
def server(postgresql_url: str) -> Iterator[Engine]:
    """A PostgreSQL schema without tables."""
    server = create_engine(postgresql_url, poolclass=NullPool)
    with server.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA contracts")
    url = make_url(postgresql_url).update_query_dict({"options": "-csearch_path=contracts"})
    engine = create_engine(url)
    yield engine
    engine.dispose()
    with server.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA contracts CASCADE")


@pytest.mark.parametrize("watched", [False, True])
def test_of_contracts_that_come_at_once_one_is_left(server: Engine, *, watched: bool) -> None:
    replace_contract(server, rows("old", 50))
    if watched:
        watch_table(server, symtoken)
    for _ in range(3):
        all_ready = threading.Barrier(3)

        def replace(name: str, all_ready: threading.Barrier = all_ready) -> int:
            all_ready.wait(SECONDS)
            return replace_contract(server, rows(name, 2_000))

        replacing = [spawn(replace, name) for name in ("one", "two", "three")]
        assert [each.result(SECONDS) for each in replacing] == [2_000] * 3
        with server.connect() as connection:
            query = text("SELECT count(*), count(DISTINCT name) FROM symtoken")
            assert connection.execute(query).one() == (2_000, 1)


def test_row_that_the_database_refuses_leaves_the_old_contract(engine: Engine, path: Path) -> None:
    replace_contract(engine, rows("old", 100))
    bad: list[dict[str, object]] = [
        *rows("new", 7_000),
        {"symbol": None, "brsymbol": "B", "name": "", "exchange": "NSE"},
    ]
    with pytest.raises(Exception, match="NOT NULL"):
        replace_contract(engine, bad)
    assert contents(path) == {"old": 100}


def test_engine_in_autocommit_mode_is_one_transaction_too(path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}", isolation_level="AUTOCOMMIT")
    try:
        replace_contract(engine, rows("old", 100))
        assert contents(path) == {"old": 100}
        with pytest.raises(Interrupted):
            replace_contract(engine, broken("new", 20_000))
        assert contents(path) == {"old": 100}
    finally:
        engine.dispose()


def test_engine_that_begins_by_itself(path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def _(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None

    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    try:
        replace_contract(engine, rows("old", 100))
        with pytest.raises(Interrupted):
            replace_contract(engine, broken("new", 20_000))
        assert contents(path) == {"old": 100}
    finally:
        engine.dispose()


def test_reader_is_never_shut_out_before_the_commit(engine: Engine, path: Path) -> None:
    number = 40_000  # several times SQLite's page cache
    replace_contract(engine, rows("old", 100))
    seen = []

    def watched() -> Iterator[dict[str, object]]:
        for n, row in enumerate(rows("new", number)):
            if n % 6_000 == 5_999:
                seen.append(contents(path, timeout=0))
            yield row

    replace_contract(engine, watched())
    assert seen == [{"old": 100}] * 6
    assert contents(path) == {"new": number}


def test_connection_goes_back_as_it_came(engine: Engine) -> None:
    with engine.connect() as connection:
        before = connection.exec_driver_sql("PRAGMA cache_spill").scalar()
    replace_contract(engine, rows("old", 100))
    with engine.connect() as connection:
        after = connection.exec_driver_sql("PRAGMA cache_spill").scalar()
    assert before == after != 0


def test_no_lock_is_held_while_the_source_makes_its_first_rows(engine: Engine, path: Path) -> None:
    replace_contract(engine, rows("old", 1))

    def slow() -> Iterator[dict[str, object]]:
        with closing(sqlite3.connect(path, timeout=0)) as other:
            other.execute("CREATE TABLE positions (id)")
        yield from rows("new", 2)

    assert replace_contract(engine, slow()) == 2


def test_readers_see_the_old_contract_or_the_new_one(engine: Engine, path: Path) -> None:
    replace_contract(engine, rows("a", 9_000))
    stop = threading.Event()
    started = threading.Barrier(2)
    seen: list[dict[str, int]] = []
    failures: list[BaseException] = []

    def read() -> None:
        try:
            seen.append(contents(path))
            started.wait()
            while not stop.is_set():
                seen.append(contents(path, timeout=30))
        except BaseException as error:  # noqa: BLE001 - reported by the test
            failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    started.wait()
    for name, number in (("b", 14_000), ("c", 11_000), ("a", 9_000), ("b", 14_000)):
        replace_contract(engine, rows(name, number))
    stop.set()
    reader.join()
    assert failures == []
    assert len(seen) > 10
    whole = ({"a": 9_000}, {"b": 14_000}, {"c": 11_000})
    assert [each for each in seen if each not in whole] == []


def test_another_writer_is_reported_and_nothing_changes(path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 0.05})
    try:
        replace_contract(engine, rows("old", 100))
        with closing(sqlite3.connect(path)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(OperationalError, match="locked"):
                replace_contract(engine, rows("new", 5))
            other.rollback()
        assert contents(path) == {"old": 100}
    finally:
        engine.dispose()


def instrument(number: int, *, prefix: str = "") -> str:
    return f"{prefix}{number},{number},S{number},new,0,,0,0.05,1,EQ,NSE,NSE"


def test_import_reports_what_it_left_out(engine: Engine, path: Path, tmp_path: Path) -> None:
    source = tmp_path / "instruments"
    lines = [
        HEADER,
        *(instrument(n) for n in range(8_000)),
        instrument(0),
        instrument(9, prefix="x"),
    ]
    source.write_bytes(gzip.compress("\n".join(lines).encode()))
    calls: list[tuple[int, int | None]] = []
    report = import_contract(engine, source, progress=lambda *call: calls.append(call))
    assert report.imported == 8_000
    assert [(row.line, row.reason) for row in report.rejected] == [
        (8_002, "S0 on NSE is on line 2 already"),
        (8_003, "instrument_token is not a number: 'x9'"),
    ]
    assert contents(path) == {"new": 8_000}
    assert calls[-1] == (source.stat().st_size, source.stat().st_size)


def test_import_of_a_truncated_file_leaves_the_old_contract(
    engine: Engine, path: Path, tmp_path: Path
) -> None:
    replace_contract(engine, rows("old", 100))
    source = tmp_path / "instruments.csv.gz"
    lines = "\n".join([HEADER, *(instrument(n) for n in range(12_000))])
    source.write_bytes(gzip.compress(lines.encode())[:-8])
    with pytest.raises(ContractFormatError, match="a whole gzip file"):
        import_contract(engine, str(source))
    assert contents(path) == {"old": 100}


def test_import_stopped_by_its_progress_leaves_the_old_contract(
    engine: Engine, path: Path, tmp_path: Path
) -> None:
    replace_contract(engine, rows("old", 100))
    source = tmp_path / "instruments.csv"
    source.write_text("\n".join([HEADER, *(instrument(n) for n in range(20_000))]))

    def stop(done: int, total: int | None) -> None:
        assert total is not None
        if done > total * 0.8:
            raise Interrupted

    with pytest.raises(Interrupted):
        import_contract(engine, source, progress=stop)
    assert contents(path) == {"old": 100}
