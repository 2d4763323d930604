"""Callers of a source that is shared: in threads, on event loops, in requests."""

from __future__ import annotations

import asyncio
import threading
import time
from contextvars import ContextVar
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from dataloaders import LoaderRegistry
from dataloaders.errors import (
    AccountOutsideScopeError,
    BatchAbortedError,
    BatchResultError,
    BatchTimeoutError,
    ConfigurationError,
    InvalidKeyError,
    ScopeClosedError,
    SourceClosedError,
    WaitTimeoutError,
)
from dataloaders.remote import (
    SPLIT,
    Aged,
    Judgement,
    Rate,
    Remedy,
    RemoteLoader,
    RemoteSource,
    asking,
)
from dataloaders.remote.dispatcher import Dispatcher
from tests.threads import spawn, until

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from concurrent.futures import Future

    from dataloaders import DataLoader, LoaderScope

    L = TypeVar("L", bound=DataLoader[Any, Any])

user: ContextVar[str] = ContextVar("user")


class Recording(RemoteSource):
    """Answers each key with itself and the account, and notes its calls."""

    max_concurrency = 1

    def __init__(
        self, answer: Callable[[list[Any]], object] | None = None, **terms: object
    ) -> None:
        vars(self).update(terms)
        self.calls: list[tuple[Hashable, list[Any]]] = []
        self.begun = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()
        self.answer = answer

    def fetch(self, keys: list[Any], account: Hashable) -> object:
        self.calls.append((account, keys))
        self.begun.release()
        assert self.gate.wait(20)
        if self.answer is not None:
            return self.answer(keys)
        return {key: (account, key) for key in keys}

    @property
    def asked(self) -> list[list[Any]]:
        return [sorted(keys) for _, keys in self.calls]


class Registry(LoaderRegistry):
    """Makes loaders with the same arguments each."""

    def __init__(self, *arguments: Hashable, **options: Any) -> None:  # noqa: ANN401 - a loader's
        super().__init__()
        self.arguments = arguments
        self.options = options

    def make(self, loader_class: type[L], scope: LoaderScope) -> L:  # noqa: ARG002 - a registry's signature
        return loader_class(*self.arguments, **self.options)  # type: ignore[arg-type]  # a RemoteLoader's


def loader_of(source: RemoteSource, account: Hashable = None) -> RemoteLoader[Any, Any]:
    class Loader(RemoteLoader[Any, Any]):
        shared = account is None

    return Loader(account, source=source)


def kept_busy(source: Recording) -> Future[Any]:
    """Has a call for key 0 be under way until the source's gate is opened."""
    source.gate.clear()
    first = spawn(loader_of(source).get, 0)
    assert source.begun.acquire(timeout=20)
    return first


def waiting(source: RemoteSource, count: int) -> bool:
    """Whether so many keys have been asked of a source."""
    return source.counts.keys >= count


def test_who_comes_while_a_call_is_under_way_goes_with_the_next_one() -> None:
    source = Recording()
    first = kept_busy(source)
    others = [spawn(loader_of(source).get, key) for key in range(1, 30)]
    until(lambda: waiting(source, 30))
    source.gate.set()
    assert first.result(20) == (None, 0)
    assert [each.result(20) for each in others] == [(None, key) for key in range(1, 30)]
    assert source.asked == [[0], list(range(1, 30))]


def test_threads_loops_and_requests_meet_in_one_call() -> None:
    source = Recording()
    first = kept_busy(source)

    async def ask(keys: list[int]) -> list[Any]:
        loader = loader_of(source)
        return [*await asyncio.gather(*map(loader.load, keys)), *await loader.load_many(keys)]

    loops = [spawn(asyncio.run, ask([n, n + 1])) for n in (10, 20, 30)]
    thread = spawn(loader_of(source).get_many, [1, 2, 10])
    until(lambda: waiting(source, 10))
    source.gate.set()
    assert first.result(20) == (None, 0)
    assert thread.result(20) == [(None, 1), (None, 2), (None, 10)]
    for n, loop in zip((10, 20, 30), loops, strict=True):
        assert loop.result(20) == [(None, n), (None, n + 1)] * 2
    assert source.asked == [[0], [1, 2, 10, 11, 20, 21, 30, 31]]
    assert source.counts.shared == 1  # 10


