"""`load` and `load_many`: batching on an event loop."""

from __future__ import annotations

import asyncio
import functools
import gc
import sys
import threading
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from dataloaders import DataLoader, errors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

pytestmark = pytest.mark.timeout(60)

T = TypeVar("T")

SECONDS = 20


class StrangeError(BaseException):
    """Is no Exception."""


class Source:
    """An async batch function that doubles its keys; those in `gates` wait for their event."""

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []
        self.started: dict[Any, asyncio.Event] = {}
        self.gates: dict[Any, asyncio.Event] = {}

    async def __call__(self, keys: list[Any]) -> list[Any]:
        self.batches.append(list(keys))
        for key in keys:
            if key in self.gates:
                self.started.setdefault(key, asyncio.Event()).set()
                await self.gates[key].wait()
        return [key * 2 for key in keys]


async def turns(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def within(awaitable: Awaitable[T], seconds: float = SECONDS) -> T:
    """Fails in place of hanging."""
    return await asyncio.wait_for(awaitable, seconds)


async def settled(*awaitables: Awaitable[Any]) -> list[Any]:
    """The outcome of each, values and errors; one that has none counts as one that hangs."""
    futures = [asyncio.ensure_future(awaitable) for awaitable in awaitables]
    _, hanging = await asyncio.wait(futures, timeout=5)
    for future in hanging:
        future.cancel()
    assert not hanging
    return [future.exception() or future.result() for future in futures]


# -- one key, several keys


async def test_each_caller_has_a_future_of_its_own() -> None:
    source = Source()
    loader = DataLoader[int, int](source)
    first, second = loader.load(1), loader.load(1)
    assert first is not second
    first.cancel()
    assert await within(second) == 2
    third, fourth = loader.load(1), loader.load(1)
    assert third is not fourth
    third.cancel()
    assert await within(fourth) == 2
    assert source.batches == [[1]]


async def test_load_many_answers_in_order_and_duplicates_too() -> None:
    source = Source()
    loader = DataLoader[int, int](source)
    assert await loader.load_many([3, 1, 3, 2]) == [6, 2, 6, 4]
    assert await loader.load_many(iter([2, 4, 2])) == [4, 8, 4]
    assert source.batches == [[3, 1, 2], [4]]


async def test_load_many_of_nothing_is_nothing() -> None:
    source = Source()
    assert await within(DataLoader[int, int](source).load_many([])) == []
    assert source.batches == []


async def test_the_lists_of_two_callers_are_two_lists() -> None:
    loader = DataLoader[int, int](Source())
    first, second = await asyncio.gather(loader.load_many([1, 2]), loader.load_many([1, 2]))
    first.append(9)
    assert second == [2, 4]
    assert await loader.load_many([1, 2]) == [2, 4]


async def test_load_and_load_many_go_in_one_batch() -> None:
    source = Source()
    loader = DataLoader[int, int](source)
    answers = await settled(loader.load(1), loader.load_many([2, 1]), loader.load(3))
    assert answers == [2, [4, 2], 6]
    assert source.batches == [[1, 2, 3]]


async def test_load_many_gives_errors_in_place_or_raises_the_first() -> None:
    async def fetch(keys: list[int]) -> list[object]:
        return [ValueError(f"bad {key}") if key % 2 else key for key in keys]

    loader = DataLoader[int, object](fetch)
    for _ in ("fetched", "known"):
        answers: list[Any] = await loader.load_many([0, 1, 2, 3], return_exceptions=True)
        zero, one, two, three = answers
        assert (zero, two) == (0, 2)
        assert [str(one), str(three)] == ["bad 1", "bad 3"]
        with pytest.raises(ValueError, match="bad 3"):
            await loader.load_many([0, 3, 1])


async def test_a_group_waits_for_all_of_the_batches_that_its_keys_are_in() -> None:
    source = Source()
    source.gates = {1: asyncio.Event(), 2: asyncio.Event()}
    loader = DataLoader[int, int](source, max_batch_size=1)
    early = loader.load(1)
    await turns()
    group = loader.load_many([1, 2, 3, 1])
    await turns()
    source.gates[2].set()
    await turns()
    assert not group.done()
    source.gates[1].set()
    assert await within(group) == [2, 4, 6, 2]
    assert await early == 2
    assert source.batches == [[1], [2], [3]]


# -- what a batch function may be and return


def mapping(keys: list[int]) -> object:
    return MappingProxyType({key: key * 2 for key in reversed(keys)})


def generator(keys: list[int]) -> Iterator[int]:
    for key in keys:
        yield key * 2


RESULTS: list[Callable[[list[int]], object]] = [
    lambda keys: [key * 2 for key in keys],
    lambda keys: tuple(key * 2 for key in keys),
    lambda keys: {key: key * 2 for key in reversed(keys)},
    lambda keys: {key * 2: None for key in keys}.keys(),
    mapping,
    generator,
]


@pytest.mark.parametrize("result", RESULTS, ids=["list", "tuple", "dict", "view", "proxy", "gen"])
@pytest.mark.parametrize("is_async", [False, True])
async def test_results_may_be_mappings_or_values_in_key_order(
    result: Callable[[list[int]], object],
    is_async: bool,  # noqa: FBT001 - a parameter
) -> None:
    async def fetch(keys: list[int]) -> object:
        return result(keys)

    loader = DataLoader[int, int](fetch if is_async else result)
    assert await within(loader.load_many([3, 1, 2])) == [6, 2, 4]


async def doubled(factor: int, keys: list[int]) -> list[int]:
    return [key * factor for key in keys]


class Callable_:  # noqa: N801 - next to the abstract class of that name
    async def __call__(self, keys: list[int]) -> list[int]:
        return await doubled(2, keys)


class Subclass(DataLoader[int, int]):
    async def batch_load(self, keys: list[int]) -> list[int]:
        return await doubled(2, keys)


class OldSubclass(DataLoader[int, int]):
    async def batch_load_fn(self, keys: list[int]) -> list[int]:
        return await doubled(2, keys)


FUNCTIONS: list[Callable[[], DataLoader[int, int]]] = [
    lambda: DataLoader(functools.partial(doubled, 2)),
    lambda: DataLoader(Callable_()),
    lambda: DataLoader(Callable_().__call__),
    lambda: DataLoader(lambda keys: doubled(2, keys)),
    lambda: DataLoader(lambda keys: [key * 2 for key in keys]),
    Subclass,
    OldSubclass,
]


@pytest.mark.parametrize(
    "make",
    FUNCTIONS,
    ids=["partial", "object", "method", "awaitable", "sync", "batch_load", "batch_load_fn"],
)
async def test_a_batch_function_may_be_any_callable(
    make: Callable[[], DataLoader[int, int]],
) -> None:
    assert await within(make().load_many([1, 2])) == [2, 4]


async def test_a_batch_function_that_is_not_async_leaves_the_event_loop_free() -> None:
    finish = threading.Event()

    def fetch(keys: list[int]) -> list[int]:
        assert finish.wait(SECONDS)
        return keys

    future = DataLoader[int, int](fetch).load(1)
    await turns()
    asyncio.get_running_loop().call_soon(finish.set)  # never called if the loop were blocked
    assert await within(future) == 1


async def test_a_generator_leaves_the_event_loop_free_too() -> None:
    where: list[threading.Thread] = []

    def fetch(keys: list[int]) -> Iterator[int]:
        where.append(threading.current_thread())
        yield from keys

    assert await within(DataLoader[int, int](fetch).load(1)) == 1
    assert where != [threading.current_thread()]


async def test_what_is_absent_is_none_and_remembered() -> None:
    batches: list[list[str]] = []

    async def fetch(keys: list[str]) -> dict[str, int]:
        batches.append(keys)
        return {"zero": 0}

    loader = DataLoader[str, int](fetch)
    assert await loader.load_many(["gone", "zero"]) == [None, 0]
    assert await loader.load("gone") is None
    assert await loader.load_required("zero") == 0, "only None is missing"
    assert await loader.load_many_required(iter(["zero"])) == [0]
    with pytest.raises(errors.KeyNotFoundError, match="'gone'") as raised:
        await loader.load_required("gone")
    assert raised.value.keys == ("gone",)
    with pytest.raises(LookupError, match="'gone', 'lost'"):
        await loader.load_many_required(["zero", "gone", "lost"])
    assert batches == [["gone", "zero"], ["lost"]]


# -- sizes of batches


async def test_batches_are_no_larger_than_allowed() -> None:
    source = Source()
    loader = DataLoader[int, int](source, max_batch_size=10)
    expected = [list(range(first, min(first + 10, 105))) for first in range(0, 105, 10)]
    assert await within(loader.load_many(range(105))) == list(range(0, 210, 2))
    assert source.batches == expected
    loader.clear_all()
    assert await settled(*map(loader.load, range(105))) == list(range(0, 210, 2))
    assert source.batches[11:] == expected


@pytest.mark.parametrize("keys", [[1, 2, 1], [1, 2, 3, 1, 2], [1, 2, 2, 3, 3, 4]])
async def test_a_duplicate_after_a_full_batch_is_not_asked_for_again(keys: list[int]) -> None:
    many, one_by_one = Source(), Source()
    answers = [key * 2 for key in keys]
    assert await within(DataLoader[int, int](many, max_batch_size=2).load_many(keys)) == answers
    loader = DataLoader[int, int](one_by_one, max_batch_size=2)
    assert await settled(*map(loader.load, keys)) == answers
    for source in (many, one_by_one):
        assert sorted(chain.from_iterable(source.batches)) == sorted(set(keys))


async def test_a_class_may_set_the_options() -> None:
    source = Source()

    class Small(DataLoader[int, int]):
        max_batch_size = 2

    assert await Small(source).load_many([1, 2, 3]) == [2, 4, 6]
    assert await Small(source, max_batch_size=3).load_many([1, 2, 3]) == [2, 4, 6]
    assert source.batches == [[1, 2], [3], [1, 2, 3]]


async def test_without_batching_each_key_goes_alone() -> None:
    source = Source()
    loader = DataLoader[int, int](source, batch=False)
    assert await settled(loader.load(1), loader.load_many([2, 3]), loader.load(1)) == [2, [4, 6], 2]
    assert sorted(source.batches) == [[1], [2], [3]]


# -- what is remembered


async def test_without_a_cache_every_key_is_passed_on() -> None:
    source = Source()
    loader = DataLoader[int, int](source, cache=False)
    assert await settled(loader.load(1), loader.load(1), loader.load_many([2, 1])) == [2, 2, [4, 2]]
    assert await loader.load(1) == 2
    assert source.batches == [[1, 1, 2, 1], [1]]
    assert loader.prime(1, 5).size() == 0


async def test_a_cache_key_function_makes_unhashable_keys_good() -> None:
    batches: list[list[dict[str, int]]] = []

    async def fetch(keys: list[dict[str, int]]) -> list[int]:
        batches.append(keys)
        return [key["id"] * 2 for key in keys]

    loader = DataLoader[dict[str, int], int](fetch, get_cache_key=lambda key: key["id"])
    assert await loader.load_many([{"id": 1}, {"id": 1, "a": 2}, {"id": 2}]) == [2, 2, 4]
    assert [[key["id"] for key in batch] for batch in batches] == [[1, 2]]
    loader.prime({"id": 3}, 7).clear({"id": 1})
    assert await loader.load_many([{"id": 3}, {"id": 2}, {"id": 1}]) == [7, 4, 2]
    assert batches[1:] == [[{"id": 1}]]


async def test_a_subclass_may_define_the_cache_key() -> None:
    class Folded(DataLoader[str, str]):
        def get_cache_key(self, key: str) -> str:
            return key.casefold()

    assert await Folded(Source()).load_many(["a", "b", "a"]) == ["aa", "bb", "aa"]
    source = Source()
    assert len(set(await Folded(source).load_many(["a", "A"]))) == 1
    assert [len(batch) for batch in source.batches] == [1]


async def test_of_several_keys_with_one_cache_key_the_first_is_passed_on() -> None:
    loaded, got = Source(), Source()

    def fetch(keys: list[str]) -> list[str]:
        got.batches.append(keys)
        return keys

    loader = DataLoader[str, str](loaded, get_cache_key=str.casefold)
    await settled(loader.load("a"), loader.load("A"), loader.load_many(["B", "b"]))
    DataLoader[str, str](fetch, get_cache_key=str.casefold).get_many(["a", "A", "B", "b"])
    assert loaded.batches == [["a", "B"]]
    assert got.batches == [["a", "B"]]


async def test_values_may_be_kept_in_a_dict_of_the_users() -> None:
    kept: dict[str, int] = {}
    source = Source()
    loader = DataLoader[int, int](source, cache_map=kept)
    assert await loader.load_many([1, 2]) == [2, 4]
    assert loader.size() == len(kept) == 2
    loader.clear(1)
    assert len(kept) == 1
    assert DataLoader[int, int](source, cache_map=kept).get(2) == 4, "another finds them there"


class Bounded(OrderedDict[Any, Any]):
    """Keeps the latest `limit` that were used. Fails if two threads are in it at once."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit
        self.busy = threading.Lock()

    def get(self, key: Any, default: Any = None) -> Any:  # noqa: ANN401 - as a dict's
        assert self.busy.acquire(blocking=False), "two threads at once"
        try:
            time.sleep(0)  # lets another thread in, if nothing keeps it out
            if key in self:
                self.move_to_end(key)
            return super().get(key, default)
        finally:
            self.busy.release()

    def __setitem__(self, key: Any, value: Any) -> None:  # noqa: ANN401 - as a dict's
        assert self.busy.acquire(blocking=False), "two threads at once"
        try:
            time.sleep(0)
            super().__setitem__(key, value)
            if len(self) > self.limit:
                del self[next(iter(self))]
        finally:
            self.busy.release()


async def test_values_may_be_kept_in_a_bounded_mapping() -> None:
    source = Source()
    loader = DataLoader[int, int](source, cache_map=Bounded(2))
    assert await loader.load_many([1, 2, 3]) == [2, 4, 6], "callers get what is not kept, too"
    assert loader.size() == 2
    assert await loader.load_many([2, 3]) == [4, 6]
    assert await loader.load(1) == 2
    assert source.batches == [[1, 2, 3], [1]]
    loader.clear_all()
    assert loader.size() == 0


def test_a_mapping_that_is_not_thread_safe_is_used_by_one_thread_at_a_time() -> None:
    loader = DataLoader[int, int](lambda keys: [key * 2 for key in keys], cache_map=Bounded(20))

    def many(first: int) -> list[int]:
        for key in range(200):
            loader.clear((key + first) % 40).prime(
                (key + first * 3) % 40, (key + first * 3) % 40 * 2
            )
        return [loader.get((key + first) % 40) for key in range(300)]

    with ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(many, first) for first in range(6)]
        for first, call in enumerate(calls):
            assert call.result(SECONDS) == [(key + first) % 40 * 2 for key in range(300)]


async def test_a_cache_that_refuses_a_value_leaves_nobody_waiting() -> None:
    class Refuses(dict[Any, Any]):
        def update(self, *_: Any) -> None:  # type: ignore[override]  # noqa: ANN401 - as dict's
            raise ValueError("value too large")

        __setitem__ = update

    loader = DataLoader[int, int](Source(), cache_map=Refuses())
    for _ in range(2):
        answers = await settled(loader.load(1), loader.load_many([1, 2]))
        # The value or the cache's error, but never another error or a hang.
        for answer, value in zip(answers, [2, [2, 4]], strict=True):
            assert answer == value or str(answer) == "value too large"


async def test_clear_and_prime() -> None:
    source = Source()
    loader = DataLoader[int, int](source)
    assert loader.prime(1, 5).prime(1, 6) is loader
    assert await loader.load(1) == 5
    assert await loader.clear(1).load(1) == 2
    await loader.load_many([2, 3])
    loader.clear(2).clear(99)
    assert loader.size() == 2
    assert await loader.clear_all().load(3) == 6
    assert source.batches == [[1], [2, 3], [3]]


@pytest.mark.parametrize("clear_all", [False, True])
async def test_an_answer_older_than_a_clear_is_given_but_not_kept(clear_all: bool) -> None:  # noqa: FBT001 - a parameter
    source = Source()
    source.gates = {1: asyncio.Event()}
    loader = DataLoader[int, int](source)
    future = loader.load_many([1, 2])
    await turns()
    if clear_all:
        loader.clear_all()
    else:
        loader.clear(1)
    source.gates[1].set()
    assert await within(future) == [2, 4]
    assert await loader.load_many([1, 2]) == [2, 4]
    assert source.batches == [[1, 2], [1, 2] if clear_all else [1]]


async def test_who_asks_after_a_clear_does_not_get_the_older_answer() -> None:
    answers = iter(["older", "newer"])
    first = asyncio.Event()

    async def fetch(keys: list[int]) -> list[str]:
        answer = next(answers)
        if answer == "older":
            await first.wait()
        return [answer for _ in keys]

    loader = DataLoader[int, str](fetch)
    before = loader.load(1)
    await turns()
    loader.clear(1)
    after = loader.load(1)
    assert await within(after) == "newer"
    first.set()
    assert await within(before) == "older"
    assert await loader.load(1) == "newer"


async def test_priming_a_key_that_is_under_way_changes_nothing() -> None:
    source = Source()
    source.gates = {1: asyncio.Event()}
    loader = DataLoader[int, int](source)
    future = loader.load(1)
    await turns()
    loader.prime(1, 77)
    again = loader.load(1)
    source.gates[1].set()
    assert await settled(future, again, loader.load(1)) == [2, 2, 2]
    assert source.batches == [[1]]


# -- in step with the batch that is being collected


async def test_a_known_value_settles_with_the_batch_being_collected() -> None:
    source = Source()
    source.gates = {2: asyncio.Event()}
    loader = DataLoader[int, int](source).prime(1, 5)
    known, fresh = loader.load(1), loader.load(2)
    after = loader.load(1)
    await turns()
    assert not known.done()
    assert not after.done()
    source.gates[2].set()
    assert await settled(known, fresh, after) == [5, 4, 5]


async def test_a_known_value_settles_at_once_without_lockstep() -> None:
    source = Source()
    source.gates = {2: asyncio.Event()}
    loader = DataLoader[int, int](source, lockstep=False).prime(1, 5)
    fresh, known = loader.load(2), loader.load(1)
    assert known.done()
    assert loader.load_many([1, 1]).done()
    await turns()
    assert not fresh.done()
    source.gates[2].set()
    assert await within(fresh) == 4


async def test_a_plain_loop_of_awaited_hits_pays_at_most_one_turn() -> None:
    source = Source()
    loader = DataLoader[int, int](source)
    await loader.load_many(range(100))
    turn, over = 0, False

    async def count() -> None:
        nonlocal turn
        while not over:
            turn += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await asyncio.sleep(0)
    before = turn
    for key in range(100):
        assert await loader.load(key) == key * 2
        assert await loader.load_many([key]) == [key * 2]
    # The first of them cannot know yet that it is a loop.
    assert turn - before <= 3
    over = True
    await counting
    assert source.batches == [list(range(100))]


async def test_loops_of_awaited_hits_beside_each_other_all_come_to_an_end() -> None:
    loader = DataLoader[int, int](Source())
    await loader.load_many(range(20))

    async def look_up() -> int:
        return sum([await loader.load(key) for key in range(20)])

    assert await settled(*(look_up() for _ in range(5))) == [380] * 5


async def test_chained_loaders_make_one_batch_for_each_level() -> None:
    first, second, third = Source(), Source(), Source()
    one, two, three = map(DataLoader[int, int], (first, second, third))

    async def chained(key: int) -> int:
        return await three.load(await two.load(await one.load(key)))

    assert await settled(*map(chained, range(5))) == [0, 8, 16, 24, 32]
    assert [len(source.batches) for source in (first, second, third)] == [1, 1, 1]
    # Again, with part of the first level known: still one batch at each level.
    two.clear_all()
    three.clear_all()
    assert await settled(*map(chained, range(3, 8))) == [24, 32, 40, 48, 56]
    assert [sorted(source.batches[1]) for source in (first, second, third)] == [
        [5, 6, 7],
        [6, 8, 10, 12, 14],
        [12, 16, 20, 24, 28],
    ]


async def test_loads_that_never_cease_are_sent_all_the_same() -> None:
    source = Source()
    loader = DataLoader[int, int](source)
    over = False

    async def never_ceases() -> None:
        key = 1
        while not over:
            loader.load(key)
            key += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(never_ceases())
    assert await within(loader.load(0)) == 0
    over = True
    await task
    assert source.batches[0][0] == 0


# -- callers and batches that end before their time


async def test_cancelling_every_caller_of_a_batch_leaves_the_loader_working() -> None:
    source = Source()
    loader = DataLoader[int, int](source)
    futures: list[asyncio.Future[Any]] = [loader.load(1), loader.load_many([1, 2]), loader.load(3)]
    for future in futures:
        future.cancel()
    assert await within(loader.load_many([1, 2, 3, 4])) == [2, 4, 6, 8]
    assert sorted(chain.from_iterable(source.batches)) == [1, 2, 3, 4]


async def test_a_batch_whose_turn_was_waiting_for_a_place_can_be_cancelled() -> None:
    source = Source()
    source.gates = {1: asyncio.Event()}
    loader = DataLoader[int, int](source, max_concurrency=1)
    first = loader.load(1)
    await turns()
    before = asyncio.all_tasks()
    second = loader.load(2)
    (dispatch,) = asyncio.all_tasks() - before
    await turns()
    dispatch.cancel()
    third = loader.load(3)
    await turns()
    source.gates[1].set()
    one, two, three = await settled(first, second, third)
    assert (one, type(two), three) == (2, errors.BatchAbortedError, 6)
    assert isinstance(two.__cause__, asyncio.CancelledError)
    assert source.batches == [[1], [3]]


@pytest.mark.parametrize("error", [asyncio.CancelledError, GeneratorExit, StrangeError])
@pytest.mark.parametrize("is_async", [False, True])
async def test_a_base_exception_in_the_batch_function_reaches_its_callers_as_an_error(
    error: type[BaseException],
    is_async: bool,  # noqa: FBT001 - a parameter
) -> None:
    def fetch(keys: list[int]) -> list[int]:
        if 1 in keys:
            raise error
        return keys

    async def async_fetch(keys: list[int]) -> list[int]:
        return fetch(keys)

    loader = DataLoader[int, int](async_fetch if is_async else fetch)
    for failure in await settled(loader.load(1), loader.load_many([1, 2])):
        assert type(failure) is errors.BatchAbortedError
        assert isinstance(failure.__cause__, error)
    assert await within(loader.load(2)) == 2


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration])
async def test_a_stop_iteration_of_the_batch_function_leaves_nobody_waiting(
    error: type[Exception],
    is_async: bool,  # noqa: FBT001 - a parameter
) -> None:
    def fetch(keys: list[int]) -> list[int]:
        if 1 in keys:
            raise error
        return keys

    async def async_fetch(keys: list[int]) -> list[int]:
        return fetch(keys)

    loader = DataLoader[int, int](async_fetch if is_async else fetch)
    for failure in await settled(loader.load(1), loader.load_many([1, 2])):
        assert isinstance(failure, Exception)
    assert await within(loader.load(2)) == 2


async def test_a_batch_that_fails_whole_is_not_cached() -> None:
    calls: list[list[int]] = []

    async def fetch(keys: list[int]) -> list[int]:
        calls.append(keys)
        if len(calls) == 1:
            raise OSError("source is down")
        return keys

    loader = DataLoader[int, int](fetch)
    failures = await settled(loader.load(1), loader.load(1), loader.load_many([1, 2]))
    assert [str(failure) for failure in failures] == ["source is down"] * 3
    assert await loader.load_many([1, 2], return_exceptions=True) == [1, 2]
    assert calls == [[1, 2], [1, 2]]


@pytest.mark.parametrize("cache_errors", [True, False])
async def test_one_keys_error_is_cached_unless_that_is_off(cache_errors: bool) -> None:  # noqa: FBT001 - a parameter
    calls: list[list[int]] = []

    async def fetch(keys: list[int]) -> list[object]:
        calls.append(keys)
        return [ValueError("odd") if key % 2 else key for key in keys]

    loader = DataLoader[int, object](fetch, cache_errors=cache_errors)
    for _ in range(3):
        error, two = await settled(loader.load(1), loader.load(2))
        assert (type(error), two) == (ValueError, 2)
    assert calls == ([[1, 2]] if cache_errors else [[1, 2], [1], [1]])


async def test_the_traceback_of_a_kept_error_does_not_grow() -> None:
    async def fetch(keys: list[int]) -> list[object]:
        return [ValueError("kept") for _ in keys]

    loader = DataLoader[int, object](fetch)
    lengths: list[int] = []
    for _ in range(20):
        try:
            await loader.load(1)
        except ValueError as error:
            count, traceback = 0, error.__traceback__
            while traceback is not None:
                count, traceback = count + 1, traceback.tb_next
            lengths.append(count)
    assert len(lengths) == 20
    assert max(lengths[1:]) == lengths[1]


async def test_an_error_that_nobody_reads_because_its_caller_left_makes_no_noise() -> None:
    noise: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, about: noise.append(about["message"])
    )

    async def fetch(_keys: list[int]) -> list[int]:
        raise OSError

    loader = DataLoader[int, int](fetch)
    future = loader.load(1)
    future.cancel()
    await turns()
    del future, loader
    gc.collect()
    assert noise == []


def test_loads_pending_when_their_loop_is_closed_do_not_harm_the_next_loop() -> None:
    async def fetch(keys: list[int]) -> list[int]:
        if keys == [1]:
            await asyncio.get_running_loop().create_future()
        return [key * 2 for key in keys]

    loader = DataLoader[int, int](fetch)

    async def leaves() -> None:
        loader.load(1)
        await turns()
        loader.load(2)

    async def comes_later() -> list[int]:
        return await within(loader.load_many([2, 3]))

    asyncio.run(leaves())
    assert asyncio.run(comes_later()) == [4, 6]
    assert not loader._store.pending, "and nothing is thought to be under way"


# -- time limits


async def test_a_time_limit_answers_the_callers_of_an_async_batch_function() -> None:
    source = Source()
    source.gates = {1: asyncio.Event()}
    loader = DataLoader[int, int](source, timeout=0.02)
    answers = await settled(loader.load(1), loader.load_many([1, 2]))
    assert [type(answer) for answer in answers] == [errors.BatchTimeoutError] * 2
    assert "0.02 seconds" in str(answers[0])
    assert isinstance(answers[0], TimeoutError)
    assert await within(loader.load_many([2, 3])) == [4, 6]
    source.gates.clear()
    assert await within(loader.load(1)) == 2


async def test_a_time_limit_answers_the_callers_of_a_batch_function_that_blocks() -> None:
    finish, finished = threading.Event(), threading.Event()

    def fetch(keys: list[int]) -> list[str]:
        if keys == [1]:
            assert finish.wait(SECONDS)
            finished.set()
        return ["late" if key == 1 else "in time" for key in keys]

    loader = DataLoader[int, str](fetch, timeout=0.05, max_concurrency=1)
    try:
        with pytest.raises(errors.BatchTimeoutError):
            await within(loader.load(1))
        loader.prime(1, "primed")
    finally:
        finish.set()
    assert await asyncio.to_thread(finished.wait, SECONDS)
    await turns()
    assert await loader.load(1) == "primed", "the late answer is not kept"


async def test_a_timely_answer_under_a_time_limit_is_an_answer() -> None:
    assert await DataLoader[int, int](Source(), timeout=SECONDS).load(1) == 2


# -- a batch function's own loads


async def test_a_batch_function_may_load_other_keys_of_its_loader() -> None:
    batches: list[list[int]] = []

    async def fetch(keys: list[int]) -> list[int]:
        batches.append(keys)
        below = await loader.load_many([key - 10 for key in keys if key >= 10])
        return [key + (below.pop(0) if key >= 10 else 0) for key in keys]

    loader = DataLoader[int, int](fetch, max_concurrency=1)
    assert await settled(loader.load(21), loader.load_many([32, 3])) == [33, [68, 3]]
    assert batches == [[21, 32, 3], [11, 22], [1, 12], [2]]


async def test_a_batch_function_in_a_worker_may_get_other_keys_of_its_loader() -> None:
    def fetch(keys: list[int]) -> list[int]:
        return [key and key + loader.get(key - 1) for key in keys]

    loader = DataLoader[int, int](fetch)
    assert await within(loader.load(4)) == 10


async def test_a_batch_function_that_waits_for_its_own_key_gets_an_error() -> None:
    async def fetch(keys: list[int]) -> list[int]:
        return [await loader.load(key) for key in keys]

    async def fetch_many(keys: list[int]) -> list[int]:
        return await many.load_many(keys)

    def fetch_in_worker(keys: list[int]) -> list[int]:
        return [worker.get(key) for key in keys]

    loader, many = DataLoader[int, int](fetch), DataLoader[int, int](fetch_many)
    worker = DataLoader[int, int](fetch_in_worker)
    for failure in await settled(loader.load(7), many.load(7), worker.load(7)):
        assert type(failure) is errors.RecursiveLoadError
        assert "the key 7" in str(failure)


async def test_two_loaders_that_wait_for_each_other_get_an_error() -> None:
    async def fetch_one(keys: list[int]) -> list[int]:
        return [await two.load(key) for key in keys]

    async def fetch_two(keys: list[int]) -> list[int]:
        return await one.load_many(keys)

    one, two = DataLoader[int, int](fetch_one), DataLoader[int, int](fetch_two)
    (failure,) = await settled(one.load(1))
    assert type(failure) is errors.RecursiveLoadError
    assert type((await settled(two.load(2)))[0]) is errors.RecursiveLoadError


async def test_two_loaders_that_come_to_wait_for_each_other_while_under_way_get_an_error() -> None:
    one_started, two_started = asyncio.Event(), asyncio.Event()

    async def fetch_one(keys: list[int]) -> list[int]:
        one_started.set()
        await two_started.wait()
        return [await two.load(key) for key in keys]

    async def fetch_two(keys: list[int]) -> list[int]:
        two_started.set()
        await one_started.wait()
        return [await one.load(key) for key in keys]

    one, two = DataLoader[int, int](fetch_one), DataLoader[int, int](fetch_two)
    failures = await settled(one.load(1), two.load(1))
    assert {type(failure) for failure in failures} == {errors.RecursiveLoadError}


async def test_two_batches_of_a_loader_that_come_to_wait_for_each_other_get_an_error() -> None:
    started = [asyncio.Event(), asyncio.Event()]

    async def fetch(keys: list[int]) -> list[int]:
        started[keys[0]].set()
        await started[1 - keys[0]].wait()
        return [await loader.load(1 - keys[0])]

    loader = DataLoader[int, int](fetch, max_batch_size=1)
    failures = await settled(loader.load(0), loader.load(1))
    assert {type(failure) for failure in failures} == {errors.RecursiveLoadError}


async def test_a_batch_function_may_wait_for_a_batch_that_waits_for_its_place() -> None:
    started, proceed = asyncio.Event(), asyncio.Event()

    async def fetch(keys: list[int]) -> list[int]:
        if keys == [1]:
            started.set()
            await proceed.wait()
            return [await loader.load(2)]
        return [key * 2 for key in keys]

    loader = DataLoader[int, int](fetch, max_concurrency=1)
    first = loader.load(1)
    await within(started.wait())
    second = loader.load(2)
    await turns()
    proceed.set()
    assert await settled(first, second) == [4, 4]


async def test_a_batch_function_that_loads_a_known_key_waits_for_no_batch_that_waits_for_it() -> (
    None
):
    started, proceed = asyncio.Event(), asyncio.Event()

    async def fetch(keys: list[int]) -> list[int]:
        if keys == [1]:
            started.set()
            await proceed.wait()
            return [await loader.load(0)]
        return [await loader.load(1) for _ in keys]

    loader = DataLoader[int, int](fetch).prime(0, 5)
    first = loader.load(1)
    await within(started.wait())
    second = loader.load(2)
    proceed.set()
    assert await settled(first, second) == [5, 5]


async def test_a_batch_function_that_loads_a_known_key_waits_for_no_batch_without_a_place() -> None:
    started, proceed = asyncio.Event(), asyncio.Event()

    async def fetch(keys: list[int]) -> list[int]:
        if keys == [1]:
            started.set()
            await proceed.wait()
            return [await loader.load(0)]
        return keys

    loader = DataLoader[int, int](fetch, max_concurrency=1).prime(0, 5)
    first = loader.load(1)
    await within(started.wait())
    second = loader.load(2)
    proceed.set()
    assert await settled(first, second) == [5, 2]


async def test_a_task_that_outlives_its_batch_may_load_the_batchs_keys() -> None:
    later: list[asyncio.Task[int]] = []
    over = asyncio.Event()

    async def afterwards() -> int:
        await over.wait()
        return await loader.clear(1).load(1)

    async def fetch(keys: list[int]) -> list[int]:
        if not later:
            later.append(asyncio.create_task(afterwards()))
        return keys

    loader = DataLoader[int, int](fetch)
    assert await loader.load(1) == 1
    over.set()
    assert await settled(later[0]) == [1]


# -- kinds of event loops


def test_two_loops_in_two_threads_have_batches_under_way_at_once() -> None:
    """Each loop collects for itself, and neither settles a future of the other's."""
    both_under_way = threading.Barrier(2, timeout=SECONDS)
    batches: list[list[int]] = []

    async def fetch(keys: list[int]) -> list[int]:
        batches.append(keys)
        await asyncio.get_running_loop().run_in_executor(None, both_under_way.wait)
        return [key * 2 for key in keys]

    loader = DataLoader[int, int](fetch)

    async def main(own: int) -> list[int]:
        return await within(loader.load_many([0, own]))

    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(asyncio.run, main(own)) for own in (1, 2)]
        assert [run.result(SECONDS) for run in runs] == [[0, 2], [0, 4]]
    assert sorted(batches) == [[0, 1], [0, 2]]
    assert not loader._store.pending
    assert loader.size() == 3
    assert loader.get_many([0, 1, 2]) == [0, 2, 4]


