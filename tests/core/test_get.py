"""`get` and `get_many`: batching without an event loop."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import threading
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from dataloaders import DataLoader, errors
from tests.threads import SECONDS, run_green, spawn, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.timeout(60)

T = TypeVar("T")


class StrangeError(BaseException):
    """Is no Exception, as KeyboardInterrupt and gevent.Timeout are none."""


class Source:
    """A batch function that doubles its keys, and whose first batch waits for `finish`."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.under_way = threading.Event()
        self.finish = threading.Event()
        self.first_error: BaseException | None = None

    def __call__(self, keys: list[int]) -> dict[int, int]:
        self.batches.append(list(keys))
        if len(self.batches) == 1:
            self.under_way.set()
            assert self.finish.wait(SECONDS)
            if self.first_error is not None:
                raise self.first_error
        return {key: key * 2 for key in keys}


def gathered(loader: DataLoader[Any, Any]) -> int:
    """How many callers wait behind the batch that is under way, once for each batch they wait in.

    A batch's own contexts are the callers' that it has noted: the first, and each that differs.
    """
    waiting = [*loader._turns._queue, *loader._store.pending.batches]
    return sum(len(batch.other_contexts) for batch in waiting) + len(loader._turns._queue)


caller_number = contextvars.ContextVar[int]("caller_number")


def numbered(number: int, function: Callable[..., T], *args: object) -> T:
    """Calls a function in a context like no other caller's, so that `gathered` tells them apart."""
    caller_number.set(number)
    return function(*args)


# -- leader and followers


def test_those_who_come_while_a_batch_is_under_way_go_together_in_the_next() -> None:
    source = Source()
    loader = DataLoader[int, int](source)
    leader = spawn(loader.get, 0)
    assert source.under_way.wait(SECONDS)
    followers = [spawn(numbered, key, loader.get, key) for key in range(1, 9)]
    until(lambda: any(len(batch.keys) == 8 for batch in loader._turns._queue))
    source.finish.set()
    assert leader.result(SECONDS) == 0
    assert [follower.result(SECONDS) for follower in followers] == list(range(2, 18, 2))
    assert [sorted(batch) for batch in source.batches] == [[0], [1, 2, 3, 4, 5, 6, 7, 8]]


def test_a_key_that_is_under_way_is_not_asked_for_again() -> None:
    source = Source()
    loader = DataLoader[int, int](source)
    leader = spawn(numbered, 0, loader.get_many, [1, 2])
    assert source.under_way.wait(SECONDS)
    same = [spawn(numbered, number, loader.get, 1) for number in (1, 2)]
    partly = spawn(numbered, 3, loader.get_many, [2, 3, 2])
    until(lambda: gathered(loader) == 4)
    source.finish.set()
    assert leader.result(SECONDS) == [2, 4]
    assert [call.result(SECONDS) for call in same] == [2, 2]
    assert partly.result(SECONDS) == [4, 6, 4]
    assert source.batches == [[1, 2], [3]]


def test_followers_who_gather_ask_for_a_common_key_once() -> None:
    source = Source()
    loader = DataLoader[int, int](source)
    leader = spawn(loader.get, 0)
    assert source.under_way.wait(SECONDS)
    followers = [spawn(numbered, number, loader.get_many, [5, number]) for number in (1, 2, 3)]
    until(lambda: any(len(batch.keys) == 4 for batch in loader._turns._queue))
    source.finish.set()
    assert leader.result(SECONDS) == 0
    assert [call.result(SECONDS) for call in followers] == [[10, 2], [10, 4], [10, 6]]
    assert [sorted(batch) for batch in source.batches] == [[0], [1, 2, 3, 5]]


def test_followers_fill_batches_of_the_size_that_is_allowed() -> None:
    source = Source()
    loader = DataLoader[int, int](source, max_batch_size=3)
    leader = spawn(loader.get, 0)
    assert source.under_way.wait(SECONDS)
    followers = [spawn(loader.get, key) for key in range(1, 8)]
    until(lambda: sum(len(batch.keys) for batch in loader._turns._queue) == 7)
    source.finish.set()
    assert leader.result(SECONDS) == 0
    assert [follower.result(SECONDS) for follower in followers] == list(range(2, 16, 2))
    assert [len(batch) for batch in source.batches] == [1, 3, 3, 1]
    assert sorted(chain.from_iterable(source.batches)) == list(range(8))


