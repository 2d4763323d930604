"""Tables that are spread over several databases: who is asked for what, and who fails whom."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import (
    Column,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    insert,
    text,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool, SingletonThreadPool, StaticPool
from sqlalchemy.util import await_only

from dataloaders.dispatch.workers import MAX_WORKERS, workers
from dataloaders.errors import AsyncOnlyError, ConfigurationError, NoShardError
from dataloaders.sql import GroupedTableLoader, Replicas, Shards
from dataloaders.symbols import (
    BrokerSymbolLoader,
    SymbolLoader,
    SymbolMaster,
    TokenLoader,
    generate_contract,
    replace_contract,
    symtoken,
)
from tests.sql.source_helpers import (
    Relay,
    ask_somehow,
    async_engine_of,
    fill,
    many,
    names,
    names_by_query,
    notes_of,
    pool_of,
    run,
    statements_of,
    users,
    users_on,
)
from tests.threads import SECONDS, run_green, spawn, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from dataloaders import DataLoader
    from tests.sql.conftest import EngineMaker

pytestmark = pytest.mark.timeout(60)

WAYS = ("get", "get_many", "load", "load_many")

LOADERS: dict[str, type[Any]] = {
    "symbol": SymbolLoader,
    "brsymbol": BrokerSymbolLoader,
    "token": TokenLoader,
}

# -- a master contract by exchange

SHARD_OF = {"NSE": "cash", "BSE": "cash", "NFO": "futures", "BFO": "futures"}
NAMES = ("cash", "futures", "rest")


@dataclass
class Spread:
    """A contract in three databases, each of which has rows that belong to the others as well.

    Those are decoys: whoever asks the wrong shard finds something, and it is wrong.
    """

    engines: dict[str, Engine]
    rows: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        generated = [dict(row) for row in generate_contract(3_000)]
        nowhere = [
            {"symbol": "NOWHERE", "brsymbol": "NOWHERE", "exchange": None, "token": "7"},
            {"symbol": "ALSO", "brsymbol": "NOWHERE", "exchange": None, "token": "7"},
            {"symbol": "TOKENLESS", "brsymbol": "TOKENLESS", "exchange": "NSE", "token": None},
        ]
        self.rows = generated + nowhere
        for name, engine in self.engines.items():
            own = [row | {"name": name} for row in self.rows if self.shard_of(row) == name]
            others = [row for row in self.rows if self.shard_of(row) != name]
            decoys = [row | {"name": f"decoy of {name}"} for row in others[:: len(others) // 150]]
            replace_contract(engine, generated[:1])  # makes the table
            with engine.begin() as connection:
                connection.execute(symtoken.delete())
                for row in own + decoys:
                    connection.execute(insert(symtoken), row)

    @staticmethod
    def shard_of(row: Mapping[str, Any]) -> str:
        return SHARD_OF.get(row["exchange"], "rest")

    def shards(self, make: Callable[[Engine], Any]) -> Shards:
        binds = {name: make(engine) for name, engine in self.engines.items()}
        by_exchange = {exchange: binds[name] for exchange, name in SHARD_OF.items()}
        return Shards(by_exchange | {"rest": binds["rest"]}, by="exchange", default="rest")

    def keys(self, column: str) -> list[tuple[Any, Any]]:
        """Keys of all shards, shared ones, some with NULL, and some that no row has."""
        step = max(1, len(self.rows) // 60)
        keys = [(row[column], row["exchange"]) for row in [*self.rows[::step], *self.rows[-3:]]]
        times: dict[tuple[Any, Any], int] = {}
        for row in self.rows:
            key = (row[column], row["exchange"])
            times[key] = times.get(key, 0) + 1
        keys += [key for key, number in times.items() if number > 1][:10]
        keys += [("NO SUCH", "NSE"), ("NO SUCH", "XYZ"), (None, None), (None, "NSE"), ("7", None)]
        return list(dict.fromkeys(keys))

    def by_query(self, column: str, keys: list[tuple[Any, Any]]) -> list[tuple[Any, Any] | None]:
        """What one query for each key finds on its shard: the row's id, and whose it is."""
        query = text(
            f"SELECT id, name FROM symtoken WHERE {column} IS NOT DISTINCT FROM :first"  # noqa: S608 - of constants
            " AND exchange IS NOT DISTINCT FROM :exchange ORDER BY id LIMIT 1"
        )
        found: list[tuple[Any, Any] | None] = []
        for first, exchange in keys:
            with self.engines[self.shard_of({"exchange": exchange})].connect() as connection:
                row = connection.execute(query, {"first": first, "exchange": exchange}).first()
                found.append(None if row is None else (row[0], row[1]))
        return found