def test_an_async_fetch_answers_threads_and_loops_on_a_loop_of_its_own() -> None:
    loops = set()

    class Async(RemoteSource):
        async def fetch(self, keys: list[int], _account: Hashable) -> list[int]:
            loops.add(asyncio.get_running_loop())
            await asyncio.sleep(0.001)
            return [-key for key in keys]

    source = Async()

    async def ask(key: int) -> tuple[object, bool]:
        return await loader_of(source).load(key), asyncio.get_running_loop() in loops

    assert [loader_of(source).get(n) for n in range(3)] == [0, -1, -2]
    assert [asyncio.run(ask(n)) for n in range(3)] == [(0, False), (-1, False), (-2, False)]
    assert len(loops) == 1
    source.close()


def test_calls_of_two_accounts_are_never_one() -> None:
    source = Recording()
    source.gate.clear()
    first = spawn(loader_of(source, "ann").get, 0)
    assert source.begun.acquire(timeout=20)
    accounts = ["ann", "bob", "cy"] * 5
    asked = [spawn(loader_of(source, account).get, n % 4) for n, account in enumerate(accounts)]
    until(lambda: waiting(source, 16))
    source.gate.set()
    assert first.result(20) == ("ann", 0)
    assert [each.result(20) for each in asked] == [
        (account, n % 4) for n, account in enumerate(accounts)
    ]
    assert [account for account, _ in source.calls] == ["ann", "ann", "bob", "cy"]


def test_a_loader_needs_an_account_unless_its_values_are_everybodys() -> None:
    class Private(RemoteLoader[int, int]):
        source = Recording()

    with pytest.raises(ConfigurationError, match="Private's account"):
        Private()

    class Public(Private):
        shared = True

    Public()
    with pytest.raises(ConfigurationError, match="RemoteLoader's account"):
        RemoteLoader(source=Recording())
    with pytest.raises(ConfigurationError, match=r"RemoteLoader\.source"):
        RemoteLoader("ann")


def test_outside_any_scope_a_loader_for_an_account_is_refused() -> None:
    class Public(RemoteLoader[int, Any]):
        source = Recording()
        shared = True

    registry = Registry("ann")
    with pytest.raises(AccountOutsideScopeError, match=r"Public\(account=\.\.\.\)") as caught:
        registry.loader(Public)
    assert "ann" not in str(caught.value)
    with registry.scope():
        assert registry.loader(Public).get(1) == ("ann", 1)


def test_a_batch_is_split_by_the_sources_size() -> None:
    source = Recording(max_batch_size=10)
    loader = loader_of(source)
    assert loader.get_many(range(25)) == [(None, key) for key in range(25)]
    assert sorted(map(len, source.asked)) == [5, 10, 10]


def test_a_source_without_a_bulk_call_is_asked_side_by_side() -> None:
    under_way = threading.Barrier(4, timeout=20)

    class Single(RemoteSource):
        max_batch_size = 1
        max_concurrency = 4

        def fetch(self, keys: list[int], _account: Hashable) -> list[int]:
            assert len(keys) == 1
            under_way.wait()  # passes when four calls are under way
            return keys

    assert loader_of(Single()).get_many(range(8)) == list(range(8))


def test_calls_keep_to_the_rate_and_to_the_interval() -> None:
    for terms in ({"rates": (Rate(2, 0.3),)}, {"min_interval": 0.15}):
        times: list[float] = []

        def note(keys: list[int], times: list[float] = times) -> list[int]:
            times.append(time.monotonic())
            return keys

        source = Recording(note, max_batch_size=1, max_concurrency=4, **terms)
        assert loader_of(source).get_many(range(6)) == list(range(6))
        between, length = (2, 0.3) if "rates" in terms else (1, 0.15)
        for first, last in zip(times, times[between:], strict=False):
            assert last - first >= length


def test_a_call_whose_thread_starts_late_counts_from_then_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call = Dispatcher._call
    delays = [0.4]

    def call_late(dispatcher: Dispatcher, *arguments: Any) -> None:  # noqa: ANN401 - whatever it takes
        time.sleep(delays.pop() if delays else 0.0)
        call(dispatcher, *arguments)

    monkeypatch.setattr(Dispatcher, "_call", call_late)
    times: list[float] = []

    def note(keys: list[int]) -> list[int]:
        times.append(time.monotonic())
        return keys

    source = Recording(note, max_batch_size=1, max_concurrency=2, rates=(Rate(1, 0.2),))
    assert loader_of(source).get_many([1, 2]) == [1, 2]
    assert times[1] - times[0] >= 0.2


def test_one_rate_may_be_that_of_several_sources() -> None:
    times: list[float] = []

    def note(keys: list[int]) -> list[int]:
        times.append(time.monotonic())
        return keys

    rate = Rate(1, 0.1)
    sources = [Recording(note, rates=(rate,)) for _ in range(3)]
    asked = [spawn(loader_of(source).get, 1) for source in sources]
    assert [each.result(20) for each in asked] == [1, 1, 1]
    times.sort()
    assert all(last - first >= 0.1 for first, last in pairwise(times))