def test_the_leader_of_the_next_batch_may_not_be_the_one_who_opened_it() -> None:
    """Each of many threads is answered, whoever gets its turn first."""
    lock, most = threading.Lock(), threading.Semaphore(1)

    def fetch(keys: list[int]) -> list[int]:
        assert most.acquire(blocking=False), "two batches at once"
        with lock:
            pass
        most.release()
        return [key * 2 for key in keys]

    loader = DataLoader[int, int](fetch, max_batch_size=4)
    together = threading.Barrier(12, timeout=SECONDS)

    def many(first: int) -> list[int]:
        together.wait()
        return [loader.get(key) for key in range(first, first + 50)]

    calls = [spawn(many, number * 25) for number in range(12)]
    for number, call in enumerate(calls):
        assert call.result(SECONDS) == [key * 2 for key in range(number * 25, number * 25 + 50)]


# -- failures


def test_a_batch_that_fails_fails_exactly_its_callers() -> None:
    source = Source()
    source.first_error = OSError("source is down")
    loader = DataLoader[int, int](source)
    leader = spawn(numbered, 0, loader.get, 1)
    assert source.under_way.wait(SECONDS)
    same, other = spawn(numbered, 1, loader.get, 1), spawn(numbered, 2, loader.get, 2)
    until(lambda: gathered(loader) == 2)
    source.finish.set()
    for call in (leader, same):
        with pytest.raises(OSError, match="source is down"):
            call.result(SECONDS)
    assert other.result(SECONDS) == 4
    assert loader.get(1) == 2, "the failure is not kept"
    assert source.batches == [[1], [2], [1]]


def test_one_keys_error_is_its_own_and_is_kept() -> None:
    batches: list[list[int]] = []

    def fetch(keys: list[int]) -> dict[int, object]:
        batches.append(keys)
        return {key: ValueError("odd") if key % 2 else key for key in keys}

    loader = DataLoader[int, object](fetch)
    error, two = loader.get_many([1, 2], return_exceptions=True)
    assert type(error) is ValueError
    assert two == 2
    for _ in range(3):
        with pytest.raises(ValueError, match="odd") as raised:
            loader.get(1)
        assert raised.value is error
    with pytest.raises(ValueError, match="odd"):
        loader.get_many([2, 1])
    assert batches == [[1, 2]]


def test_one_keys_error_is_asked_for_again_if_errors_are_not_cached() -> None:
    batches: list[list[int]] = []

    def fetch(keys: list[int]) -> list[object]:
        batches.append(keys)
        return [ValueError("once") if len(batches) == 1 and key == 1 else key for key in keys]

    loader = DataLoader[int, object](fetch, cache_errors=False)
    with pytest.raises(ValueError, match="once"):
        loader.get_many([1, 2])
    assert loader.get_many([1, 2]) == [1, 2]
    assert batches == [[1, 2], [1]]


def length(error: BaseException) -> int:
    count, traceback = 0, error.__traceback__
    while traceback is not None:
        count, traceback = count + 1, traceback.tb_next
    return count


def test_the_traceback_of_a_kept_error_does_not_grow() -> None:
    loader = DataLoader[int, object](lambda keys: [ValueError("kept") for _ in keys])

    def once() -> int:
        try:
            loader.get(1)
        except ValueError as error:
            return length(error)
        return 0

    lengths = {once() for _ in range(20)}
    assert len(lengths) <= 2, "the first, which has fetched, and all others"
    assert 0 not in lengths


