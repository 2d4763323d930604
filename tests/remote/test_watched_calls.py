"""What an observer is told of a remote source's calls, which requests share."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from dataloaders import LoaderRegistry
from dataloaders.observe import Listener, Observer
from dataloaders.remote import Rate, RemoteLoader, RemoteSource

if TYPE_CHECKING:
    from collections.abc import Hashable

    from dataloaders.observe import Record

REQUESTS = 12
INTERVAL = 0.3
LATENCY = 0.05


class Numbers(RemoteSource):
    def __init__(self) -> None:
        self.rates = (Rate(1, INTERVAL),)  # of this one alone
        super().__init__()
        self.calls: list[list[int]] = []
        self._time = threading.Event()

    def fetch(self, keys: list[int], account: Hashable) -> dict[int, int]:  # noqa: ARG002 - a source's signature
        self.calls.append(keys)
        self._time.wait(LATENCY)
        return {key: key * 2 for key in keys}


class Records(Listener):
    def __init__(self) -> None:
        self.records: list[Record] = []

    def scope_ended(self, record: Record) -> None:
        self.records.append(record)


@pytest.fixture
def source() -> Any:  # noqa: ANN401 - a generator of the source
    source = Numbers()
    yield source
    source.close()


def watched(source: Numbers) -> tuple[type[RemoteLoader[int, int]], LoaderRegistry, Records]:
    class NumberLoader(RemoteLoader[int, int]):
        shared = True

    NumberLoader.source = source
    registry, records = LoaderRegistry(), Records()
    Observer([records]).watch(registry)
    return NumberLoader, registry, records


def test_a_call_counts_once_however_many_requests_share_it(source: Numbers) -> None:
    loader_class, registry, records = watched(source)

    def request(number: int) -> int:
        with registry.scope() as scope:
            return scope.loader(loader_class).get(number)

    with ThreadPoolExecutor(REQUESTS) as pool:
        answers = list(pool.map(request, range(REQUESTS)))
    assert answers == [number * 2 for number in range(REQUESTS)]
    assert sum(map(len, source.calls)) == REQUESTS
    stats = [record.stats for record in records.records]
    assert sum(each.lookups for each in stats) == REQUESTS
    assert sum(each.queries for each in stats) == len(source.calls) < REQUESTS
    shown = [record.batches[0].statements[0] for record in records.records]
    assert all(each.is_call and each.rows is None for each in shown)
    assert {each.text for each in shown} == {
        f"a call of Numbers for {len(keys)} keys" for keys in source.calls
    }


async def test_waiting_in_the_line_is_waiting(source: Numbers) -> None:
    loader_class, registry, records = watched(source)
    for number in range(2):  # the second has to wait for its place in the rate
        async with registry.scope() as scope:
            assert await scope.loader(loader_class).load(number) == number * 2
    first, second = records.records
    assert first.stats.waited < INTERVAL / 2 < second.stats.waited
    (call,) = second.batches[0].statements
    assert LATENCY * 0.9 < call.seconds < second.batches[0].seconds
    assert call.begun >= (second.batches[0].begun or 0) + INTERVAL / 2


async def test_a_call_that_fails_is_told_as_well(source: Numbers) -> None:
    loader_class, registry, records = watched(source)

    def fail(keys: list[int], account: Hashable) -> dict[int, int]:
        raise ValueError(keys, account)

    source.fetch = fail  # type: ignore[method-assign]  # as a source that is down
    async with registry.scope() as scope:
        loader = scope.loader(loader_class)
        outcomes = await asyncio.gather(loader.load(1), loader.load(2), return_exceptions=True)
    assert [type(each) for each in outcomes] == [ValueError, ValueError]
    (record,) = records.records
    assert (record.stats.queries, record.stats.errors) == (1, 2)
    assert record.batches[0].error == "ValueError"