def test_a_key_fails_alone() -> None:
    def answer(keys: list[int]) -> dict[int, Any]:
        return {key: ValueError("three") if key == 3 else key for key in keys if key != 4}

    loader = loader_of(Recording(answer))
    one, three, four = loader.get_many([1, 3, 4], return_exceptions=True)
    assert (one, four) == (1, None)
    assert isinstance(three, ValueError)
    with pytest.raises(ValueError, match="three"):
        loader.get(3)


def test_a_batch_that_is_refused_whole_is_split_to_find_the_culprit() -> None:
    class Picky(Recording):
        def judge(self, error: Exception) -> Judgement:
            return SPLIT if isinstance(error, LookupError) else super().judge(error)

    def answer(keys: list[int]) -> list[int]:
        if 13 in keys:
            raise LookupError("13 is unlucky")
        return keys

    source = Picky(answer)
    outcomes = loader_of(source).get_many(range(64), return_exceptions=True)
    assert isinstance(outcomes[13], LookupError)
    assert outcomes[:13] + outcomes[14:] == [*range(13), *range(14, 64)]
    assert len(source.calls) == 1 + 2 * 6  # two halves at each of six levels
    assert source.counts.split == 6


@pytest.mark.parametrize("repeatable", [True, False])
def test_what_fails_for_a_while_is_repeated_if_that_is_safe(*, repeatable: bool) -> None:
    failures = [ConnectionResetError("gone"), TimeoutError("slow")]

    def answer(keys: list[int]) -> list[int]:
        if failures:
            raise failures.pop(0)
        return keys

    source = Recording(answer, repeatable=repeatable)
    if repeatable:
        assert loader_of(source).get(1) == 1
        assert len(source.calls) == 3
    else:
        with pytest.raises(ConnectionResetError, match="gone"):
            loader_of(source).get(1)
        assert len(source.calls) == 1


def test_what_goes_on_failing_reaches_its_callers_and_is_not_remembered() -> None:
    def answer(_keys: list[int]) -> list[int]:
        raise ConnectionResetError("gone")

    source = Recording(answer, repeatable=True)
    loader = loader_of(source)
    with pytest.raises(ConnectionResetError, match="gone"):
        loader.get(1)
    assert len(source.calls) == 3
    source.answer = None
    assert loader.get(1) == (None, 1)


def test_a_source_that_is_called_too_often_pauses_as_a_whole() -> None:
    times: list[float] = []

    class TooOftenError(Exception):
        pass

    class Strict(Recording):
        def judge(self, _error: Exception) -> Judgement:
            return Judgement(Remedy.SLOW_DOWN, 0.2)

    def answer(keys: list[int]) -> list[int]:
        times.append(time.monotonic())
        if len(times) == 1:
            raise TooOftenError
        return keys

    source = Strict(answer)
    first = spawn(loader_of(source).get, 1)
    until(lambda: source.counts.slowed == 1)
    second = spawn(loader_of(source).get, 2)
    assert (first.result(20), second.result(20)) == (1, 2)
    assert times[1] - times[0] >= 0.2
    assert source.asked == [[1], [1, 2]]


def test_a_source_that_pauses_keeps_nothing_of_callers_whose_time_is_over() -> None:
    class Strict(Recording):
        def judge(self, _error: Exception) -> Judgement:
            return Judgement(Remedy.SLOW_DOWN, 3_600.0)

    def answer(_keys: list[int]) -> None:
        raise KeyError

    source = Strict(answer, max_wait=0.05)

    async def ask() -> int:
        asked = [loader_of(source).load(key) for key in range(10)]
        late = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(each) for each in late} == {WaitTimeoutError}
        await asyncio.sleep(0.2)
        return len(asyncio.all_tasks()) - 1

    assert asyncio.run(ask()) == 0


def test_a_call_that_hangs_is_given_up_and_others_go_on() -> None:
    source = Recording(timeout=0.1)
    source.gate.clear()
    with pytest.raises(BatchTimeoutError, match=r"did not answer within 0\.1 seconds"):
        loader_of(source).get(1)
    assert source.counts.given_up == 1
    source.gate.set()
    assert loader_of(source).get(2) == (None, 2)