@pytest.mark.parametrize("keys", [[2, 1], [2, 3]])
def test_who_waits_for_a_leader_that_is_ended_gets_the_answers_to_its_own_keys(
    keys: list[int],
) -> None:
    source = Source()
    source.first_error = KeyboardInterrupt()
    loader = DataLoader[int, int](source)
    leader = spawn(loader.get_many, [1, 2])
    assert source.under_way.wait(SECONDS)
    first = spawn(numbered, 1, loader.get_many, keys)
    until(lambda: gathered(loader) >= 1)
    second = spawn(numbered, 2, loader.get, 1)
    until(lambda: gathered(loader) >= 2)
    source.finish.set()
    with pytest.raises(KeyboardInterrupt):
        leader.result(SECONDS)
    assert first.result(SECONDS) == [key * 2 for key in keys]
    assert second.result(SECONDS) == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, StrangeError, SystemExit])
def test_what_ends_the_leader_does_not_harm_those_who_wait(error: type[BaseException]) -> None:
    source = Source()
    source.first_error = error()
    loader = DataLoader[int, int](source)
    leader = spawn(numbered, 0, loader.get_many, [1, 2])
    assert source.under_way.wait(SECONDS)
    same, other = spawn(numbered, 1, loader.get, 1), spawn(numbered, 2, loader.get_many, [2, 3])
    until(lambda: gathered(loader) == 3)
    source.finish.set()
    with pytest.raises(error):
        leader.result(SECONDS)
    assert same.result(SECONDS) == 2
    assert other.result(SECONDS) == [4, 6]
    assert loader.get(4) == 8
    assert source.batches[0] == [1, 2]


def test_after_the_leader_was_ended_only_the_keys_that_it_lost_are_asked_for_again() -> None:
    source = Source()
    source.first_error = StrangeError()
    loader = DataLoader[int, int](source)
    leader = spawn(numbered, 0, loader.get_many, [1, 2])
    assert source.under_way.wait(SECONDS)
    other = spawn(numbered, 1, loader.get_many, [2, 3])
    until(lambda: gathered(loader) == 2)
    source.finish.set()
    with pytest.raises(StrangeError):
        leader.result(SECONDS)
    assert other.result(SECONDS) == [4, 6]
    assert sorted(chain.from_iterable(source.batches)) == [1, 2, 2, 3]


GREEN_KILLED_ONE_AFTER_ANOTHER = """
import gevent, gevent.lock
from dataloaders import DataLoader
class Killed(BaseException): pass
batches = []
def fetch(keys):
    batches.append(keys)
    gevent.sleep(0.01)
    if len(batches) <= 4:
        raise Killed
    return keys
loader = DataLoader(fetch)
def ask():
    try:
        return loader.get(1)
    except BaseException as error:
        return type(error).__name__
jobs = [gevent.spawn(ask) for _ in range(8)]
gevent.joinall(jobs, timeout=20)
print(sorted(str(job.value) for job in jobs), len(batches))
"""


def test_those_who_wait_are_answered_although_leader_after_leader_is_ended() -> None:
    printed = run_green("gevent", GREEN_KILLED_ONE_AFTER_ANOTHER)
    # Four leaders were ended. The fifth batch answers the other four.
    assert printed == f"{['1'] * 4 + ['Killed'] * 4} 5"


def test_a_thread_that_is_interrupted_while_it_waits_takes_nothing_with_it() -> None:
    """A lock whose holder can be made to fail stands for a wait that is interrupted."""
    source = Source()
    loader = DataLoader[int, int](source)
    turn = loader._turns._turn
    interrupted = threading.Event()

    class Interrupted:
        def __enter__(self) -> None:
            if threading.current_thread() is victim:
                interrupted.set()
                raise KeyboardInterrupt
            turn.__enter__()

        def __exit__(self, *about: object) -> None:
            turn.release()

        acquire, release = turn.acquire, turn.release

    raised: list[type[BaseException]] = []

    def interrupted_get() -> None:
        try:
            loader.get(1)
        except KeyboardInterrupt as error:
            raised.append(type(error))

    victim = threading.Thread(target=interrupted_get, daemon=True)
    loader._turns._turn = Interrupted()  # type: ignore[assignment] # stands in for the lock
    leader = spawn(loader.get, 0)
    assert source.under_way.wait(SECONDS)
    victim.start()
    victim.join(SECONDS)
    assert interrupted.is_set()
    same, other = spawn(loader.get, 1), spawn(loader.get, 2)
    until(lambda: any(len(batch.keys) == 2 for batch in loader._turns._queue))
    source.finish.set()
    assert (leader.result(SECONDS), same.result(SECONDS), other.result(SECONDS)) == (0, 2, 4)
    assert raised == [KeyboardInterrupt]
    assert [sorted(batch) for batch in source.batches] == [[0], [1, 2]]