@pytest.fixture(scope="module")
def spread_over_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spread]:
    directory = tmp_path_factory.mktemp("spread")
    engines = {name: create_engine(f"sqlite:///{directory}/{name}.db") for name in NAMES}
    yield Spread(engines)
    for engine in engines.values():
        engine.dispose()


@pytest.fixture(scope="module")
def spread_over_schemas(postgresql_url: str) -> Iterator[Spread]:
    server = create_engine(postgresql_url, poolclass=NullPool)
    engines = {}
    for name in NAMES:
        with server.begin() as connection:
            connection.exec_driver_sql(f"CREATE SCHEMA {name}")
        url = server.url.update_query_dict({"options": f"-csearch_path={name}"})
        engines[name] = create_engine(url)
    yield Spread(engines)
    for name, engine in engines.items():
        engine.dispose()
        with server.begin() as connection:
            connection.exec_driver_sql(f"DROP SCHEMA {name} CASCADE")


@pytest.fixture(params=["files", "schemas"])
def spread(request: pytest.FixtureRequest) -> Spread:
    spread: Spread = request.getfixturevalue(f"spread_over_{request.param}")
    return spread


def found(records: list[Any]) -> list[tuple[Any, Any] | None]:
    return [None if record is None else (record.id, record.name) for record in records]


def same(engine: Engine) -> Engine:
    return engine


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("column", LOADERS)
def test_answers_are_those_of_one_query_for_each_key_on_its_shard(
    spread: Spread, column: str, way: str
) -> None:
    keys = spread.keys(column)
    master = SymbolMaster(spread.shards(same))
    with master.scope() as scope:
        answers = ask_somehow(way, scope.loader(LOADERS[column]), keys)
    expected = spread.by_query(column, keys)
    assert found(answers) == expected
    assert {name for _, name in filter(None, expected)} == set(NAMES)


@pytest.mark.parametrize("way", ["load", "load_many"])
@pytest.mark.parametrize("column", LOADERS)
def test_shards_of_async_engines_answer_the_same(spread: Spread, column: str, way: str) -> None:
    keys = spread.keys(column)
    master = SymbolMaster(spread.shards(async_engine_of))
    with master.scope() as scope:
        answers = ask_somehow(way, scope.loader(LOADERS[column]), keys)
    assert found(answers) == spread.by_query(column, keys)


def test_what_a_token_leads_to_is_known_by_its_symbol(spread: Spread) -> None:
    rows = [row for row in spread.rows if row["token"] and spread.shard_of(row) != "rest"][::40]
    master = SymbolMaster(spread.shards(same))
    sent = [statements_of(engine) for engine in spread.engines.values()]
    with master.scope():
        answers = master.tokens.get_many([(row["token"], row["exchange"]) for row in rows])
        number = sum(map(len, sent))
        names_there = [(answer.symbol, answer.exchange) for answer in answers if answer]
        assert len(names_there) == len(rows)
        assert master.symbols.get_many(names_there) == answers
        assert sum(map(len, sent)) == number


@pytest.mark.parametrize("column", LOADERS)
def test_loops_that_are_looked_ahead_of_get_the_right_answers(spread: Spread, column: str) -> None:
    keys = [key for key in spread.keys(column) if key[0] is not None]
    expected = spread.by_query(column, keys)
    orders = [{"key": first, "exchange": exchange} for first, exchange in keys]
    master = SymbolMaster(spread.shards(same))
    sent = {name: statements_of(engine) for name, engine in spread.engines.items()}

    answers = []
    with master.scope() as scope:
        loader = scope.loader(LOADERS[column])
        for order in orders:
            answers.append(loader.get((order["key"], order["exchange"])))  # noqa: PERF401 - a plain loop, as applications have it

    assert found(answers) == expected
    # Two at most of each shard: the look-ahead's, and that of keys that it could not see.
    for statements in sent.values():
        assert 1 <= len([text for text in statements if "symtoken" in text]) <= 6
    assert sum(map(len, sent.values())) < len(orders) / 3


# -- users by a function of their ids


def of_three(key: tuple[Any, ...]) -> int:
    return int(key[0]) % 3


