"""PostgreSQL's statement: one text for any number of keys, and by index for each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    insert,
    make_url,
    select,
)
from sqlalchemy.pool import NullPool

from dataloaders.sql import GroupedTableLoader, TableLoader
from dataloaders.sql.plan import MAX_KEYS
from dataloaders.symbols import (
    SymbolLoader,
    SymbolMaster,
    generate_contract,
    replace_contract,
    symtoken,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine

pytestmark = pytest.mark.timeout(120)

ROWS = 6_000


def things() -> Table:
    return Table(
        "things",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("part", Text, index=True),
        Column("place", String, index=True),
    )


def test_a_hundred_thousand_keys(postgresql: Engine) -> None:
    table = things()
    table.create(postgresql)
    rows = [{"id": n, "part": f"P{n}", "place": "X" if n % 7 else None} for n in range(2_000)]
    with postgresql.begin() as connection:
        connection.execute(insert(table), rows)
        connection.exec_driver_sql("ANALYZE things")

    class Things(GroupedTableLoader[Any]):
        pass

    Things.table, Things.key = table, ("part", "place")
    statements: list[str] = []
    event.listen(postgresql, "before_cursor_execute", lambda *call: statements.append(call[2]))

    found = Things(postgresql).get_many(
        [(f"P{n}", place) for n in range(50_000) for place in ("X", None)]
    )

    assert [record.id for records in found for record in records or ()] == list(range(2_000))
    assert len(statements) == 10
    assert len(set(statements)) == 2


def test_an_empty_text_that_is_alone_in_its_statement_is_found(postgresql: Engine) -> None:
    table = things()
    table.create(postgresql)
    with postgresql.begin() as connection:
        connection.execute(insert(table), {"id": 7, "part": "", "place": ""})

    class Things(TableLoader[Any]):
        pass

    Things.table, Things.key = table, ("part", "place")
    keys = [(f"P{n}", "X") for n in range(MAX_KEYS)]

    found = Things(postgresql).get_many([*keys, ("", "")])

    assert found[:-1] == [None] * MAX_KEYS
    assert [record.id for record in found[-1:] if record] == [7]


def test_batches_of_all_sizes_are_one_text(postgresql: Engine) -> None:
    table = things()
    table.create(postgresql)

    class Things(TableLoader[Any]):
        pass

    Things.table, Things.key = table, ("part", "place")
    statements: set[str] = set()
    event.listen(postgresql, "before_cursor_execute", lambda *call: statements.add(call[2]))
    for size in (2, 3, 50, 1_000):
        assert Things(postgresql).get_many([(f"P{n}", "X") for n in range(size)]) == [None] * size
    assert len(statements) == 1


# -- which way PostgreSQL goes

LOADERS = ("symbol", "brsymbol", "token")

SINGLE = ("exchange", "brexchange", "symbol", "brsymbol", "token")


def with_indexes_of_one_column() -> Table:
    """The contract as an application may have it."""
    table = symtoken.to_metadata(MetaData())
    for index in list(table.indexes):
        if len(index.columns) > 1:
            table.indexes.remove(index)
    return table


LAYOUTS: dict[str, tuple[Table, list[tuple[str, ...]]]] = {
    "every index": (symtoken, [("symbol", "exchange"), ("brsymbol", "exchange")]),
    "none of two columns": (with_indexes_of_one_column(), []),
}

INDEXED = {"Index Scan", "Index Only Scan", "Bitmap Index Scan"}

SIZES = (1, 2, 10, 50, 500, 1_000, 5_000)

Sent = list[tuple[str, Any]]


@dataclass
class Contract:
    """A contract, and the table that it is in as the application declares it."""

    engine: Engine
    table: Table

    def sent_for(self, column: str, ask: Callable[[TableLoader[Any]], object]) -> Sent:
        """The statements that a loader sends, with their parameters."""
        sent: Sent = []
        engine = create_engine(self.engine.url)
        event.listen(engine, "before_cursor_execute", lambda *call: sent.append((call[2], call[3])))
        master = SymbolMaster(engine, self.table)
        with master.scope():
            loaders: dict[str, TableLoader[Any]] = {
                "symbol": master.symbols,
                "brsymbol": master.broker_symbols,
                "token": master.tokens,
            }
            ask(loaders[column])
        master.close()
        engine.dispose()
        return sent

    def keys(self, column: str) -> list[tuple[str, str]]:
        """Keys of the exchange that most of the rows have."""
        with self.engine.connect() as connection:
            query = select(symtoken.c[column]).where(symtoken.c.exchange == "NFO").distinct()
            return [(value, "NFO") for value in connection.scalars(query)]


@pytest.fixture(
    scope="module",
    params=[(layout, analyzed) for layout in LAYOUTS for analyzed in (True, False)],
    ids=lambda param: f"{param[0]}, {'with' if param[1] else 'without'} statistics",
)
def contract(request: pytest.FixtureRequest, postgresql_url: str) -> Iterator[Contract]:
    """A contract in a schema of its own, which nobody else gathers statistics of."""
    layout, analyzed = request.param
    table, pairs = LAYOUTS[layout]
    server = create_engine(postgresql_url)
    with server.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA planned")
    url = make_url(postgresql_url).update_query_dict({"options": "-csearch_path=planned"})
    engine = create_engine(url)
    with engine.begin() as connection:
        columns = "id serial PRIMARY KEY, " + ", ".join(
            f"{column.name} {column.type.compile(engine.dialect)}"
            for column in list(symtoken.columns)[1:]
        )
        connection.exec_driver_sql(
            f"CREATE TABLE symtoken ({columns}) WITH (autovacuum_enabled = false)"
        )
        for names in [*[(name,) for name in SINGLE], *pairs]:
            connection.exec_driver_sql(f"CREATE INDEX ON symtoken ({', '.join(names)})")
        connection.execute(insert(symtoken), list(generate_contract(ROWS)))
        connection.execute(insert(symtoken), {"symbol": "NO", "brsymbol": "NO", "token": "0"})
        if analyzed:
            connection.exec_driver_sql("ANALYZE symtoken")
    yield Contract(engine, table)
    engine.dispose()
    with server.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA planned CASCADE")
    server.dispose()


def accesses(engine: Engine, statement: str, parameters: Any, mode: str) -> list[tuple[str, str]]:  # noqa: ANN401 - as the driver has them
    """How tables are read by a prepared statement: the kind of each access and its condition."""
    for number, name in enumerate(parameters, start=1):
        statement = statement.replace(f"%({name})s", f"${number}")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"SET LOCAL plan_cache_mode = force_{mode}_plan")
        types = ", ".join(["text"] * len(parameters))
        connection.exec_driver_sql(f"PREPARE asked ({types}) AS {statement}")
        given = ", ".join("$x$" + value + "$x$" for value in parameters.values())
        explain = f"EXPLAIN (FORMAT JSON) EXECUTE asked ({given})"
        [[plan]] = connection.exec_driver_sql(explain).all()
        connection.exec_driver_sql("DEALLOCATE asked")
    return list(reads(plan[0]["Plan"]))


def reads(plan: dict[str, Any]) -> Iterator[tuple[str, str]]:
    of_the_keys = plan.get("Alias") == "dataloader_keys" and plan["Node Type"] == "Function Scan"
    passed_on = plan["Node Type"] in {"Bitmap Heap Scan", "Subquery Scan"}
    if "Scan" in plan["Node Type"] and not (of_the_keys or passed_on):
        yield plan["Node Type"], plan.get("Index Cond", "")
    for inner in plan.get("Plans", []):
        yield from reads(inner)


def assert_goes_by(column: str, contract: Contract, sent: Sent, *, alone: bool = True) -> None:
    """Each access is by index; and by that column's, where it does not stand alone."""
    assert sent
    for statement, parameters in sent:
        for mode in ("custom", "generic"):
            found = accesses(contract.engine, statement, parameters, mode)
            assert found
            assert {kind for kind, _ in found} <= INDEXED
            conditions = [f"({column})::text =" in condition for _, condition in found]
            assert all(conditions) if alone else any(conditions)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("column", LOADERS)
