"""The plan for databases that have none of their own: as Oracle and SQL Server would be sent it."""

from __future__ import annotations

import random
import re
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import (
    Column,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    insert,
    select,
)
from sqlalchemy.dialects import mssql, oracle

from dataloaders.sql import GroupedTableLoader, TableLoader, plans
from dataloaders.sql.plan import MAX_ROWS
from dataloaders.sql.plans import plan_for
from tests.sql.source_helpers import statements_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Dialect

    from dataloaders.sql.plan import Keys, Row

pytestmark = pytest.mark.timeout(60)

ROWS = 600
SIZES = (1, 2, 31, 32, 33, 5_000)

things = Table(
    "things",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("code", String(40), index=True),
    Column("place", String(10)),
)

Key = tuple[str | None, str | None]


class ThingLoader(TableLoader[Any]):
    table, key = things, ("code", "place")


class ThingsLoader(GroupedTableLoader[Any]):
    table, key = things, ("code", "place")


DIALECTS: dict[str, Callable[[], Dialect]] = {
    "Oracle": oracle.dialect,
    "SQL Server": mssql.dialect,
    "SQL Server, by position": partial(mssql.dialect, paramstyle="qmark"),
}


class Recorder:
    """A connection to a database that has no rows, and takes note of what it is sent."""

    def __init__(self, dialect: Dialect) -> None:
        self.engine: Any = SimpleNamespace(dialect=dialect, get_execution_options=dict)
        self.sent: list[tuple[str, Any]] = []

    def __call__(self, text: str, parameters: Any, *, describe: bool) -> tuple[list[Row], Any]:  # noqa: ANN401 - as Connected
        self.sent.append((text, parameters))
        found = re.split(r"\bFROM\b", text)[0].count(",") + 1
        return [], [("a column", None)] * found if describe else None

    def inquire(self, text: str, parameters: Any) -> list[Row]:  # noqa: ANN401 - as Connected
        raise AssertionError(text, parameters)  # this plan has nothing to ask


@pytest.fixture(params=DIALECTS)
def recorder(request: pytest.FixtureRequest) -> Recorder:
    return Recorder(DIALECTS[request.param]())


def some_keys(number: int) -> list[Key]:
    return [(f"code {n}", None if n % 10 == 0 else "X") for n in range(1, number + 1)]


def one_key(arm: int, *, nowhere: bool = False) -> str:
    where = "things.place IS NULL" if nowhere else f"things.place = :a{arm}_1"
    return (
        f"SELECT {arm} AS n, things.id AS column_0, things.code AS column_1, things.place AS"  # noqa: S608 - what is expected
        f" column_2 FROM things WHERE things.code = :a{arm}_0 AND {where}"
    )


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def test_one_key_and_two_are_plain_selects(recorder: Recorder) -> None:
    plan = plan_for(recorder.engine, ThingLoader, ThingLoader.definition())
    for keys in ([("a", "X")], [("a", None)], [("a", "X"), ("b", "Y")]):
        plan.rows(recorder, keys)
    texts = [in_one_line(text) for text, _ in recorder.sent]
    expected = [one_key(0), one_key(0, nowhere=True), f"{one_key(0)} UNION ALL {one_key(1)}"]
    given: list[Any] = [
        {"a0_0": "a", "a0_1": "X"},
        {"a0_0": "a"},
        {"a0_0": "a", "a0_1": "X", "a1_0": "b", "a1_1": "Y"},
    ]
    if recorder.engine.dialect.positional:
        expected = [re.sub(r":\w+", "?", text) for text in expected]
        given = [tuple(each.values()) for each in given]
    assert texts == expected
    assert [parameters for _, parameters in recorder.sent] == given


def marks(text: str) -> list[str]:
    return re.findall(r":\w+|\?", text)


def assert_valid(text: str, parameters: Any) -> None:  # noqa: ANN401 - a tuple or a dict
    """What every statement has to be: without the marks of a compiler, and with all its values."""
    assert "POSTCOMPILE" not in text
    assert "[" not in text
    assert text.count("(") == text.count(")")
    if isinstance(parameters, dict):
        assert sorted(marks(text)) == sorted(f":{name}" for name in parameters)
    else:
        assert marks(text) == ["?"] * len(parameters)
    # SQL Server takes 2,100 of them.
    assert len(parameters) <= 2_000
    assert "NULL" not in text or None not in parameters


