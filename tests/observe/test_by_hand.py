"""Loaders that are made by hand are observed as well, each as a scope of its own."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from flask import Flask

from dataloaders import DataLoader, LoaderRegistry
from dataloaders.errors import ConfigurationError
from dataloaders.observe import Listener, Observer
from dataloaders.observe.metrics import BATCHES, LOOKUPS, Metric, MetricsListener
from dataloaders.observe.repeats import LEAST
from dataloaders.testing import assert_queries, no_n_plus_one
from tests.threads import SECONDS, run_green, spawn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from dataloaders.observe import Record

pytestmark = pytest.mark.timeout(60)


class Numbers(DataLoader[int, int]):
    """Answers with what is no key; takes note of each call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[list[int]] = []

    def batch_load(self, keys: list[int]) -> list[int]:
        self.calls.append(keys)
        return [-key - 1 for key in keys]


class Kept(Listener):
    def __init__(self) -> None:
        self.records: list[Record] = []

    def scope_ended(self, record: Record) -> None:
        self.records.append(record)


@pytest.fixture
def observer() -> Iterator[Observer]:
    gc.collect()  # of other tests there may be some that are not freed yet
    observer = Observer([Kept()], detect="log")
    observer.watch()
    yield observer
    observer.stop()


def records(observer: Observer) -> list[Record]:
    (kept,) = observer.listeners
    assert isinstance(kept, Kept)
    return kept.records


def in_a_row(loader: DataLoader[int, int], numbers: range) -> list[int]:
    return [loader.get(number) for number in numbers]


def test_one_that_is_freed_is_counted(observer: Observer) -> None:
    loader = Numbers()
    loader.expect([1, 2, 3])
    assert [loader.get(1), loader.get(2), loader.get(1)] == [-2, -3, -2]
    freed = weakref.ref(loader)
    stats = loader.stats
    assert (stats.lookups, stats.queries, stats.expected, stats.used) == (3, 1, 2, 1)
    del loader
    gc.collect()
    assert freed() is None
    assert observer.totals.total.copy() == stats
    assert observer.totals.scopes == {"by hand": 1}
    (record,) = records(observer)
    assert [sent.keys for sent in record.batches] == [3]


def test_one_that_was_there_before_is_counted_from_then_on_until_nobody_observes() -> None:
    loader = Numbers()
    loader.expect([1, 2, 3])
    loader.get(1)
    observer = Observer()
    for _ in range(2):
        observer.watch()
        loader.get(2)
        loader.get(4)
        observer.stop()
        loader.clear_all()
        in_a_row(loader, range(10, 20))
    stats = observer.totals.total
    assert (stats.lookups, stats.used, stats.queries) == (4, 1, 3)


def test_one_that_a_scope_takes_is_the_scopes(observer: Observer) -> None:
    with LoaderRegistry().scope() as scope:
        loader = scope.loader(Numbers)
        assert in_a_row(loader, range(2)) == [-1, -2]
    del loader
    gc.collect()
    Numbers().get(1)
    ended = [(record.name, record.stats.lookups) for record in records(observer)]
    assert ended == [("scope", 2)]


def test_threads_that_ask_one_first_are_all_counted(observer: Observer) -> None:
    def ask() -> None:
        loader = Numbers()
        asked = [spawn(in_a_row, loader, range(3)) for _ in range(4)]
        assert all(each.result(SECONDS) == [-1, -2, -3] for each in asked)
        assert loader.stats.lookups == 12

    for _ in range(20):
        ask()
    gc.collect()
    assert observer.totals.total.lookups == 20 * 12


def test_queries_of_loaders_made_before_and_within() -> None:
    before = Numbers()
    with assert_queries(3) as queries:
        before.get_many([1, 2])
        within = Numbers()
        within.get(1)
        within.get(1)
        asyncio.run(_load(within, 2))
    assert queries.count == len(before.calls) + len(within.calls)
    with assert_queries(1):
        within.get(3)
        before.get(1)


async def _load(loader: Numbers, key: int) -> None:
    assert await loader.load(key) == -key - 1


@pytest.mark.parametrize("is_kept", [True, False])
def test_lookups_that_should_have_been_one_batch(is_kept: bool) -> None:  # noqa: FBT001 - a test's parameter
    loader = Numbers()

    @no_n_plus_one()
    def work() -> None:
        in_a_row(loader if is_kept else Numbers(), range(LEAST))
        gc.collect()

    with pytest.raises(AssertionError, match=f"n\\+1: Numbers: {LEAST} batches") as caught:
        work()
    assert "for row in loader.over(rows, ...):" in str(caught.value)
    with no_n_plus_one():
        if is_kept:
            in_a_row(loader, range(LEAST))  # known by now
        in_a_row(Numbers(), range(LEAST - 1))


def test_one_that_serves_many_requests_is_not_told_of_them() -> None:
    loader = Numbers()
    app = Flask(__name__)

    @app.get("/<int:number>")
    def one(number: int) -> str:
        return str(loader.get(number))

    client = app.test_client()
    with no_n_plus_one():
        answers = [client.get(f"/{number}").text for number in range(10)]
    assert answers == [str(-number - 1) for number in range(10)]
    assert len(loader.calls) == 10


def test_metrics_are_of_what_was_asked_since_somebody_observed() -> None:
    class Metrics(MetricsListener):
        def add(self, metric: Metric, amount: float, *labels: str) -> None:  # noqa: ARG002 - a listener's signature
            if metric in {LOOKUPS, BATCHES}:
                added[metric.name] += int(amount)

    added: Counter[str] = Counter()
    loader = Numbers()
    metrics, always = Observer([Metrics()]), Observer()
    always.watch()
    for number in range(3):
        loader.get(10 * number)
        metrics.watch()
        loader.get_many([10 * number, 10 * number + 1])
        metrics.stop()
    always.stop()
    assert added == {"dataloaders.lookups": 6, "dataloaders.batches": 3}
    assert always.totals.total.lookups == 9


@pytest.mark.parametrize("kind", ["a class", "a generator", "an async generator"])
def test_what_a_call_of_does_nothing_yet_is_not_decorated(kind: str) -> None:
    def generator() -> Iterator[None]:
        yield

    async def async_generator() -> AsyncIterator[None]:
        yield

    kinds: dict[str, Callable[[], object]] = {
        "a class": Numbers,
        "a generator": generator,
        "an async generator": async_generator,
    }
    with pytest.raises(ConfigurationError, match="usefixtures"):
        no_n_plus_one()(kinds[kind])


AT_EXIT = """
from dataloaders import DataLoader
from dataloaders.observe import Listener, Observer
class Loader(DataLoader):
    shared = True
    def batch_load(self, keys):
        return keys
class Tells(Listener):
    def scope_ended(self, record):
        print(record.name, record.stats.lookups)
Observer([Tells()]).watch()
loader = Loader()
loader.get(1)
Loader.current().get_many([1, 2])
"""


def test_what_is_not_over_when_the_process_exits_is_told() -> None:
    assert sorted(run_green("none", AT_EXIT).splitlines()) == ["by hand 1", "scope 2"]
