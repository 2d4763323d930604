"""Table loaders on PostgreSQL: the answers of one query for each key, found by index."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, insert, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session

from dataloaders.errors import InvalidKeyError
from dataloaders.sql import GroupedTableLoader, TableLoader
from dataloaders.symbols import (
    BrokerSymbolLoader,
    SymbolLoader,
    SymbolMaster,
    TokenLoader,
    generate_contract,
    replace_contract,
    symtoken,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Engine


pytestmark = pytest.mark.timeout(120)

ROWS = 6_000

LOADERS: dict[str, type[Any]] = {
    "symbol": SymbolLoader,
    "brsymbol": BrokerSymbolLoader,
    "token": TokenLoader,
}

Pair = tuple[str, str | None]


class Contract:
    """A generated contract in PostgreSQL, asked through psycopg alone."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        replace_contract(engine, generate_contract(ROWS))
        url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute(
            "INSERT INTO symtoken (id, symbol, brsymbol, exchange, token) VALUES"
            " (900001, 'NOWHERE', 'NOWHERE', NULL, '7'), (900000, 'ALSO', 'NOWHERE', NULL, '7'),"
            " (900002, 'TOKENLESS', 'TOKENLESS', 'NSE', NULL)"
        )
        self._connection.execute("ANALYZE symtoken")

    def close(self) -> None:
        self._connection.close()

    def keys(self, column: str) -> list[Pair]:
        found = self._connection.execute(f"SELECT {column}, exchange FROM symtoken")  # noqa: S608 - of constants
        keys: list[Pair] = list(dict.fromkeys(found.fetchall()))
        keys += [(f"NO{number}", "NFO") for number in range(300)]
        random.Random(column).shuffle(keys)
        return keys

    def shared_keys(self, column: str) -> list[Pair]:
        """Keys that several rows have."""
        found = self._connection.execute(
            f"SELECT {column}, exchange FROM symtoken GROUP BY 1, 2 HAVING count(*) > 1"  # noqa: S608 - of constants
        )
        return [(row[0], row[1]) for row in found.fetchall()]

    def ids(self, column: str, keys: Sequence[tuple[Any, Any]]) -> list[int | None]:
        """The ids of the rows that one query per key finds."""
        ids = []
        for key in keys:
            statement = (
                f"SELECT id FROM symtoken WHERE {column} IS NOT DISTINCT FROM %s"  # noqa: S608 - of constants
                " AND exchange IS NOT DISTINCT FROM %s ORDER BY id LIMIT 1"
            )
            row = self._connection.execute(statement, key).fetchone()
            ids.append(None if row is None else int(row[0]))
        return ids


@pytest.fixture(scope="module")
def contract(postgresql_url: str) -> Iterator[Contract]:
    engine = create_engine(postgresql_url)
    contract = Contract(engine)
    yield contract
    contract.close()
    symtoken.drop(engine)
    engine.dispose()


def ids_of(records: list[Any]) -> list[int | None]:
    return [None if record is None else record.id for record in records]


@pytest.mark.parametrize("size", [1, 2, 10, 50, 500])
@pytest.mark.parametrize("column", LOADERS)
def test_answers_are_those_of_one_query_for_each_key(
    contract: Contract, column: str, size: int
) -> None:
    keys = contract.keys(column)[:size]
    assert len(keys) == size
    assert ids_of(LOADERS[column](contract.engine).get_many(keys)) == contract.ids(column, keys)


@pytest.mark.parametrize("column", LOADERS)
def test_parts_that_are_null_and_keys_that_several_rows_have(
    contract: Contract, column: str
) -> None:
    keys: list[tuple[Any, Any]] = [
        ("NOWHERE", None),
        ("7", None),
        ("7", "NSE"),
        (None, "NSE"),
        (None, None),
        *contract.shared_keys(column),
    ]
    assert (len(contract.shared_keys(column)) > 1) == (column != "symbol")
    expected = contract.ids(column, keys)
    assert set(expected) != {None}
    loader = LOADERS[column]
    assert ids_of(loader(contract.engine).get_many(keys)) == expected
    assert ids_of([loader(contract.engine).get(key) for key in keys]) == expected