def test_each_caller_waits_for_as_long_as_it_wants_to() -> None:
    source = Recording()
    source.gate.clear()
    patient = spawn(loader_of(source).get, 1)
    assert source.begun.acquire(timeout=20)

    def impatient(key: int) -> object:
        with asking(within=0.05):
            return loader_of(source).get(key)

    with pytest.raises(WaitTimeoutError, match=r"within the 0\.05 seconds"):
        impatient(2)
    hurried = Recording(max_wait=0.05)
    hurried.gate.clear()
    with pytest.raises(WaitTimeoutError):
        loader_of(hurried).get(1)
    hurried.gate.set()
    source.gate.set()
    assert patient.result(20) == (None, 1)
    # What was given up before its turn was never asked for.
    assert loader_of(source).get(3) == (None, 3)
    assert source.asked == [[1], [3]]


def test_part_of_the_answers_is_there_in_time() -> None:
    source = Recording(max_batch_size=2)
    loader = loader_of(source)
    source.gate.clear()

    def ask() -> list[Any]:
        with asking(within=0.3):
            return loader.get_many([1, 2, 3], return_exceptions=True)

    asked = spawn(ask)
    assert source.begun.acquire(timeout=20)
    source.gate.set()
    assert source.begun.acquire(timeout=20)
    until(lambda: source.counts.calls == 2)
    assert asked.result(20) == [(None, 1), (None, 2), (None, 3)]

    def late_for_five(keys: list[int]) -> list[int]:
        time.sleep(0.4 * (5 in keys))
        return keys

    source.answer = late_for_five
    outcomes = spawn(lambda: _within(0.2, loader.get_many, [4, 6, 5])).result(20)
    assert outcomes[:2] == [4, 6]
    assert isinstance(outcomes[2], WaitTimeoutError)
    assert loader.get(5) == 5  # it was not remembered


def _within(seconds: float, ask: Callable[..., list[Any]], keys: list[int]) -> list[Any]:
    with asking(within=seconds):
        return ask(keys, return_exceptions=True)


def test_on_an_event_loop_each_caller_has_its_own_time_too() -> None:
    source = Recording()
    source.gate.clear()

    async def ask() -> list[Any]:
        loader = loader_of(source)

        async def impatient(key: int) -> object:
            with asking(within=0.05):
                return await loader.load(key)

        async def open_gate() -> None:
            await asyncio.sleep(0.2)
            source.gate.set()

        asked = (loader.load(1), impatient(1), impatient(2), open_gate())
        return list(await asyncio.gather(*asked, return_exceptions=True))

    patient, late, later, _ = asyncio.run(ask())
    assert patient == (None, 1)
    assert isinstance(late, WaitTimeoutError)
    assert isinstance(later, WaitTimeoutError)


def test_a_task_that_is_cancelled_before_its_turn_costs_nothing() -> None:
    source = Recording()
    first = kept_busy(source)

    async def ask() -> list[Any]:
        loader = loader_of(source)
        gone = [asyncio.ensure_future(loader.load(key)) for key in (1, 2)]
        many = loader.load_many([3, 4])
        stays = [loader.load(key) for key in (2, 4, 5)]
        await asyncio.sleep(0.05)
        for each in (*gone, many):
            each.cancel()
        await asyncio.sleep(0)
        source.gate.set()
        return list(await asyncio.gather(*stays))

    assert asyncio.run(ask()) == [(None, 2), (None, 4), (None, 5)]
    assert first.result(20) == (None, 0)
    assert source.asked == [[0], [2, 4, 5]]


def test_who_keeps_step_with_a_later_batch_still_waits_for_its_key() -> None:
    source = Recording()
    first = kept_busy(source)

    async def ask() -> list[Any]:
        loader = loader_of(source)
        gone = asyncio.ensure_future(loader.load(1))
        await asyncio.sleep(0.02)
        stays = [loader.load(1), loader.load(2)]  # the first of them in step with the second
        await asyncio.sleep(0.02)
        gone.cancel()
        await asyncio.sleep(0)
        source.gate.set()
        return list(await asyncio.gather(*stays))

    assert asyncio.run(ask()) == [(None, 1), (None, 2)]
    assert first.result(20) == (None, 0)
    assert source.asked == [[0], [1, 2]]


def test_a_key_that_found_no_room_ahead_is_asked_for_when_it_is_wanted() -> None:
    source = Recording(max_batch_size=1)
    source.gate.clear()

    async def ask() -> list[Any]:
        loader = loader_of(source)
        loader.expect([1, 2])
        one = loader.load(1)
        await asyncio.sleep(0.02)
        others = [loader.load(2), loader.load(3)]
        await asyncio.sleep(0.02)
        source.gate.set()
        return list(await asyncio.gather(one, *others))

    assert asyncio.run(ask()) == [(None, 1), (None, 2), (None, 3)]