def test_batches_of_all_sizes_are_few_texts_with_few_parameters(recorder: Recorder) -> None:
    plan = plan_for(recorder.engine, ThingLoader, ThingLoader.definition())
    for size in SIZES:
        keys = some_keys(size)
        recorder.sent.clear()
        plan.rows(recorder, keys)

        for text, parameters in recorder.sent:
            assert_valid(text, parameters)
        # Those with a NULL are asked for by statements of their own.
        nowhere = size // 10
        assert len(recorder.sent) == -(-nowhere // 32) + -(-(size - nowhere) // 32)
        values = [
            value
            for _, given in recorder.sent
            for value in (given.values() if isinstance(given, dict) else given)
        ]
        assert {value for value in values if value != "X"} == {key[0] for key in keys}
        assert len({text for text, _ in recorder.sent}) <= 5


def test_rows_by_prefix_have_a_limit_of_the_databases_own(recorder: Recorder) -> None:
    plan = plan_for(recorder.engine, ThingLoader, ThingLoader.definition())
    prefixes = [("a",), ("b",), ("c",), (None,)]
    plan.rows_by_prefix(recorder, prefixes)
    limit = "FETCH FIRST 65 ROWS ONLY" if recorder.engine.dialect.name == "oracle" else "TOP 65 "
    for text, parameters in recorder.sent:
        assert_valid(text, parameters)
        # Padded to a power of two.
        assert text.count(limit) == text.count(" AS n,") == (1 if "NULL" in text else 4)
        given = parameters.values() if isinstance(parameters, dict) else parameters
        assert set(given) <= {"a", "b", "c"}
    assert len(recorder.sent) == 2


# -- what it means, on SQLite


@pytest.fixture
def filled(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Rows of which some share a key, and some have NULLs in it, asked by the plan for any."""
    monkeypatch.setattr(plans, "PLANS", {})
    things.create(engine)
    rng = random.Random(5)
    rows = [
        {
            "id": n,
            "code": rng.choice([None, *[f"code {m}" for m in range(ROWS // 3)]]),
            "place": rng.choice([None, "X", "Y"]),
        }
        for n in rng.sample(range(1, 10_000), ROWS)
    ]
    rows += [{"id": 20_000 + n, "code": "crowded", "place": f"P{n}"} for n in range(MAX_ROWS + 20)]
    with engine.begin() as connection:
        connection.execute(insert(things), rows)
    return engine


def by_query(engine: Engine, key: Key) -> list[int]:
    """The ids that one query for a key finds."""
    wanted = [
        column.is_(None) if part is None else column == part
        for column, part in zip((things.c.code, things.c.place), key, strict=True)
    ]
    with engine.connect() as connection:
        query = select(things.c.id).where(*wanted).order_by(things.c.id)
        return list(connection.scalars(query))


def keys_of_all_kinds(size: int) -> list[Key]:
    rng = random.Random(size)
    codes = [None, "none", "", "crowded", *[f"code {m}" for m in range(ROWS // 3)]]
    places = [None, "X", "Y", "Z", "P3"]
    return [(rng.choice(codes), rng.choice(places)) for _ in range(size)]


def ids(records: Sequence[Any]) -> list[int | None]:
    return [None if record is None else record.id for record in records]


@pytest.mark.parametrize("size", [1, 2, 31, 32, 33, 700])
def test_a_batch_is_answered_as_one_query_for_each_key_is(filled: Engine, size: int) -> None:
    keys = keys_of_all_kinds(size)
    expected = [by_query(filled, key) for key in keys]
    sent = statements_of(filled)

    assert ids(ThingLoader(filled).get_many(keys)) == [next(iter(each), None) for each in expected]
    grouped = ThingsLoader(filled).get_many(keys)
    assert [ids(records or ()) for records in grouped] == expected

    assert size < 700 or max(map(len, expected)) > 1
    # This plan, and not SQLite's.
    assert not any("json_each" in text for text in sent)
    assert size < 31 or any("UNION ALL" in text for text in sent)


def test_a_key_that_is_given_twice_is_answered_twice(filled: Engine) -> None:
    keys: list[Key] = [("code 1", "X"), ("none", None), ("code 1", "X"), ("code 1", None)]
    expected = [by_query(filled, key) for key in keys]
    for cache in (True, False):
        grouped = ThingsLoader(filled, cache=cache).get_many(keys)
        assert [ids(records or ()) for records in grouped] == expected


def test_rows_by_prefix_are_those_of_a_query_and_no_more_than_are_worth_having(
    filled: Engine,
) -> None:
    prefixes: Keys = [("code 1",), ("none",), ("crowded",), (None,), ("code 2",)]
    found: list[list[Row]] = [[] for _ in prefixes]

    class FetchingLoader(ThingLoader):
        def fetch(self, execute: Any, keys: Keys) -> list[Any]:  # noqa: ANN401 - as the base's
            for row in self.plan(execute).rows_by_prefix(execute, keys):
                found[row[0]].append(row)
            return [None] * len(keys)

    FetchingLoader(filled).batch_load(list(prefixes))

    assert len(found[2]) == MAX_ROWS + 1
    with filled.connect() as connection:
        for (code,), rows in zip(prefixes, found, strict=True):
            is_code = things.c.code.is_(None) if code is None else things.c.code == code
            query = select(things.c.place, things.c.id).where(is_code)
            everything = {tuple(row) for row in connection.execute(query)}
            assert {(row[1], row[2]) for row in rows} <= everything
            assert len(rows) == min(len(everything), MAX_ROWS + 1)


def test_a_loop_is_seen_through_here_as_well(filled: Engine) -> None:
    orders = [{"code": f"code {n}", "place": "X"} for n in range(30)]
    expected = [by_query(filled, (order["code"], order["place"])) for order in orders]
    loader = ThingLoader(filled)
    sent = statements_of(filled)
    found = []
    for order in orders:
        record = loader.get((order["code"], order["place"]))
        found.append(record and record.id)
    assert found == [next(iter(each), None) for each in expected]
    assert 1 <= len(sent) <= 4
    assert any("LIMIT" in text for text in sent)