def test_several_rows_of_one_key_give_the_lowest_id(contract: Contract) -> None:
    assert ids_of([BrokerSymbolLoader(contract.engine).get(("NOWHERE", None))]) == [900_000]
    assert ids_of(TokenLoader(contract.engine).get_many([("7", None), ("8", None)])) == [
        900_000,
        None,
    ]


def test_a_token_may_be_a_number(contract: Contract) -> None:
    keys = [key for key in contract.keys("token") if key[0] and key[0].isdecimal()][:40]
    numeric = [(int(token), exchange) for token, exchange in keys]

    loader = TokenLoader(contract.engine)

    assert ids_of(loader.get_many(numeric)) == contract.ids("token", keys)
    assert ids_of([TokenLoader(contract.engine).get(key) for key in numeric[:5]]) == contract.ids(
        "token", keys[:5]
    )


def test_whole_records_come_back(contract: Contract) -> None:
    row = next(iter(generate_contract(ROWS)))
    record = SymbolLoader(contract.engine).get((row["symbol"], row["exchange"]))
    assert {name: getattr(record, name) for name in row} == row


def test_a_session_shows_what_its_transaction_has_not_committed(contract: Contract) -> None:
    with Session(contract.engine) as session:
        session.execute(insert(symtoken).values(symbol="NEW", brsymbol="NEW", exchange="NSE"))
        record = SymbolLoader(session).get(("NEW", "NSE"))
        assert record is not None
        assert record.brsymbol == "NEW"
        assert SymbolLoader(contract.engine).get(("NEW", "NSE")) is None


def test_an_async_engine(contract: Contract) -> None:
    keys = contract.keys("symbol")[:60]

    async def ask() -> list[Any]:
        engine = create_async_engine(contract.engine.url)
        loader = SymbolLoader(engine)
        try:
            gathered = await asyncio.gather(*[loader.load(key) for key in keys[:30]])
            return [*gathered, *await loader.load_many(keys[30:])]
        finally:
            await engine.dispose()

    assert ids_of(asyncio.run(ask())) == contract.ids("symbol", keys)


def test_the_lookups(contract: Contract) -> None:
    row = next(iter(generate_contract(ROWS)))
    token, exchange = str(row["token"]), str(row["exchange"])
    master = SymbolMaster(contract.engine)
    with master.scope():
        assert master.get_symbol(int(token), exchange) == row["symbol"]
        assert master.get_token(str(row["symbol"]), exchange) == token
        assert master.get_tokens_batch([("NO", "NSE")]) == {("NO", "NSE"): None}
    master.close()


def test_groups(postgresql: Engine) -> None:
    table = Table(
        "parts", MetaData(), Column("id", Integer, primary_key=True), Column("of", String(20))
    )
    table.create(postgresql)
    with postgresql.begin() as connection:
        rows = [{"id": number, "of": f"g{number % 50}"} for number in range(200, 0, -1)]
        connection.execute(insert(table), [*rows, {"id": 999, "of": None}])
    attributes = {"table": table, "key": ("of",), "columns": ("id",), "record": int}
    loader = type("PartLoader", (GroupedTableLoader,), attributes)(postgresql)

    answers = loader.get_many([*[f"g{number}" for number in range(60)], (None,)])

    for number in range(50):
        assert answers[number] == [n for n in range(1, 201) if n % 50 == number]
    assert answers[50:] == [[]] * 10 + [[999]]


def test_a_number_beyond_its_column_fails_nobody_else(postgresql: Engine) -> None:
    table = Table("small", MetaData(), Column("id", Integer, primary_key=True))
    table.create(postgresql)
    with postgresql.begin() as connection:
        connection.execute(text("INSERT INTO small VALUES (1), (2147483647)"))
    attributes = {"table": table, "key": ("id",), "record": int}
    loader: TableLoader[Any] = type("SmallLoader", (TableLoader,), attributes)(postgresql)

    try:
        answers = loader.get_many([1, 2**31, 2**31 - 1])
    except InvalidKeyError:
        answers = loader.get_many([1, 2**31 - 1])
    assert [answer for answer in answers if answer is not None] == [1, 2**31 - 1]