async def every_kind_of_lookup() -> list[Any]:
    """A program that goes through every path, to run on any event loop."""
    source = Source()
    one, two = DataLoader[int, int](source), DataLoader[int, int](source, max_batch_size=2)
    blocking = DataLoader[int, int](lambda keys: [key * 2 for key in keys], timeout=SECONDS)

    async def chained(key: int) -> int:
        return await two.load(await blocking.load(await one.load(key)))

    one.prime(0, 0)
    doubled_thrice = await asyncio.gather(*map(chained, range(4)))
    cancelled, kept = one.load(9), one.load(9)
    cancelled.cancel()
    return [doubled_thrice, await kept, await one.load_many([1, 9]), source.batches]


EVERY_KIND = [
    [0, 8, 16, 24],
    18,
    [2, 18],
    [[1, 2, 3], [0, 4], [8, 12], [9]],
]


def same_lookups(found: list[Any]) -> None:
    *answers, batches = found
    assert answers == EVERY_KIND[:-1]
    assert len(batches) == 4
    assert sorted(batches[0]) == [1, 2, 3]
    assert sorted(batches[1] + batches[2]) == [0, 4, 8, 12]
    assert batches[3] == [9]


def test_asyncios_own_loop() -> None:
    same_lookups(asyncio.run(every_kind_of_lookup()))


def test_debug_mode() -> None:
    same_lookups(asyncio.run(every_kind_of_lookup(), debug=True))


def test_uvloop() -> None:
    uvloop = pytest.importorskip("uvloop")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        same_lookups(runner.run(every_kind_of_lookup()))


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
def test_eager_tasks() -> None:
    async def main() -> list[Any]:
        factory = getattr(asyncio, "eager_task_factory")  # noqa: B009 - unknown to 3.11's types
        asyncio.get_running_loop().set_task_factory(factory)
        return await within(every_kind_of_lookup())

    same_lookups(asyncio.run(main()))