def test_keys_that_found_no_room_ahead_are_asked_for_one_after_the_other() -> None:
    gates = {key: threading.Event() for key in (1, 2, 3)}

    def answer(keys: list[int]) -> list[int]:
        assert all(gates[key].wait(20) for key in keys)
        return keys

    source = Recording(answer, max_batch_size=1)

    async def ask() -> list[Any]:
        loader = loader_of(source)
        loader.expect(gates)
        asked = []
        for key in gates:  # each while the call for the one before is under way
            asked.append(loader.load(key))
            if key > 1:
                gates[key - 1].set()
            assert await asyncio.to_thread(source.begun.acquire, timeout=20)
        gates[3].set()
        return list(await asyncio.gather(*asked))

    assert asyncio.run(ask()) == [1, 2, 3]


def test_who_leaves_just_before_its_call_starts_takes_nobody_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    is_gone = threading.Event()
    start = Dispatcher._start

    def start_late(dispatcher: Dispatcher, *arguments: Any) -> None:  # noqa: ANN401 - whatever it takes
        assert is_gone.wait(20)
        start(dispatcher, *arguments)

    monkeypatch.setattr(Dispatcher, "_start", start_late)
    source = Recording(max_wait=5.0)
    with asking(within=0.05), pytest.raises(WaitTimeoutError):
        loader_of(source).get(1)
    is_gone.set()
    assert loader_of(source).get(2) == (None, 2)


def test_an_event_loop_that_ends_takes_nobody_along() -> None:
    source = Recording()
    first = kept_busy(source)

    async def leave() -> None:
        loader_of(source).load(1)
        asking_too = asyncio.ensure_future(loader_of(source).load(2))
        await asyncio.sleep(0.05)
        asking_too.cancel()

    asyncio.run(leave())
    other = spawn(loader_of(source).get, 3)
    until(lambda: waiting(source, 4))
    source.gate.set()
    assert (first.result(20), other.result(20)) == ((None, 0), (None, 3))
    assert source.asked == [[0], [3]]


def test_what_is_urgent_goes_first() -> None:
    source = Recording(max_batch_size=2)
    first = kept_busy(source)
    screen = spawn(loader_of(source).get_many, range(10, 16))
    until(lambda: waiting(source, 7))

    def order() -> object:
        with asking(priority=5):
            return loader_of(source).get(1)

    urgent = spawn(order)
    until(lambda: waiting(source, 8))
    source.gate.set()
    assert urgent.result(20) == (None, 1)
    assert len(screen.result(20)) == 6
    assert first.result(20) == (None, 0)
    assert source.asked[1] == [1, 10]


def test_a_large_request_does_not_keep_a_small_one_waiting() -> None:
    source = Recording(max_batch_size=4)
    first = kept_busy(source)
    large = spawn(loader_of(source).get_many, range(100, 140))
    until(lambda: waiting(source, 41))
    small = spawn(loader_of(source).get_many, [1, 2])
    until(lambda: waiting(source, 43))
    source.gate.set()
    assert small.result(20) == [(None, 1), (None, 2)]
    assert len(large.result(20)) == 40
    assert first.result(20) == (None, 0)
    assert {1, 2} <= set(source.asked[1])


def test_answers_are_shared_for_as_long_as_the_source_allows() -> None:
    source = Recording(max_age=0.3)
    one, other = loader_of(source), loader_of(source)
    value = one.get(1)
    assert isinstance(value, Aged)
    assert value.value == (None, 1)
    shared = other.get(1)
    assert shared == value
    assert 0 < shared.age < 0.3
    assert one.get(2) != value
    assert source.asked == [[1], [2]]
    until(lambda: value.age > 0.3)
    newer = one.get(1)  # the loader itself forgets as well
    assert newer.asked_at > value.asked_at
    assert source.asked == [[1], [2], [1]]
    kept, fresh = loader_of(source).get_many([1, 5])
    assert kept == newer
    assert fresh.asked_at >= newer.asked_at
    assert source.asked[3:] == [[5]]


def test_what_is_too_old_is_asked_for_again_in_one_call() -> None:
    source = Recording(max_age=0.1)
    loader = loader_of(source)
    loader.get_many(range(5))
    until(lambda: loader.get(0).age < 0.05 and len(source.calls) > 1)
    rows = [{"key": key} for key in range(5)]
    time.sleep(0.15)
    before = len(source.calls)
    for row in loader.over(rows, "key"):
        assert loader.get(row["key"]).value == (None, row["key"])
    assert source.asked[before:] == [[0, 1, 2, 3, 4]]


