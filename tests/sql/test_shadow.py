"""Table loaders in shadow mode: single queries answer, and batches that are wrong are found."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.orm import Session

from dataloaders import LoaderRegistry
from dataloaders.shadow import Differences
from tests.sql.source_helpers import (
    UserLoader,
    async_engine_of,
    fill,
    names,
    names_by_query,
    statements_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from dataloaders.scope import L, LoaderScope


@pytest.fixture(autouse=True)
def differences(monkeypatch: pytest.MonkeyPatch) -> Differences:
    """Those of a test alone."""
    found = Differences()
    monkeypatch.setattr("dataloaders.shadow.differences", found)
    return found


class Registry(LoaderRegistry):
    """Makes loaders for one database, in shadow mode."""

    def __init__(self, bind: Any, **options: Any) -> None:  # noqa: ANN401 - of many types
        super().__init__()
        self.mode = "shadow"
        self._bind = bind
        self._options = options

    def make(self, loader_class: type[L], scope: LoaderScope) -> L:  # noqa: ARG002 - see LoaderRegistry
        made: Any = loader_class
        loader: L = made(self._bind, **self._options)
        return loader


class SwappingLoader(UserLoader):
    """Mistakes the first two keys of a batch for each other."""

    def fetch(self, execute: Any, keys: Any) -> list[Any]:  # noqa: ANN401 - as TableLoader's
        first, *rest = super().fetch(execute, keys)
        return [rest[0], first, *rest[1:]] if rest else [first]


KEYS = [1, 2, 3, 99]
SWAPPED = [(1, "user 1", "user 2"), (2, "user 2", "user 1")]


def found(differences: Differences) -> list[tuple[int, str, str]]:
    newest = differences.newest
    return sorted((each.key, each.single.name, each.batched.name) for each in newest)


def test_a_batch_that_swaps_two_answers_is_found(
    any_database: Engine, differences: Differences, caplog: pytest.LogCaptureFixture
) -> None:
    fill(any_database)
    with Registry(any_database).scope() as scope:
        loader = scope.loader(SwappingLoader)
        assert names(loader.get_many(KEYS)) == names_by_query(any_database, KEYS)
        assert found(differences) == SWAPPED
        # The cache of the one that batches has the wrong answers, which are not the caller's.
        assert names([loader.get(1)]) == ["user 1"]
    assert "SwappingLoader was asked for 1" in caplog.text
    assert (differences.compared, differences.changed) == (5, 0)


@pytest.mark.parametrize("way", ["load", "load_many"])
def test_a_batch_that_swaps_two_answers_is_found_on_an_event_loop(
    tmp_path: Path, differences: Differences, way: str
) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'users.db'}")
    fill(engine)

    async def load() -> list[Any]:
        async_engine = async_engine_of(engine)
        with Registry(async_engine).scope() as scope:
            loader = scope.loader(SwappingLoader)
            if way == "load":
                answers = list(await asyncio.gather(*map(loader.load, KEYS)))
            else:
                answers = await loader.load_many(KEYS)
            while differences.differed < 2:  # noqa: ASYNC110 - nothing tells of the second
                await asyncio.sleep(0.01)
        await async_engine.dispose()
        return answers

    answers = asyncio.run(asyncio.wait_for(load(), 30))
    assert names(answers) == names_by_query(engine, KEYS)
    assert found(differences) == SWAPPED
    engine.dispose()


def test_right_batches_are_no_difference(any_database: Engine, differences: Differences) -> None:
    fill(any_database)
    with Registry(any_database).scope() as scope:
        loader = scope.loader(UserLoader)
        assert names(loader.get_many(KEYS)) == names_by_query(any_database, KEYS)
    assert (differences.compared, differences.changed, differences.differed) == (4, 0, 0)


def test_the_one_that_batches_looks_ahead_in_the_applications_frames(
    tmp_path: Path, differences: Differences
) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'users.db'}")
    fill(engine)
    sent = statements_of(engine)
    rows = [{"id": n} for n in range(1, 21)]
    with Registry(engine).scope() as scope:
        loader = scope.loader(UserLoader)
        answers = [loader.get(row["id"]) for row in rows]
    assert names(answers) == [f"user {n}" for n in range(1, 21)]
    assert differences.compared == 20
    assert sum("json_each" in statement for statement in sent) == 1
    assert len(sent) == 21
    engine.dispose()


def test_a_batch_of_a_sessions_transaction_is_not_tried(
    postgresql: Engine, differences: Differences
) -> None:
    fill(postgresql)
    sent = statements_of(postgresql)
    with Session(postgresql) as session, Registry(session).scope() as scope:
        loader = scope.loader(SwappingLoader)
        assert names(loader.get_many(KEYS)) == ["user 1", "user 2", "user 3", None]
    assert differences.compared == 0
    assert sum("FROM users" in statement for statement in sent) == len(KEYS)


def test_a_row_that_a_request_changes_and_clears_is_no_difference(
    engine: Engine, differences: Differences
) -> None:
    fill(engine)
    with Registry(engine).scope() as scope:
        loader = scope.loader(UserLoader)
        assert names([loader.get(1)]) == ["user 1"]
        with engine.begin() as connection:
            connection.execute(text("UPDATE users SET name = 'renamed' WHERE id = 1"))
        assert names([loader.clear(1).get(1)]) == ["renamed"]
    assert (differences.compared, differences.differed) == (2, 0)


def test_what_the_one_that_batches_keeps_in_a_cache_map_is_no_answer(
    engine: Engine, differences: Differences
) -> None:
    fill(engine)
    with Registry(engine, cache_map={}).scope() as scope:
        loader = scope.loader(SwappingLoader)
        loader.get_many([1, 2])
        assert names([loader.get((1,))]) == ["user 1"]
    assert differences.differed == 3


def test_a_batch_that_a_database_refuses_is_a_difference_and_no_error(
    tmp_path: Path, differences: Differences
) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'users.db'}")
    fill(engine)

    @event.listens_for(engine, "before_cursor_execute")
    def refuse(*call: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        if "json_each" in call[2]:
            call[1].execute("SELECT * FROM not_there")

    with Registry(engine).scope() as scope:
        assert names(scope.loader(UserLoader).get_many([1, 2])) == ["user 1", "user 2"]
    assert "no such table: not_there" in str(differences.newest[0].batched)
    assert differences.differed == 2
    engine.dispose()