def test_keys_left_by_an_interrupted_thread_do_not_stop_the_next() -> None:
    source = Source()
    source.finish.set()
    loader = DataLoader[int, int](source)
    loader._turns._collect({9: 9}, {})  # what a thread has done that dies while it waits
    assert spawn(loader.get, 1).result(SECONDS) == 2
    assert spawn(loader.get, 9).result(SECONDS) == 18
    assert sorted(chain.from_iterable(source.batches)) == [1, 9]


def test_a_stop_iteration_of_the_batch_function_reaches_the_caller_as_an_error_it_can_tell() -> (
    None
):
    def fetch(_keys: list[int]) -> list[int]:
        return next(iter([]))

    loader = DataLoader[int, int](fetch)

    def rows() -> Iterator[int]:
        for key in (1, 2):
            yield loader.get(key)

    # Inside a generator a bare StopIteration would mean "no more rows".
    with pytest.raises((errors.DataLoaderError, RuntimeError)):
        list(map(loader.get, [1, 2]))
    with pytest.raises((errors.DataLoaderError, RuntimeError)):
        list(rows())


def test_a_cache_that_refuses_a_value_does_not_break_the_loader() -> None:
    class Refuses(dict[int, int]):
        def update(self, *_: Any) -> None:  # noqa: ANN401 - as dict's
            raise ValueError("value too large")

        __setitem__ = update

    loader = DataLoader[int, int](lambda keys: keys, cache_map=Refuses())
    for key in (1, 1, 2):
        # The value or the cache's error, but never another error or a hang.
        call = spawn(loader.get, key)
        try:
            assert call.result(SECONDS) == key
        except ValueError as error:
            assert str(error) == "value too large"  # noqa: PT017 - either outcome is right


# -- lookups of a batch function's own


def test_a_batch_function_may_get_other_keys_of_its_loader() -> None:
    batches: list[list[int]] = []

    def fetch(keys: list[int]) -> list[int]:
        batches.append(keys)
        return [key and key + loader.get(key - 1) for key in keys]

    loader = DataLoader[int, int](fetch)
    assert spawn(loader.get, 4).result(SECONDS) == 10
    assert batches == [[4], [3], [2], [1], [0]]


def test_a_batch_function_that_gets_its_own_key_gets_an_error() -> None:
    loader: DataLoader[int, int]
    loader = DataLoader(lambda keys: [loader.get(key) for key in keys])
    with pytest.raises(errors.RecursiveLoadError, match="key 7"):
        spawn(loader.get, 7).result(SECONDS)
    with pytest.raises(errors.RecursiveLoadError, match="key 8"):
        spawn(loader.get_many, [8]).result(SECONDS)


def test_a_batch_function_that_is_a_generator_may_get_other_keys_of_its_loader() -> None:
    def fetch(keys: list[int]) -> Iterator[int]:
        for key in keys:
            yield key and key + loader.get(key - 1)

    loader = DataLoader[int, int](fetch)
    assert spawn(loader.get, 2).result(5) == 3


def test_a_time_limit_holds_for_a_batch_function_that_is_a_generator() -> None:
    finish = threading.Event()

    def fetch(keys: list[int]) -> Iterator[int]:
        finish.wait(SECONDS)
        yield from keys

    loader = DataLoader[int, int](fetch, timeout=0.02)
    call = spawn(loader.get, 1)
    try:
        with pytest.raises(errors.BatchTimeoutError):
            call.result(5)
    finally:
        finish.set()