@pytest.fixture
def three(tmp_path: Path, make_engine: EngineMaker) -> dict[int, Engine]:
    """SQLite files for users by the remainder of their ids, but each has all of the users."""
    engines = {n: make_engine(f"sqlite:///{tmp_path}/{n}.db", poolclass=NullPool) for n in range(3)}
    for number, engine in engines.items():
        fill(engine, range(1, 101), f"shard-{number}")
    return engines


def expected_of(three: dict[int, Engine], keys: list[int]) -> list[str | None]:
    return [names_by_query(three[key % 3], [key])[0] for key in keys]


def named(keys: list[int]) -> list[str]:
    """The same for keys up to 100, without a query that listeners would see."""
    return [f"shard-{key % 3} {key}" for key in keys]


@pytest.mark.parametrize("way", WAYS)
def test_a_function_of_the_key_says_which_shard_has_it(three: dict[int, Engine], way: str) -> None:
    keys = [1, 2, 3, 50, 51, 52, 999, 1000, 1001]
    loader = users_on(Shards(three, by=of_three))
    assert names(ask_somehow(way, loader, keys)) == expected_of(three, keys)


def test_the_function_is_given_what_the_columns_hold(three: dict[int, Engine]) -> None:
    seen: list[tuple[Any, ...]] = []

    def rule(key: tuple[Any, ...]) -> int:
        seen.append(key)
        return of_three(key)

    loader = users_on(Shards(three, by=rule))
    assert names(loader.get_many(["5", 7])) == ["shard-2 5", "shard-1 7"]
    assert seen == [(5,), (7,)]


trades = Table(
    "trades",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("user", Integer, index=True),
    Column("kind", String(10)),
)


class TradeLoader(GroupedTableLoader[Any]):
    table, key = trades, ("user", "kind")


@pytest.mark.parametrize("way", WAYS)
def test_groups_of_rows_are_those_of_their_shard(
    tmp_path: Path, make_engine: EngineMaker, way: str
) -> None:
    engines = {n: make_engine(f"sqlite:///{tmp_path}/trades-{n}.db") for n in (0, 1)}
    for number, engine in engines.items():
        trades.create(engine)
        rows = [
            {"id": 1_000 * number + n, "user": user, "kind": kind}
            for n, (user, kind) in enumerate([(n % 9, "buy") for n in range(60)] + [(4, None)])
        ]
        with engine.begin() as connection:
            connection.execute(insert(trades), [*rows, {"id": 9_999, "user": None, "kind": "buy"}])
    loader = TradeLoader(Shards(engines, by=lambda key: (key[0] or 0) % 2))
    keys = [*[(n, "buy") for n in range(11)], (4, None), (None, "buy"), (None, None), (3, "sell")]

    answers = ask_somehow(way, loader, keys)

    query = text(
        "SELECT id FROM trades WHERE user IS NOT DISTINCT FROM :user"
        " AND kind IS NOT DISTINCT FROM :kind ORDER BY id"
    )
    for (user, kind), records in zip(keys, answers, strict=True):
        with engines[(user or 0) % 2].connect() as connection:
            ids = list(connection.scalars(query, {"user": user, "kind": kind}))
        assert [record.id for record in records] == ids


@pytest.mark.parametrize("way", WAYS)
def test_a_key_of_no_shard_gets_an_error_and_its_neighbours_their_answers(
    three: dict[int, Engine], way: str
) -> None:
    del three[1]
    loader = users_on(Shards(three, by=of_three))
    answers = ask_somehow(way, loader, [2, 4, 6, 7])
    assert names([answers[0], answers[2]]) == ["shard-2 2", "shard-0 6"]
    for answer, key in ((answers[1], "(4,)"), (answers[3], "(7,)")):
        assert isinstance(answer, NoShardError)
        assert f"shard of the key {key} to be one of [0, 2], but the rule gives 1" in str(answer)


def test_without_return_exceptions_it_is_raised(three: dict[int, Engine]) -> None:
    del three[1]
    loader = users_on(Shards(three, by=of_three))
    with pytest.raises(NoShardError):
        loader.get_many([2, 4])
    with pytest.raises(LookupError):
        loader.get(4)
    assert loader.get(2).name == "shard-2 2"


def test_the_default_has_the_keys_of_no_shard(three: dict[int, Engine]) -> None:
    loader = users_on(Shards({0: three[0], "others": three[2]}, by=of_three, default="others"))
    assert names(loader.get_many([3, 4, 5])) == ["shard-0 3", "shard-2 4", "shard-2 5"]