@pytest.mark.parametrize("answer", [{}, {1: LookupError("unknown")}])
def test_nothing_and_an_error_get_too_old_as_values_do(answer: dict[int, Exception]) -> None:
    source = Recording(lambda _: answer, max_age=0.2)
    loader = loader_of(source)
    for _ in range(3):
        (outcome,) = loader.get_many([1], return_exceptions=True)
        assert outcome is answer.get(1)
    assert source.asked == [[1]]
    source.answer = None
    time.sleep(0.25)
    assert loader.get(1).value == (None, 1)
    assert source.asked == [[1], [1]]


def test_to_see_that_nothing_is_too_old_takes_no_look_at_everything() -> None:
    source = Recording(max_age=600.0)
    loader = loader_of(source)
    loader.get_many(range(10_000))
    looked_at = []

    class Known(dict[Any, Any]):
        def items(self) -> Any:  # noqa: ANN401 - a view
            looked_at.append(len(self))
            return super().items()

    loader._store.values = loader._values = Known(loader.values)
    for key in range(100):
        loader.get(key)
    assert not looked_at


def test_without_an_age_an_answer_is_as_of_when_it_was_asked_for() -> None:
    source = Recording()
    source.gate.clear()
    first = spawn(loader_of(source).get, 1)
    assert source.begun.acquire(timeout=20)
    second = spawn(loader_of(source).get, 1)  # must not be answered by the call under way
    until(lambda: waiting(source, 2))
    source.gate.set()
    assert (first.result(20), second.result(20)) == ((None, 1), (None, 1))
    assert source.asked == [[1], [1]]


def test_keys_that_were_announced_go_along_in_a_loop() -> None:
    source = Recording()
    loader = loader_of(source)
    for key in loader.over(range(20), lambda row: row):
        assert loader.get(key) == (None, key)
    assert source.asked == [list(range(20))]


def test_nobody_waits_for_what_went_along() -> None:
    """Two callers fill a call of three: what was announced waits for another one, not they."""
    source = Recording(max_batch_size=3, rates=(Rate(1, 30.0),))
    loader = loader_of(source)
    loader.expect(range(100))
    assert loader.get(0) == (None, 0)
    assert len(source.calls) == 1
    assert source.asked[0][0] == 0
    assert len(source.asked[0]) == 3


def test_a_loop_that_nobody_announced_is_one_call_where_the_loader_allows_it() -> None:
    source = Recording()

    class Loader(RemoteLoader[int, Any]):
        shared = True
        lookahead = "on"

    with Registry(source=source).scope() as scope:
        loader = scope.loader(Loader)
        rows = [{"key": key} for key in range(20)]
        for row in rows:
            assert loader.get(row["key"]) == (None, row["key"])
    assert source.asked == [list(range(20))]


def test_a_call_that_fails_because_of_what_went_along_is_made_without_it() -> None:
    def answer(keys: list[int]) -> list[int]:
        if 13 in keys:
            raise LookupError("13 is unlucky")
        return keys

    source = Recording(answer)
    loader = loader_of(source)
    loader.expect([13, 14])
    assert loader.get(1) == 1
    assert loader.get(1) == 1
    assert source.asked == [[1, 13, 14], [1]]
    with pytest.raises(LookupError):
        loader.get(13)


def test_a_call_that_had_nothing_but_what_was_asked_for_is_not_made_again() -> None:
    def answer(keys: list[int]) -> dict[int, Any]:
        if 2 in keys:
            raise LookupError("two")
        return {key: LookupError("three") if key == 3 else key for key in keys}

    source = Recording(answer, max_batch_size=1)
    loader = loader_of(source)
    loader.expect([5])
    one, two = loader.get_many([1, 2], return_exceptions=True)
    assert one == 1
    assert isinstance(two, LookupError)
    loader.expect([5])
    with pytest.raises(LookupError, match="three"):
        loader.get(3)
    assert source.asked == [[1], [2], [3]]


def test_what_goes_along_for_one_fails_no_other() -> None:
    def answer(keys: list[int]) -> list[int]:
        if 13 in keys:
            raise LookupError("13 is unlucky")
        return keys

    source = Recording(answer, max_batch_size=3)
    first = kept_busy(source)
    looking_ahead = loader_of(source)
    looking_ahead.expect([13])
    one = spawn(looking_ahead.get, 1)
    until(lambda: waiting(source, 3))
    other = spawn(loader_of(source).get, 2)
    until(lambda: waiting(source, 4))
    source.gate.set()
    assert [each.result(20) for each in (first, one, other)] == [0, 1, 2]
    assert source.asked == [[0], [1, 2, 13], [1, 2]]