def test_two_loaders_that_get_each_others_keys_get_an_error() -> None:
    one: DataLoader[int, int]
    two: DataLoader[int, int]
    one = DataLoader(lambda keys: [two.get(key) for key in keys])
    two = DataLoader(lambda keys: [one.get(key) for key in keys])
    with pytest.raises(errors.RecursiveLoadError):
        spawn(one.get, 1).result(SECONDS)


def test_two_loaders_may_get_from_each_other_in_two_threads_at_once() -> None:
    both_under_way = threading.Barrier(2, timeout=SECONDS)

    def fetch_one(keys: list[str]) -> list[str]:
        if keys == ["start"]:
            both_under_way.wait()
            return [two.get("other")]
        return ["one's"]

    def fetch_two(keys: list[str]) -> list[str]:
        if keys == ["start"]:
            both_under_way.wait()
            return [one.get("other")]
        return ["two's"]

    one, two = DataLoader[str, str](fetch_one), DataLoader[str, str](fetch_two)
    first, second = spawn(one.get, "start"), spawn(two.get, "start")
    assert (first.result(SECONDS), second.result(SECONDS)) == ("two's", "one's")


def test_two_loaders_that_get_each_others_key_under_way_in_two_threads_do_not_deadlock() -> None:
    both_under_way = threading.Barrier(2, timeout=SECONDS)
    starts = {"one": True, "two": True}

    def fetch_from(name: str, keys: list[int]) -> list[int]:
        if starts[name]:
            starts[name] = False
            both_under_way.wait()
            other = two if name == "one" else one
            return [other.get(key) for key in keys]
        return [key * 2 for key in keys]

    one = DataLoader[int, int](functools.partial(fetch_from, "one"))
    two = DataLoader[int, int](functools.partial(fetch_from, "two"))
    first, second = spawn(one.get, 1), spawn(two.get, 1)
    assert (first.result(SECONDS), second.result(SECONDS)) == (2, 2)


# -- beside an event loop


async def test_get_works_inside_a_running_event_loop() -> None:
    loader = DataLoader[int, int](lambda keys: [key * 2 for key in keys])
    assert loader.get(1) == 2
    assert loader.get_many([1, 2]) == [2, 4]


async def test_get_and_load_share_what_they_know() -> None:
    batches: list[list[int]] = []

    def fetch(keys: list[int]) -> list[int]:
        batches.append(keys)
        return [key * 2 for key in keys]

    loader = DataLoader[int, int](fetch)
    assert await loader.load(1) == 2
    assert loader.get_many([1, 2]) == [2, 4]
    assert await loader.load_many([1, 2, 3]) == [2, 4, 6]
    assert batches == [[1], [2], [3]]


async def test_get_in_a_thread_is_answered_while_a_load_of_the_key_is_under_way() -> None:
    source = Source()
    loader = DataLoader[int, int](source)
    loaded = loader.load(1)
    assert await asyncio.to_thread(source.under_way.wait, SECONDS)
    got = spawn(loader.get, 1)
    assert await asyncio.to_thread(got.result, SECONDS) == 2
    assert not loaded.done()
    source.finish.set()
    assert await asyncio.wait_for(loaded, SECONDS) == 2
    assert loader.get(1) == 2
    assert source.batches == [[1], [1]]


async def test_load_is_answered_while_a_get_of_the_key_is_under_way_in_a_thread() -> None:
    source = Source()
    loader = DataLoader[int, int](source)
    got = spawn(loader.get, 1)
    assert await asyncio.to_thread(source.under_way.wait, SECONDS)
    assert await asyncio.wait_for(loader.load_many([1, 2]), SECONDS) == [2, 4]
    source.finish.set()
    assert await asyncio.to_thread(got.result, SECONDS) == 2
    assert loader.size() == 2
    assert source.batches == [[1], [1, 2]]


def test_get_on_an_async_loader_is_refused_but_for_what_it_knows() -> None:
    async def fetch(keys: list[int]) -> list[int]:
        return [key * 2 for key in keys]

    loader = DataLoader[int, int](fetch)
    for call in (loader.get, loader.require):
        with pytest.raises(errors.AsyncOnlyError, match="Await load or load_many"):
            call(1)
    with pytest.raises(errors.AsyncOnlyError):
        loader.get_many([1, 2])
    loader.prime(1, 5)
    assert asyncio.run(loader.load_many_required([2])) == [4]
    assert loader.get(1) == 5
    assert loader.get_many([2, 1, 2]) == [4, 5, 4]