def test_none_may_be_the_name_of_nulls_shard(three: dict[int, Engine]) -> None:
    shards = Shards({None: three[0], 1: three[1]}, by=lambda key: None if key[0] < 9 else key[0])
    loader = users_on(shards)
    answers = loader.get_many([3, 10], return_exceptions=True)
    assert answers[0].name == "shard-0 3"
    assert isinstance(answers[1], NoShardError)


@pytest.mark.parametrize("way", WAYS)
def test_a_key_that_the_rule_fails_of_fails_alone(three: dict[int, Engine], way: str) -> None:
    def rule(key: tuple[Any, ...]) -> Any:  # noqa: ANN401 - what is no name, too
        if key[0] == 4:
            raise ZeroDivisionError
        return [] if key[0] == 5 else of_three(key)

    answers = ask_somehow(way, users_on(Shards(three, by=rule)), [3, 4, 5, 6])
    assert names([answers[0], answers[3]]) == ["shard-0 3", "shard-0 6"]
    assert [type(answer) for answer in answers[1:3]] == [ZeroDivisionError, TypeError]


# -- which shards are asked, and when


def test_each_shard_that_has_keys_is_sent_one_statement(three: dict[int, Engine]) -> None:
    sent = {number: statements_of(engine) for number, engine in three.items()}
    loader = users_on(Shards(three, by=of_three))

    loader.get_many([3, 4, 6, 7, 9, 10])
    assert [len(sent[number]) for number in range(3)] == [1, 1, 0]
    loader.get_many([3, 4, 5])  # the first two are known
    assert [len(sent[number]) for number in range(3)] == [1, 1, 1]
    assert names(run(loaded(loader, [12, 13, 14, 15]))) == named([12, 13, 14, 15])
    assert [len(sent[number]) for number in range(3)] == [2, 2, 2]


async def loaded(loader: DataLoader[Any, Any], keys: list[int]) -> list[Any]:
    return list(await asyncio.gather(*map(loader.load, keys)))


def test_names_of_one_engine_are_one_statement(three: dict[int, Engine]) -> None:
    sent = statements_of(three[0])
    replicas = Replicas(three[1], three[0])
    for one in (three[0], replicas):
        sent.clear()
        loader = users_on(Shards({0: one, 1: one, 2: one}, by=of_three))
        assert len(loader.get_many([1, 2, 3, 4])) == 4
        assert len(sent) == 1


@pytest.mark.parametrize("way", ["get_many", "load"])
def test_shards_are_asked_at_the_same_time(three: dict[int, Engine], way: str) -> None:
    together = threading.Barrier(3, timeout=SECONDS)
    for engine in three.values():
        event.listen(engine, "before_cursor_execute", lambda *_: together.wait())
    loader = users_on(Shards(three, by=of_three))
    keys = [1, 2, 3, 4, 5, 6]
    assert names(ask_somehow(way, loader, keys)) == named(keys)


def test_async_shards_are_asked_at_the_same_time(three: dict[int, Engine]) -> None:
    together = asyncio.Barrier(3)
    engines = {number: async_engine_of(engine) for number, engine in three.items()}
    for engine in engines.values():
        event.listen(
            engine.sync_engine,
            "before_cursor_execute",
            lambda *_: await_only(asyncio.wait_for(together.wait(), SECONDS)),
        )
    loader = users_on(Shards(engines, by=of_three))
    assert names(many(loader, [1, 2, 3, 4])) == expected_of(three, [1, 2, 3, 4])


caller = ContextVar[str]("caller")


@pytest.mark.parametrize("way", ["get_many", "load"])
def test_context_variables_reach_every_shard(three: dict[int, Engine], way: str) -> None:
    seen: dict[int, str] = {}

    def note(number: int) -> Callable[..., None]:
        return lambda *_: seen.update({number: caller.get()})

    for number, engine in three.items():
        event.listen(engine, "before_cursor_execute", note(number))
    token = caller.set("Ann")
    try:
        ask_somehow(way, users_on(Shards(three, by=of_three)), [1, 2, 3])
    finally:
        caller.reset(token)
    assert seen == {0: "Ann", 1: "Ann", 2: "Ann"}