def test_an_error_of_the_key_itself_is_no_reason_to_ask_again() -> None:
    source = Recording(lambda keys: {key: LookupError("none") if key == 1 else key for key in keys})
    loader = loader_of(source)
    loader.expect([2])
    with pytest.raises(LookupError, match="none"):
        loader.get(1)
    assert loader.get(2) == 2
    assert source.asked == [[1, 2]]


def test_an_async_call_that_is_given_up_is_cancelled() -> None:
    cancelled = threading.Event()

    class Hanging(RemoteSource):
        timeout = 0.05

        async def fetch(self, keys: list[int], _account: Hashable) -> list[int]:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled.set()
                raise
            return keys

    source = Hanging()
    with pytest.raises(BatchTimeoutError):
        loader_of(source).get(1)
    assert cancelled.wait(20)
    assert source.counts.repeated == 0


def test_context_variables_are_those_on_which_all_callers_agree() -> None:
    seen: list[str | None] = []

    def answer(keys: list[int]) -> list[int]:
        seen.append(user.get(None))
        return keys

    source = Recording(answer)

    def ask(name: str, key: int) -> object:
        user.set(name)
        return loader_of(source).get(key)

    assert spawn(ask, "ann", 1).result(20) == 1
    source.gate.clear()
    first = spawn(ask, "ann", 2)
    until(lambda: len(source.calls) == 2)
    others = [spawn(ask, "ann", 3), spawn(ask, "bob", 4)]
    until(lambda: waiting(source, 4))
    source.gate.set()
    assert [first.result(20), *(each.result(20) for each in others)] == [2, 3, 4]
    assert seen == ["ann", "ann", None]


@pytest.mark.parametrize("result", [[1], "text", 5, {1: 2}.keys()])
def test_rubbish_is_an_error_that_says_so(result: object) -> None:
    with pytest.raises(BatchResultError):
        loader_of(Recording(lambda _: result)).get_many([1, 2])


def test_whatever_a_call_raises_its_callers_hear_of_it() -> None:
    def answer(keys: list[int]) -> None:
        raise {1: KeyError("x"), 2: StopIteration()}[keys[0]]

    source = Recording(answer, max_batch_size=1)
    outcomes = loader_of(source).get_many([1, 2], return_exceptions=True)
    assert [type(each).__name__ for each in outcomes] == ["KeyError", "UnraisableError"]


def test_a_call_whose_thread_is_ended_fails_its_callers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)

    def answer(_keys: list[int]) -> None:
        raise SystemExit

    source = Recording(answer)
    with pytest.raises(BatchAbortedError, match="SystemExit"):
        loader_of(source).get(1)
    source.answer = None
    assert loader_of(source).get(1) == (None, 1)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, asyncio.CancelledError])
def test_an_async_call_that_is_ended_fails_its_callers_and_nobody_elses(
    error: type[BaseException],
) -> None:
    class Ending(RemoteSource):
        max_wait = 5.0

        async def fetch(self, keys: list[int], _account: Hashable) -> list[int]:
            if 1 in keys:
                raise error
            return keys

    source = Ending()
    with pytest.raises(BatchAbortedError):
        loader_of(source).get(1)
    assert loader_of(source).get(2) == 2


def test_a_judge_that_fails_leaves_the_error_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    class Unfair(Recording):
        def judge(self, _error: Exception) -> Judgement:
            raise RuntimeError("no verdict")

    def answer(_keys: list[int]) -> None:
        raise KeyError("the cause")

    with pytest.raises(KeyError, match="the cause"):
        loader_of(Unfair(answer)).get(1)
    assert "no verdict" in caplog.text


def test_a_source_that_wants_others_to_come_waits_for_them_or_until_a_call_is_full() -> None:
    source = Recording(window=0.2, max_batch_size=3)
    asked = [spawn(loader_of(source).get, key) for key in range(2)]
    assert [each.result(20) for each in asked] == [(None, 0), (None, 1)]
    assert source.asked == [[0, 1]]
    patient = Recording(window=30.0, max_batch_size=3)
    asked = [spawn(loader_of(patient).get, key) for key in range(3)]
    assert [each.result(20) for each in asked] == [(None, 0), (None, 1), (None, 2)]


def test_a_key_that_is_a_call_of_its_own_waits_for_nobody() -> None:
    source = Recording(window=30.0)

    class Loader(RemoteLoader[int, Any]):
        shared = True
        batch = False

    assert Loader(source=source).get_many([1, 2]) == [(None, 1), (None, 2)]
    assert source.asked == [[1], [2]]