class AsyncCallable:
    async def __call__(self, keys: list[int]) -> list[int]:
        return [key * 2 for key in keys]


async def awaitable_of(keys: list[int]) -> list[int]:
    return [key * 2 for key in keys]


@pytest.mark.parametrize(
    "function",
    [AsyncCallable(), functools.partial(awaitable_of), lambda keys: awaitable_of(list(keys))],
    ids=["callable object", "partial", "function that returns a coroutine"],
)
@pytest.mark.parametrize("timeout", [None, 20.0])
def test_get_knows_an_async_batch_function_in_any_guise(
    function: Callable[[list[int]], Any], timeout: float | None
) -> None:
    loader = DataLoader[int, int](function, timeout=timeout)
    for _ in range(2):
        with pytest.raises(errors.AsyncOnlyError):
            loader.get(1)
    gc.collect()  # a coroutine that nobody awaited would warn here, and warnings are errors
    assert asyncio.run(loader.load_many_required([1])) == [2]
    assert loader.get(1) == 2


# -- time limits


def test_a_time_limit_answers_the_leader_and_those_who_wait_with_it() -> None:
    source = Source()
    loader = DataLoader[int, int](source, timeout=0.05)
    leader = spawn(loader.get, 1)
    assert source.under_way.wait(SECONDS)
    try:
        with pytest.raises(errors.BatchTimeoutError, match=r"1 keys .* 0\.05 seconds"):
            leader.result(SECONDS)
        assert spawn(loader.get, 1).result(SECONDS) == 2, "nothing was kept, and it works on"
    finally:
        source.finish.set()
    assert loader.get(1) == 2
    assert source.batches == [[1], [1]]


def test_an_answer_that_comes_after_its_time_limit_is_not_kept() -> None:
    finish, finished = threading.Event(), threading.Event()

    def fetch(keys: list[int]) -> list[str]:
        assert finish.wait(SECONDS)
        finished.set()
        return ["late" for _ in keys]

    loader = DataLoader[int, str](fetch, timeout=0.02)
    with pytest.raises(TimeoutError):
        spawn(loader.get, 1).result(SECONDS)
    loader.prime(1, "primed")
    finish.set()
    assert finished.wait(SECONDS)
    assert loader.get(1) == "primed"


def test_a_timely_answer_under_a_time_limit_is_an_answer() -> None:
    loader = DataLoader[int, int](lambda keys: [key * 2 for key in keys], timeout=20)
    assert loader.get_many([1, 2]) == [2, 4]


def test_an_error_under_a_time_limit_is_the_batch_functions_own() -> None:
    def fetch(_keys: list[int]) -> list[int]:
        raise TimeoutError("the database's own")

    loader = DataLoader[int, int](fetch, timeout=20)
    with pytest.raises(TimeoutError, match="the database's own"):
        loader.get(1)


# -- forms


def test_get_many_answers_in_order_and_duplicates_too() -> None:
    batches: list[list[int]] = []

    def fetch(keys: list[int]) -> dict[int, str]:
        batches.append(keys)
        return {key: str(key) for key in sorted(keys) if key != 4}

    loader = DataLoader[int, str | None](fetch)
    assert loader.get_many([3, 1, 3, 4, 1]) == ["3", "1", "3", None, "1"]
    assert loader.get_many(iter([4, 2])) == [None, "2"]
    assert loader.get_many([]) == []
    assert batches == [[3, 1, 4], [2]], "absence is remembered"


def test_get_many_splits_what_is_too_much_for_one_batch() -> None:
    batches: list[list[int]] = []

    def fetch(keys: list[int]) -> list[int]:
        batches.append(keys)
        return keys

    loader = DataLoader[int, int](fetch, max_batch_size=10)
    assert loader.get_many(range(105)) == list(range(105))
    assert batches == [list(range(first, min(first + 10, 105))) for first in range(0, 105, 10)]
    assert loader.get_many([200, 201, 200] * 9) == [200, 201, 200] * 9
    assert batches[11:] == [[200, 201]]