def test_batches_that_hold_every_worker_thread_do_not_wait_for_more(
    three: dict[int, Engine],
) -> None:
    # All batches are in the queue before a worker thread is free. Each then holds one until all
    # are held, and what it wants other workers to do stands behind the rest of the batches.
    batches = 2 * MAX_WORKERS
    release = threading.Event()
    all_held = threading.Barrier(MAX_WORKERS, timeout=SECONDS)

    def hold(*_: object) -> None:
        if threading.current_thread().name.startswith("dataloaders"):
            all_held.wait()

    event.listen(three[2], "before_cursor_execute", hold)
    shards = Shards(three, by=of_three)

    def keys_of(number: int) -> list[int]:
        # The last shard that a batch asks, it asks on its own thread.
        return [number % 30 * 3 + 3, number % 30 * 3 + 4, number % 30 * 3 + 5]

    async def load_all() -> list[list[Any]]:
        calls = [users_on(shards).load_many(keys_of(number)) for number in range(batches)]
        return await asyncio.wait_for(asyncio.gather(*calls), 2 * SECONDS)

    queue = workers()._work_queue
    try:
        busy = [workers().submit(release.wait, SECONDS) for _ in range(MAX_WORKERS)]
        until(lambda: all(call.running() for call in busy))
        on_a_loop = spawn(asyncio.run, load_all())
        until(lambda: queue.qsize() == batches)
    finally:
        release.set()
    in_threads = [
        spawn(users_on(shards).get_many, keys_of(number)) for number in range(MAX_WORKERS)
    ]

    for number, answers in enumerate(on_a_loop.result(2 * SECONDS)):
        assert names(answers) == named(keys_of(number))
    for number, call in enumerate(in_threads):
        assert names(call.result(SECONDS)) == named(keys_of(number))


def test_threads_that_outlive_the_main_thread_go_on(
    tmp_path: Path, three: dict[int, Engine]
) -> None:
    # From then on no executor takes anything.
    program = """
import sys, threading
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine
from dataloaders.sql import Shards, TableLoader

class UserLoader(TableLoader):
    key = ("id",)
    table = Table(
        "users", MetaData(), Column("id", Integer, primary_key=True), Column("name", String)
    )

engines = {n: create_engine(f"sqlite:///{sys.argv[1]}/{n}.db") for n in range(3)}

def ask():
    threading.main_thread().join()
    records = UserLoader(Shards(engines, by=lambda key: key[0] % 3)).get_many([1, 2, 3])
    print([record.name for record in records])

threading.Thread(target=ask).start()
"""
    assert len(three) == 3
    assert run_green("none", program, str(tmp_path)) == "['shard-1 1', 'shard-2 2', 'shard-0 3']"


class StrangeError(BaseException):
    """Is no Exception, as KeyboardInterrupt is none."""


@pytest.mark.parametrize("number", range(3))
def test_what_ends_the_call_of_one_shard_ends_the_batch(
    three: dict[int, Engine], number: int
) -> None:
    def end(*_: object) -> None:
        raise StrangeError

    event.listen(three[number], "before_cursor_execute", end, once=True)
    loader = users_on(Shards(three, by=of_three))
    with pytest.raises(StrangeError):
        loader.get_many([1, 2, 3])
    assert names(loader.get_many([1, 2, 3])) == expected_of(three, [1, 2, 3])


# -- a shard that is down


@dataclass
class Outage:
    """A shard that does not answer, and how it comes back."""

    bind: Any
    end: Callable[[], None]
    note: str


def missing_file(request: pytest.FixtureRequest) -> Outage:
    directory: Path = request.getfixturevalue("tmp_path") / "later"
    make_engine: EngineMaker = request.getfixturevalue("make_engine")
    engine = make_engine(f"sqlite:///{directory}/1.db")

    def end() -> None:
        directory.mkdir()
        fill(engine, range(1, 101), "shard-1")

    return Outage(engine, end, "The database cannot be reached")


def missing_table(request: pytest.FixtureRequest) -> Outage:
    engine: Engine = request.getfixturevalue("three")[1]
    users.drop(engine)

    def end() -> None:
        fill(engine, range(1, 101), "shard-1")

    return Outage(engine, end, "The table is not in this database")


def missing_table_async(request: pytest.FixtureRequest) -> Outage:
    outage = missing_table(request)
    return Outage(async_engine_of(outage.bind), outage.end, outage.note)


@pytest.fixture
def relay(postgresql: Engine) -> Iterator[Relay]:
    """A server that cannot be reached, but can once its relay is opened."""
    fill(postgresql, range(1, 101), "shard-1")
    with Relay(postgresql) as relay:
        yield relay