def test_nothing_is_left_of_what_was_asked() -> None:
    source = Recording(max_batch_size=5, rates=(Rate(1_000, 0.01),))
    for account in range(50):
        loader = loader_of(source, f"account {account}")
        loader.expect(range(100, 120))
        loader.get_many(range(7))
        _within(1e-9, loader.get_many, [50, 51])
    queue = source.dispatcher._queue
    until(lambda: queue.is_idle)
    loader_of(source, "last").get(1)
    until(lambda: not queue._lanes)
    assert (queue.under_way, queue._paused_until, queue._refusals) == ([], {}, {})


def test_a_judge_without_a_judgement_leaves_the_error_as_it_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Undecided(Recording):
        def judge(self, _error: Exception) -> Judgement:
            return None  # type: ignore[return-value]  # as one that lacks a last line

    def answer(_keys: list[int]) -> None:
        raise KeyError("the cause")

    with pytest.raises(KeyError, match="the cause"):
        loader_of(Undecided(answer, max_wait=5.0)).get(1)
    assert "no Judgement" in caplog.text


def test_closing_answers_who_has_asked_and_refuses_others() -> None:
    source = Recording()
    source.gate.clear()
    asked = [spawn(loader_of(source).get, key) for key in range(3)]
    until(lambda: waiting(source, 3))
    closing = spawn(source.close)

    def is_refused() -> bool:
        with asking(within=0.001):
            (outcome,) = loader_of(source).get_many([9], return_exceptions=True)
        return isinstance(outcome, SourceClosedError)

    until(is_refused)
    source.gate.set()
    closing.result(20)
    assert [each.result(20) for each in asked] == [(None, key) for key in range(3)]


def test_closing_waits_no_longer_than_it_is_told_to() -> None:
    source = Recording()
    source.gate.clear()
    asked = [spawn(loader_of(source).get, key) for key in range(3)]
    until(lambda: waiting(source, 3))
    source.close(0.05)
    for each in asked:
        with pytest.raises(SourceClosedError):
            each.result(20)
    source.gate.set()


def test_the_deciding_thread_ends_when_there_is_nothing_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dataloaders.remote.dispatcher.IDLE_SECONDS", 0.05)
    source = Recording(name="Short")
    assert loader_of(source).get(1) == (None, 1)
    until(lambda: not any("Short" in thread.name for thread in threading.enumerate()))
    assert loader_of(source).get(2) == (None, 2)


def test_a_deciding_thread_that_cannot_be_had_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    source = Recording(max_wait=5.0)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail)
        with pytest.raises(RuntimeError, match="can't start"):
            loader_of(source).get(1)
    assert loader_of(source).get(2) == (None, 2)
    assert source.asked == [[2]]


def test_with_batching_off_each_key_is_a_call_within_the_limits() -> None:
    times: list[float] = []

    def note(keys: list[int]) -> list[int]:
        times.append(time.monotonic())
        return keys

    source = Recording(note, min_interval=0.05)

    class Loader(RemoteLoader[int, int]):
        shared = True

    registry = Registry(source=source)
    registry.mode = "off"
    with registry.scope():
        loader = registry.loader(Loader)
        assert loader.get_many([1, 2, 1]) == [1, 2, 1]
        assert loader.get(1) == 1
    assert source.asked == [[1], [2], [1], [1]]
    assert all(last - first >= 0.05 for first, last in pairwise(times))


def test_a_loader_of_a_closed_scope_refuses() -> None:
    loader = loader_of(Recording())
    loader.close()
    with pytest.raises(ScopeClosedError):
        loader.get(1)
    with pytest.raises(InvalidKeyError):
        loader_of(Recording()).get(None)


@pytest.mark.parametrize(
    ("term", "value"),
    [
        ("max_batch_size", 0),
        ("max_concurrency", None),
        ("min_interval", -1.0),
        ("max_age", "1"),
        ("timeout", 0),
        ("max_wait", None),
        ("rates", [Rate(1, 1.0)]),
        ("rates", (1,)),
        ("window", -0.1),
    ],
)
def test_terms_are_checked(term: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=rf"Recording\.{term}"):
        loader_of(Recording(None, **{term: value})).get(1)


@pytest.mark.parametrize(("calls", "seconds"), [(0, 1.0), (1.5, 1.0), (True, 1.0), (1, 0.0)])
def test_rates_are_checked(calls: int, seconds: float) -> None:
    with pytest.raises(ConfigurationError, match="A Rate's"):
        Rate(calls, seconds)


@pytest.mark.parametrize("priority", ["10", 1.5, float("nan")])
def test_a_priority_that_others_cannot_be_compared_with_is_refused(priority: Any) -> None:  # noqa: ANN401 - see above
    with pytest.raises(ConfigurationError, match="priority"), asking(priority=priority):
        pass