def test_get_many_asks_for_a_duplicate_across_batches_once() -> None:
    batches: list[list[int]] = []

    def fetch(keys: list[int]) -> list[int]:
        batches.append(keys)
        return keys

    loader = DataLoader[int, int](fetch, max_batch_size=2)
    assert loader.get_many([1, 2, 1, 3, 2]) == [1, 2, 1, 3, 2]
    assert batches == [[1, 2], [3]]


def test_get_without_batching_asks_for_each_key_alone() -> None:
    batches: list[list[int]] = []

    def fetch(keys: list[int]) -> list[int]:
        batches.append(keys)
        return keys

    loader = DataLoader[int, int](fetch, batch=False)
    assert loader.get_many([1, 2, 1]) == [1, 2, 1]
    assert batches == [[1], [2]]


def test_get_without_a_cache_passes_every_key_on() -> None:
    batches: list[list[int]] = []

    def fetch(keys: list[int]) -> list[int]:
        batches.append(keys)
        return keys

    loader = DataLoader[int, int](fetch, cache=False)
    assert loader.get_many([1, 2, 1]) == [1, 2, 1]
    assert loader.get(1) == 1
    assert batches == [[1, 2, 1], [1]]
    assert loader.size() == 0


def test_require_names_what_is_missing() -> None:
    loader = DataLoader[str, int](lambda keys: {key: 0 for key in keys if key != "gone"})
    assert loader.require("zero") == 0, "only None is missing"
    assert loader.require_many(iter(["zero", "nil"])) == [0, 0]
    with pytest.raises(errors.KeyNotFoundError, match="'gone'") as raised:
        loader.require("gone")
    assert raised.value.keys == ("gone",)
    with pytest.raises(LookupError) as many:
        loader.require_many(["zero", "gone"])
    assert isinstance(many.value, errors.KeyNotFoundError)
    assert many.value.keys == ("gone",)
    assert loader.get("gone") is None


# -- clear and prime while a batch is under way


@pytest.mark.parametrize("clear_all", [False, True])
def test_an_answer_older_than_a_clear_is_given_but_not_kept(clear_all: bool) -> None:  # noqa: FBT001 - a parameter
    source = Source()
    loader = DataLoader[int, int](source)
    call = spawn(loader.get_many, [1, 2])
    assert source.under_way.wait(SECONDS)
    if clear_all:
        loader.clear_all()
    else:
        loader.clear(1)
    source.finish.set()
    assert call.result(SECONDS) == [2, 4]
    assert loader.size() == (0 if clear_all else 1)
    assert loader.get_many([1, 2]) == [2, 4]
    assert source.batches == [[1, 2], [1, 2] if clear_all else [1]]


def test_who_asks_after_a_clear_does_not_get_the_older_answer() -> None:
    source = Source()
    answers = iter(["older", "newer"])

    def fetch(keys: list[int]) -> list[str]:
        answer = next(answers)
        source(keys)
        return [answer for _ in keys]

    loader = DataLoader[int, str](fetch)
    before = spawn(loader.get, 1)
    assert source.under_way.wait(SECONDS)
    loader.clear(1)
    after = spawn(loader.get, 1)
    until(lambda: bool(loader._turns._queue))
    source.finish.set()
    assert (before.result(SECONDS), after.result(SECONDS)) == ("older", "newer")
    assert loader.get(1) == "newer"


def test_priming_a_key_that_is_under_way_changes_nothing() -> None:
    source = Source()
    loader = DataLoader[int, int](source)
    call = spawn(loader.get, 1)
    assert source.under_way.wait(SECONDS)
    assert loader.prime(1, 77) is loader
    source.finish.set()
    assert call.result(SECONDS) == 2
    assert loader.get(1) == 2
    assert loader.prime(2, 77).get(2) == 77
    assert source.batches == [[1]]