def closed_port(request: pytest.FixtureRequest) -> Outage:
    relay: Relay = request.getfixturevalue("relay")
    engine = relay.engine()
    request.addfinalizer(engine.dispose)
    return Outage(engine, relay.open, "The database cannot be reached")


def closed_port_asyncpg(request: pytest.FixtureRequest) -> Outage:
    relay: Relay = request.getfixturevalue("relay")
    return Outage(relay.async_engine(), relay.open, "The database cannot be reached")


def closed_port_psycopg(request: pytest.FixtureRequest) -> Outage:
    relay: Relay = request.getfixturevalue("relay")
    return Outage(relay.async_engine("psycopg"), relay.open, "The database cannot be reached")


def check_outage(three: dict[int, Engine], outage: Outage, way: str, bind: Shards) -> None:
    loader = users_on(bind)
    for _ in range(2):
        answers = ask_somehow(way, loader, [2, 3, 1, 4, 5, 6])
        healthy = answers[:2] + answers[4:]
        assert names(healthy) == expected_of(three, [2, 3, 5, 6])
        for answer in answers[2:4]:
            assert isinstance(answer, DBAPIError | OSError)
            assert outage.note in notes_of(answer)
    assert loader.size() == 4
    outage.end()
    assert names(ask_somehow(way, loader, [1, 2, 3, 4])) == [
        "shard-1 1",
        "shard-2 2",
        "shard-0 3",
        "shard-1 4",
    ]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("outage", [missing_file, missing_table, closed_port])
def test_a_shard_that_is_down_fails_its_own_keys_and_nothing_is_remembered_of_it(
    request: pytest.FixtureRequest,
    three: dict[int, Engine],
    outage: Callable[..., Outage],
    way: str,
) -> None:
    down = outage(request)
    check_outage(three, down, way, Shards(three | {1: down.bind}, by=of_three))
    if not isinstance(down.bind.pool, NullPool):
        assert pool_of(down.bind).checkedout() == 0


@pytest.mark.parametrize("way", ["load", "load_many"])
@pytest.mark.parametrize("outage", [missing_table_async, closed_port_asyncpg, closed_port_psycopg])
def test_an_async_shard_that_is_down_does_the_same(
    request: pytest.FixtureRequest,
    three: dict[int, Engine],
    outage: Callable[..., Outage],
    way: str,
) -> None:
    down = outage(request)
    others = {number: async_engine_of(engine) for number, engine in three.items()}
    check_outage(three, down, way, Shards(others | {1: down.bind}, by=of_three))


def test_a_shard_that_is_down_is_not_asked_twice_by_a_loop(three: dict[int, Engine]) -> None:
    # Look-ahead takes its keys out of a batch that failed, and asks again, if they may be why.
    users.drop(three[1])
    sent = statements_of(three[1])
    loader = users_on(Shards(three, by=of_three))
    answered = []
    for key in [3, 6, 9, 12]:
        answered.append(loader.get(key).name)  # noqa: PERF401 - as above
    assert answered == expected_of(three, [3, 6, 9, 12])
    assert len(sent) <= 1


# -- databases that live in their connection


@pytest.mark.parametrize("way", ["get_many", "load"])
def test_shards_in_the_memory_of_a_thread_are_asked_there(
    make_engine: EngineMaker, engine: Engine, way: str
) -> None:
    engines = {0: make_engine(shared=False), 1: make_engine(shared=False), 2: engine}
    assert isinstance(engines[0].pool, SingletonThreadPool)
    assert isinstance(engines[2].pool, StaticPool)
    threads: set[int] = set()
    for number, each in engines.items():
        fill(each, range(1, 101), f"shard-{number}")
        event.listen(each, "before_cursor_execute", lambda *_: threads.add(threading.get_ident()))
    loader = users_on(Shards(engines, by=of_three))
    keys = [1, 2, 3, 4, 5, 6, 999]
    assert names(ask_somehow(way, loader, keys)) == expected_of(engines, keys)
    assert threads == {threading.get_ident()}


@pytest.mark.parametrize("way", WAYS)
def test_shards_in_memory_that_all_threads_share(make_engine: EngineMaker, way: str) -> None:
    engines = {number: make_engine() for number in range(3)}
    for number, each in engines.items():
        fill(each, range(1, 101), f"shard-{number}")
    loader = users_on(Shards(engines, by=of_three))
    keys = [1, 2, 3, 4, 5, 6, 999]
    assert names(ask_somehow(way, loader, keys)) == expected_of(engines, keys)


