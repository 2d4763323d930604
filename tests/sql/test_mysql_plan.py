"""The statements that reach MariaDB and MySQL, and which way these go for them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, event, make_url
from sqlalchemy.exc import ProgrammingError

from dataloaders.sql import GroupedTableLoader, TableLoader
from dataloaders.sql.connections import OnConnection
from dataloaders.sql.plan import MAX_ROWS
from dataloaders.sql.plans import plan_for
from dataloaders.symbols import SymbolLoader, generate_contract, symtoken
from tests.databases import KINDS
from tests.sql.test_sqlite_plan import COLUMNS, CREATE_TABLE, INDEXES, LAYOUTS, LOADERS, SIZES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, Engine

pytestmark = pytest.mark.timeout(120)

ROWS = 6_000

Pair = tuple[str | None, str | None]


class Contract:
    """A generated contract in a database of its own, and who has which keys in it."""

    def __init__(self, server_url: str) -> None:
        with create_engine(server_url).connect() as connection:
            connection.exec_driver_sql("CREATE DATABASE contract CHARACTER SET utf8mb4")
        self.engine = create_engine(make_url(server_url).set(database="contract"))
        rows = [tuple(row[name] for name in COLUMNS) for row in generate_contract(ROWS)]
        # Rows without an exchange, one of them a twin of a row that has one.
        rows.append(("GOLDUNIT", "GOLDUNIT", "", None, None, "7", *rows[0][6:]))
        rows.append((*rows[10][:3], None, None, *rows[10][5:]))
        marks = ", ".join(["%s"] * len(COLUMNS))
        with self.engine.begin() as connection:
            connection.exec_driver_sql(_create("original"))
            connection.exec_driver_sql(
                f"INSERT INTO original ({', '.join(COLUMNS)}) VALUES ({marks})",  # noqa: S608 - of constants
                rows,
            )
            for column in LOADERS:
                connection.exec_driver_sql(
                    f"CREATE INDEX by_{column} ON original ({column}, exchange)"
                )
        self._ids: dict[tuple[str, Pair], int | None] = {}

    def close(self) -> None:
        with self.engine.connect() as connection:
            connection.exec_driver_sql("DROP DATABASE contract")
        self.engine.dispose()

    def lay_out(self, indexes: Sequence[str], *, analyzed: bool) -> None:
        """Makes the loaders' table with these indexes, and statistics of now or of no rows."""
        with self.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE IF EXISTS symtoken")
            connection.exec_driver_sql(f"{_create('symtoken')} STATS_AUTO_RECALC = 0")
            for name in indexes:
                connection.exec_driver_sql(
                    f"CREATE INDEX {name} ON symtoken ({', '.join(INDEXES[name])})"
                )
            connection.exec_driver_sql("ANALYZE TABLE symtoken").close()
            connection.exec_driver_sql("INSERT INTO symtoken SELECT * FROM original")
        if analyzed:
            with self.engine.connect() as connection:
                connection.exec_driver_sql("ANALYZE TABLE symtoken").close()

    def keys(self, column: str) -> list[Pair]:
        """Keys in an order that has nothing to do with the rows', some of them unknown."""
        with self.engine.connect() as connection:
            statement = f"SELECT {column}, exchange FROM original ORDER BY id"  # noqa: S608 - of constants
            found = [(row[0], row[1]) for row in connection.exec_driver_sql(statement)]
        somewhere = list(dict.fromkeys(key for key in found if key[1] is not None))
        unknown = [(f"NO{number}", "NFO") for number in range(ROWS // 10)]
        unknown += [(key[0], "NOWHERE") for key in somewhere[: ROWS // 10]]
        shuffled = somewhere + unknown
        random.Random(column).shuffle(shuffled)
        return shuffled + [key for key in found if key[1] is None]

    def ids(self, column: str, keys: Sequence[Pair]) -> list[int | None]:
        """The ids of the rows that one query per key finds."""
        statement = f"SELECT min(id) FROM original WHERE {column} <=> %s AND exchange <=> %s"  # noqa: S608 - of constants
        with self.engine.connect() as connection:
            for key in keys:
                if (column, key) not in self._ids:
                    [[found]] = connection.exec_driver_sql(statement, key)
                    self._ids[column, key] = found
        return [self._ids[column, key] for key in keys]


def _create(table: str) -> str:
    statement = CREATE_TABLE.replace("symtoken", table)
    return statement.replace("PRIMARY KEY", "PRIMARY KEY AUTO_INCREMENT")


@pytest.fixture(scope="module", params=KINDS[2:])
def contract(request: pytest.FixtureRequest) -> Iterator[Contract]:
    contract = Contract(request.getfixturevalue(f"{request.param}_url"))
    yield contract
    contract.close()


class Watched:
    """An engine, every statement that it is sent, and what its database makes of them."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._sent: list[tuple[str, Any]] = []
        event.listen(engine, "before_cursor_execute", self._note)

    def close(self) -> None:
        event.remove(self.engine, "before_cursor_execute", self._note)

    def _note(self, *call: Any) -> None:  # noqa: ANN401 - of many types
        self._sent.append((call[2], call[3]))

    def asked(self) -> list[tuple[str, Any]]:
        """Returns the statements since the last time, without those about the table itself."""
        sent = [(text, given) for text, given in self._sent if " AS column_0" in text]
        self._sent.clear()
        return sent

    def accesses(self, statement: str, parameters: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - the driver's
        """Returns the kind of each access to the table, and the first column of its index."""
        steps = self.steps(statement, parameters)
        return [
            (step["type"], INDEXES.get(step["key"], ("none",))[0])
            for step in steps
            if step["table"] in {"symtoken", "limited"}
        ]

    def steps(self, statement: str, parameters: Any) -> Sequence[Any]:  # noqa: ANN401 - the driver's
        """Returns what the database would do, in its order."""
        is_mariadb = getattr(self.engine.dialect, "is_mariadb", False)
        explain = "EXPLAIN" if is_mariadb else "EXPLAIN FORMAT=TRADITIONAL"
        with self.engine.connect() as connection:
            rows = connection.exec_driver_sql(f"{explain} {statement}", parameters).mappings().all()
        self._sent.clear()
        return rows


@pytest.fixture(
    scope="module",
    params=[(layout, analyzed) for layout in LAYOUTS for analyzed in (False, True)],
    ids=lambda param: f"{param[0]}, {'with' if param[1] else 'without'} ANALYZE",
)
def laid_out(request: pytest.FixtureRequest, contract: Contract) -> Engine:
    layout, analyzed = request.param
    contract.lay_out(LAYOUTS[layout], analyzed=analyzed)
    # A new one, whose plans know nothing of the layout before.
    return create_engine(contract.engine.url)


@pytest.fixture
def watched(laid_out: Engine) -> Iterator[Watched]:
    watched = Watched(laid_out)
    yield watched
    watched.close()
    laid_out.dispose()


def ids_of(records: list[Any]) -> list[int | None]:
    return [None if record is None else record.id for record in records]


@pytest.mark.parametrize("column", LOADERS)
def test_each_batch_is_one_statement_that_finds_its_way_by_the_selective_column(
    watched: Watched, contract: Contract, column: str
) -> None:
    texts = set()
    for size in SIZES:
        keys = [key for key in contract.keys(column) if key[1] is not None][:size]
        assert len(keys) == size

        records = LOADERS[column](watched.engine).get_many(keys)

        [(statement, parameters)] = watched.asked()
        [(kind, indexed)] = watched.accesses(statement, parameters)
        assert kind in {"ref", "eq_ref", "range"}
        assert indexed == column
        assert ids_of(records) == contract.ids(column, keys)
        if size > 1:
            texts.add(statement)
    assert len(texts) == 1


@pytest.mark.parametrize("size", [2, 50])
@pytest.mark.parametrize("column", LOADERS)
def test_so_does_a_batch_with_keys_that_have_no_exchange(
    watched: Watched, contract: Contract, column: str, size: int
) -> None:
    keys = contract.keys(column)[-size:]
    assert keys[-1][1] is None

    records = LOADERS[column](watched.engine).get_many(keys)

    for statement, parameters in watched.asked():
        assert {access[1] for access in watched.accesses(statement, parameters)} == {column}
    assert ids_of(records) == contract.ids(column, keys)
    assert None not in ids_of(records)[-2:]


@pytest.fixture
def table(contract: Contract) -> Iterator[Watched]:
    """The contract with all indexes, and statistics of no rows."""
    contract.lay_out(tuple(INDEXES), analyzed=False)
    engine = create_engine(contract.engine.url)
    yield Watched(engine)
    engine.dispose()


def test_an_index_that_is_dropped_is_not_gone_by(table: Watched, contract: Contract) -> None:
    keys = [key for key in contract.keys("symbol") if key[1] is not None][:50]
    SymbolLoader(table.engine).get_many(keys)
    with table.engine.begin() as connection:
        connection.exec_driver_sql("DROP INDEX ix_symbol_exchange ON symtoken")
    table.asked()

    records = SymbolLoader(table.engine).get_many(keys)

    assert ids_of(records) == contract.ids("symbol", keys)
    assert table.accesses(*table.asked()[-1]) == [("ref", "symbol")]


def test_nor_is_one_that_is_hidden(table: Watched, contract: Contract) -> None:
    with table.engine.begin() as connection:
        hidden = "IGNORED" if getattr(connection.dialect, "is_mariadb", False) else "INVISIBLE"
        connection.exec_driver_sql(f"ALTER TABLE symtoken ALTER INDEX ix_symbol_exchange {hidden}")
    keys = [key for key in contract.keys("symbol") if key[1] is not None][:50]

    records = SymbolLoader(table.engine).get_many(keys)

    assert ids_of(records) == contract.ids("symbol", keys)
    [(statement, parameters)] = table.asked()
    assert table.accesses(statement, parameters) == [("ref", "symbol")]


def test_all_parts_of_the_key_lead_into_an_index_that_has_them(
    table: Watched, contract: Contract
) -> None:
    class Chains(GroupedTableLoader[Any]):
        table, key, columns, record = symtoken, ("exchange", "symbol"), ("id",), int

    keys = [key[::-1] for key in contract.keys("symbol") if key[1] is not None][:50]
    found: list[Any] = Chains(table.engine).get_many(keys)

    [(statement, parameters)] = table.asked()
    assert table.accesses(statement, parameters) == [("ref", "symbol")]
    expected = contract.ids("symbol", [key[::-1] for key in keys])
    assert [next(iter(ids), None) for ids in found] == expected


def test_without_an_index_the_keys_still_come_first(table: Watched) -> None:
    class ByName(GroupedTableLoader[Any]):
        table, key, columns, record = symtoken, ("name", "lotsize"), ("id",), int

    with table.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM symtoken WHERE id > 2")
        connection.exec_driver_sql("ANALYZE TABLE symtoken").close()
    ByName(table.engine).get_many([("NIFTY", 65), ("BANKNIFTY", 30)])

    [(statement, parameters)] = table.asked()
    assert table.steps(statement, parameters)[0]["table"] == "dataloader_keys"


def test_a_hundred_thousand_keys_are_one_text(table: Watched, contract: Contract) -> None:
    known = [key for key in contract.keys("symbol") if key[1] is not None]
    unknown = [(f"MISS{number}", "NSE") for number in range(100_000 - len(known))]
    keys = [*unknown[:50_000], *known, *unknown[50_000:]]

    records = SymbolLoader(table.engine).get_many(keys)

    asked = table.asked()
    assert len({statement for statement, _ in asked}) == 1
    assert 10 <= len(asked) <= 30
    rest = [None] * len(unknown[50_000:])
    assert ids_of(records) == [None] * 50_000 + contract.ids("symbol", known) + rest


@pytest.mark.parametrize("code", [1064, 1305])
def test_a_server_without_json_tables_is_asked_as_any_other(
    table: Watched, contract: Contract, code: int
) -> None:
    keys = [key for key in contract.keys("symbol") if key[1] is not None][:50]
    with table.engine.connect() as connection:
        plan = plan_for(table.engine, SymbolLoader, SymbolLoader.definition())
        rows = plan.rows(Lacking(connection, code), keys)
        plan.rows(Lacking(connection, code), keys)
    assert len(rows) == 50 - contract.ids("symbol", keys).count(None)
    assert all("UNION ALL" in statement for statement, _ in table.asked())


def test_long_keys_are_a_few_statements_of_a_size_that_servers_take(table: Watched) -> None:
    keys = [(f"{number}{'x' * 30_000}", "NSE") for number in range(100)]
    assert SymbolLoader(table.engine).get_many([*keys, ("y" * 2_000_000, "NSE")]) == [None] * 101
    sizes = [len(str(parameters)) for _, parameters in table.asked()]
    assert len(sizes) < 25
    *usual, longest = sorted(sizes)
    assert usual[-1] < 2**20 < longest


def test_rows_by_prefix_come_by_index_and_no_more_of_each_than_are_worth_having(
    table: Watched,
) -> None:
    class ByExchange(TableLoader[Any]):
        table, key, columns, record = symtoken, ("exchange", "symbol"), ("id",), int

    shared = [(name,) for name in ("NFO", "NSE_INDEX", "NO", "BSE", None)]
    with table.engine.connect() as connection:
        plan = plan_for(table.engine, ByExchange, ByExchange.definition())
        rows = plan.rows_by_prefix(OnConnection(connection), shared)
        statement = "SELECT count(*) FROM original WHERE exchange <=> %s"
        counts = [connection.exec_driver_sql(statement, each).scalar_one() for each in shared]
    asked = table.asked()
    assert sorted(row[0] for row in rows) == [
        position for position, count in enumerate(counts) for _ in range(min(count, MAX_ROWS + 1))
    ]
    assert {0, 2, MAX_ROWS + 1} <= {min(count, MAX_ROWS + 1) for count in counts}
    with table.engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT id, symbol FROM original").all()
    assert {(row[-1], row[-2]) for row in rows} <= {tuple(row) for row in found}
    accesses = [access for each in asked for access in table.accesses(*each)]
    assert set(accesses) <= {("ref", "exchange"), ("range", "exchange")}


class Lacking(OnConnection):
    """A connection to a database that has no JSON_TABLE, and says so with an error's code."""

    def __init__(self, connection: Connection, code: int) -> None:
        super().__init__(connection)
        self._code = code

    def inquire(self, text: str, parameters: Any) -> Any:  # noqa: ANN401 - as Connected
        if "json_table" in text:
            raise ProgrammingError(text, parameters, Exception(self._code, "no such function"))
        return super().inquire(text, parameters)