def test_a_value_primed_between_a_clear_and_the_older_answer_stays() -> None:
    source = Source()
    loader = DataLoader[int, int](source)
    call = spawn(loader.get, 1)
    assert source.under_way.wait(SECONDS)
    loader.clear(1).prime(1, 77)
    source.finish.set()
    assert call.result(SECONDS) == 2
    assert loader.get(1) == 77


# -- green threads


LEADER_AND_FOLLOWERS = """
import threading, time
from dataloaders import DataLoader

class Ended(BaseException): pass

batches, under_way, finish, answers = [], threading.Event(), threading.Event(), {}

def fetch(keys):
    batches.append(sorted(keys))
    if len(batches) == 1:
        under_way.set()
        assert finish.wait(20)
        if ENDED:
            raise Ended
    return [key * 2 for key in keys]

loader = DataLoader(fetch, timeout=TIMEOUT)

def ask(key):
    try:
        answers[key] = loader.get(key)
    except Ended:
        answers[key] = "ended"

def start(key):
    thread = threading.Thread(target=ask, args=(key,))
    thread.start()
    return thread

threads = [start(0)]
assert under_way.wait(20)
threads += [start(key) for key in range(1, 6)]
deadline = time.monotonic() + 20
while not any(len(batch.keys) == 5 for batch in loader._turns._queue):
    assert time.monotonic() < deadline
    time.sleep(0.001)
finish.set()
for thread in threads:
    thread.join(20)
print(batches, sorted(answers.items()))
"""


@pytest.mark.parametrize("timeout", [None, 20])
@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("green", ["gevent", "eventlet"])
def test_green_threads_lead_and_follow(green: str, ended: bool, timeout: int | None) -> None:  # noqa: FBT001 - a parameter
    printed = run_green(green, f"ENDED, TIMEOUT = {ended}, {timeout}\n{LEADER_AND_FOLLOWERS}")
    answers: list[tuple[int, object]] = [(key, key * 2) for key in range(6)]
    if ended:
        answers[0] = (0, "ended")
    assert printed == f"{[[0], [1, 2, 3, 4, 5]]} {answers}"


def test_a_green_threads_time_limit_ends_it_and_harms_nobody_who_waits() -> None:
    program = """
import gevent, gevent.event
from dataloaders import DataLoader
batches, limited = [], gevent.event.Event()
def fetch(keys):
    batches.append(sorted(keys))
    if len(batches) == 1:
        limited.wait(20)
        gevent.sleep(20)  # ended by the limit of the one whose stack this is
    return [key * 2 for key in keys]
loader = DataLoader(fetch)
def leads():
    with gevent.Timeout(0.05) as limit:
        try:
            return loader.get(1)
        except gevent.Timeout as error:
            assert error is limit
            return "limited"
def gives_up():
    try:
        with gevent.Timeout(0.01):
            return loader.get(3)
    except gevent.Timeout:
        limited.set()
        return "gave up"
jobs = [gevent.spawn(leads), gevent.spawn(gives_up), *(gevent.spawn(loader.get, k) for k in (1, 2))]
gevent.joinall(jobs, timeout=20)
print([job.value for job in jobs], loader.get(3))
"""
    assert run_green("gevent", program) == "['limited', 'gave up', 2, 4] 6"


def test_of_two_answers_to_a_key_the_one_that_was_asked_for_later_is_kept() -> None:
    first_called, finish_first = threading.Event(), threading.Event()
    calls: list[list[int]] = []

    def fetch(keys: list[int]) -> dict[int, str]:
        calls.append(keys)
        if len(calls) > 1:
            return dict.fromkeys(keys, "new")
        first_called.set()
        assert finish_first.wait(SECONDS)
        return dict.fromkeys(keys, "old")

    async def load() -> str:
        return await loader.load(1)

    loader = DataLoader[int, str](fetch)
    earlier = spawn(loader.get, 1)
    assert first_called.wait(SECONDS)
    # A loop's callers do not wait for a thread's batch, so the key is asked for again.
    assert asyncio.run(load()) == "new"
    finish_first.set()
    assert earlier.result(SECONDS) == "old"
    assert loader.get(1) == "new"
    assert calls == [[1], [1]]