# -- what it may be made of


def test_it_is_made_of_engines_of_one_kind(three: dict[int, Engine]) -> None:
    with pytest.raises(ConfigurationError, match="sync engines only, or of async ones only"):
        Shards({0: three[0], 1: async_engine_of(three[1])}, by="id")
    asynchronous = async_engine_of(three[1])
    with pytest.raises(ConfigurationError, match="sync engines only, or of async ones only"):
        Shards({0: three[0], 1: Replicas(asynchronous, asynchronous)}, by="id")
    with Session(three[1]) as session, pytest.raises(ConfigurationError, match="made of engines"):
        Shards({0: three[0], 1: session}, by="id")
    with pytest.raises(ConfigurationError, match="made of engines"):
        Shards({0: three[0], 1: None}, by="id")  # type: ignore[dict-item]  # that is the mistake
    with pytest.raises(ConfigurationError, match="at least one engine"):
        Shards({}, by="id")
    with pytest.raises(ConfigurationError, match="default"):
        Shards(three, by="id", default=7)
    with pytest.raises(ConfigurationError, match="rule"):
        Shards(three, by=7)  # type: ignore[arg-type]  # that is the mistake


def test_the_column_has_to_be_one_of_the_key(three: dict[int, Engine]) -> None:
    with pytest.raises(ConfigurationError, match="one of the columns of UserLoader's key: id"):
        users_on(Shards(three, by="name")).get(1)


def test_get_is_refused_where_the_shards_are_async(three: dict[int, Engine]) -> None:
    engines = {number: async_engine_of(engine) for number, engine in three.items()}
    with pytest.raises(AsyncOnlyError):
        users_on(Shards(engines, by=of_three)).get_many([1, 2])


# -- shards of other sources


@pytest.mark.parametrize("is_async", [False, True])
def test_a_shards_replicas_answer_for_it_and_its_primary_for_them(
    request: pytest.FixtureRequest,
    three: dict[int, Engine],
    tmp_path: Path,
    make_engine: EngineMaker,
    *,
    is_async: bool,
) -> None:
    as_bind: Callable[[Engine], Any] = async_engine_of if is_async else same
    replica = make_engine(f"sqlite:///{tmp_path}/replica.db")
    fill(replica, range(1, 101), "replica")
    down = (closed_port_asyncpg if is_async else missing_file)(request)
    binds = {
        0: as_bind(three[0]),
        1: Replicas(as_bind(three[1]), as_bind(replica)),
        2: Replicas(as_bind(three[2]), down.bind),
    }
    loader = users_on(Shards(binds, by=of_three))
    assert names(many(loader, [3, 4, 5, 7])) == ["shard-0 3", "replica 4", "shard-2 5", "replica 7"]


def test_shards_of_shards(three: dict[int, Engine]) -> None:
    inner = Shards({1: three[1], 2: three[2]}, by=of_three)
    outer = Shards({"low": three[0], "high": inner}, by=lambda key: "high" if key[0] % 3 else "low")
    loader = users_on(outer)
    keys = [1, 2, 3, 4, 5, 6, 999]
    assert names(loader.get_many(keys)) == expected_of(three, keys)


def test_a_lookup_that_several_threads_share_is_sent_once_to_each_shard(
    three: dict[int, Engine],
) -> None:
    shards = Shards(three, by=of_three)
    loader = users_on(shards)
    begun, go_on = threading.Event(), threading.Event()

    def hold(*_: object) -> None:
        begun.set()
        assert go_on.wait(SECONDS)

    sent = [statements_of(engine) for engine in three.values()]
    event.listen(three[0], "before_cursor_execute", hold)
    leader = spawn(loader.get, 3)
    assert begun.wait(SECONDS)
    followers = [spawn(loader.get_many, [number, number + 1]) for number in range(4, 12)]
    until(lambda: sum(len(batch.keys) for batch in loader._turns._queue) >= 9)
    go_on.set()
    assert leader.result(SECONDS).name == "shard-0 3"
    for number, follower in enumerate(followers, 4):
        keys = [number, number + 1]
        assert names(follower.result(SECONDS)) == named(keys)
    assert [len(statements) for statements in sent] == [2, 1, 1]