def test_every_key_is_found_through_an_index_on_the_selective_column(
    contract: Contract, column: str, size: int
) -> None:
    keys = contract.keys(column)
    keys = (keys + [(f"NO{number}", "NFO") for number in range(size)])[:size]
    sent = contract.sent_for(column, lambda loader: loader.get_many(keys))
    assert len(sent) == 1
    # A single key's query is what anybody would write, and so is what the planner makes of it.
    assert_goes_by(column, contract, sent, alone=size > 1)


@pytest.mark.parametrize("column", LOADERS)
def test_so_are_keys_without_an_exchange(contract: Contract, column: str) -> None:
    keys = [*contract.keys(column)[:5], *[(f"NO{number}", None) for number in range(50)]]
    sent = contract.sent_for(column, lambda loader: loader.get_many(keys))
    assert len(sent) == 2
    assert_goes_by(column, contract, sent)


@pytest.mark.parametrize("column", LOADERS)
def test_so_are_the_rows_that_look_ahead_asks_for(contract: Contract, column: str) -> None:
    rows = [{"code": code, "place": place} for code, place in contract.keys(column)[:50]]

    def loop(loader: TableLoader[Any]) -> None:
        for row in rows:
            assert loader.get((row["code"], row["place"])) is not None

    sent = contract.sent_for(column, loop)
    assert len(sent) <= 2
    assert_goes_by(column, contract, sent)


def test_a_plan_that_was_kept_for_a_few_rows_is_made_anew_for_many(postgresql: Engine) -> None:
    engine = create_engine(postgresql.url, pool_size=1, max_overflow=0)
    replace_contract(engine, generate_contract(20))
    for _ in range(20):  # more often than plans are made anew
        SymbolLoader(engine).get_many([("NO", "NSE"), ("NONE", "NSE")])

    replace_contract(create_engine(postgresql.url, poolclass=NullPool), generate_contract(ROWS))

    SymbolLoader(engine).get_many([("NO", "NSE"), ("NONE", "NSE")])
    with engine.connect() as connection:
        prepared = "SELECT name FROM pg_prepared_statements WHERE statement LIKE '%%unnest%%'"
        name = connection.exec_driver_sql(prepared).scalar_one()
        explain = f"EXPLAIN (FORMAT JSON) EXECUTE {name} ('NO', '|', 'NSE')"
        [[plan]] = connection.exec_driver_sql(explain).all()
    engine.dispose()
    assert {kind for kind, _ in reads(plan[0]["Plan"])} == {"Index Scan"}
