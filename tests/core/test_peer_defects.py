"""What goes wrong with aiodataloader and does not with ours: the same program run on both.

A scenario is written once, for either class. Nothing in it waits for time to pass: a caller that
has no answer after TURNS turns of the event loop counts as one that hangs.
"""

# ruff: noqa: ANN401 - what a scenario finds is whatever its callers got

from __future__ import annotations

import asyncio
import contextvars
import gc
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiodataloader
import pytest
from flask import Flask

import dataloaders
from dataloaders import DataLoader, errors

if TYPE_CHECKING:
    from collections.abc import Awaitable

pytestmark = pytest.mark.timeout(60)

AnyLoader = aiodataloader.DataLoader[Any, Any]
LoaderClass = Callable[..., AnyLoader]
Scenario = Callable[[LoaderClass], Coroutine[Any, Any, Any]]

OURS: LoaderClass = DataLoader
PEER: LoaderClass = aiodataloader.DataLoader

HANGS = "hangs"
TURNS = 300
SECONDS = 20


class StrangeError(BaseException):
    """Is no Exception, as what ends a green thread is none."""


async def turns(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def ask(loader: AnyLoader, key: object) -> Any:
    return await loader.load(key)


async def outcome(awaitable: Awaitable[Any]) -> Any:
    """What a caller gets: a value, the name of an error's type, or nothing."""
    future = asyncio.ensure_future(awaitable)
    for _ in range(TURNS):
        if future.done():
            break
        await asyncio.sleep(0)
    if not future.done():
        return HANGS
    if future.cancelled():
        return "CancelledError"
    error = future.exception()
    return future.result() if error is None else type(error).__name__


def doubles(seen: list[list[Any]]) -> Callable[[list[Any]], Coroutine[Any, Any, list[Any]]]:
    async def fetch(keys: list[Any]) -> list[Any]:
        seen.append(list(keys))
        return [key * 2 for key in keys]

    return fetch


def in_a_thread(function: Callable[[], Any]) -> Any:
    """Runs a function in a thread that has no event loop and never had one."""
    answer: Future[Any] = Future()

    def run() -> None:
        try:
            answer.set_result(function())
        except BaseException as error:  # noqa: BLE001 - raised to who asked
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return answer.result(timeout=SECONDS)


def run_program(program: str) -> str:
    done = subprocess.run(  # noqa: S603 - the programs are those below
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        cwd=Path(dataloaders.__file__).parents[1],
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# -- a caller that goes away


async def a_caller_gives_up(loader_class: LoaderClass) -> Any:
    release = asyncio.Event()

    async def fetch(keys: list[int]) -> list[int]:
        await release.wait()
        return [key * 2 for key in keys]

    loader = loader_class(fetch)
    a = asyncio.create_task(ask(loader, 1))
    b = asyncio.create_task(ask(loader, 1))
    await turns()
    a.cancel()
    await turns()
    release.set()
    return await outcome(b), await outcome(ask(loader, 1))


async def test_a_caller_that_times_out_harms_no_other_and_no_later_one() -> None:
    assert await a_caller_gives_up(OURS) == (2, 2)


async def load_many_is_cancelled(loader_class: LoaderClass) -> Any:
    loader = loader_class(doubles([]))
    many = loader.load_many([1, 2, 3])
    one = asyncio.create_task(ask(loader, 2))
    await asyncio.sleep(0)
    many.cancel()
    return await outcome(one)


async def test_cancelling_load_many_cancels_nobody_elses_load() -> None:
    assert await load_many_is_cancelled(OURS) == 4


# -- a batch that ends badly

ENDS = [asyncio.CancelledError, GeneratorExit, StrangeError]


async def the_batch_function_raises(loader_class: LoaderClass, error: type[BaseException]) -> Any:
    async def fetch(keys: list[int]) -> list[int]:
        if 1 in keys:
            await asyncio.sleep(0)
            raise error
        return keys

    loader = loader_class(fetch)
    first, second = loader.load(1), loader.load_many([2, 1])
    return await outcome(first), await outcome(second), await outcome(loader.load(3))


@pytest.mark.parametrize("error", ENDS)
async def test_a_batch_function_that_raises_a_base_exception_leaves_nobody_waiting(
    error: type[BaseException],
) -> None:
    answers = await the_batch_function_raises(OURS, error)
    assert answers == ("BatchAbortedError", "BatchAbortedError", 3)


@pytest.mark.parametrize("when", ["before its first step", "while its function runs"])
async def test_a_dispatch_task_that_is_cancelled_leaves_nobody_waiting(when: str) -> None:
    assert await the_dispatch_is_cancelled(OURS, when) == ("BatchAbortedError", 4)


async def the_dispatch_is_cancelled(loader_class: LoaderClass, when: str) -> Any:
    started = asyncio.Event()

    async def fetch(keys: list[int]) -> list[int]:
        if keys == [1]:
            started.set()
            await asyncio.get_running_loop().create_future()
        return [key * 2 for key in keys]

    loader = loader_class(fetch)
    before = asyncio.all_tasks()
    future = loader.load(1)
    if when == "while its function runs":
        await started.wait()
    for task in asyncio.all_tasks() - before:
        task.cancel()
    return await outcome(future), await outcome(loader.load(2))


async def garbage_is_collected(loader_class: LoaderClass) -> Any:
    awaited: list[weakref.ref[asyncio.Future[None]]] = []
    noise: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, about: noise.append(about["message"])
    )

    async def fetch(keys: list[int]) -> list[int]:
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        awaited.append(weakref.ref(answer))
        await answer
        return [key * 2 for key in keys]

    loader = loader_class(fetch)
    future = loader.load(1)
    await turns()
    gc.collect()
    answer = awaited[0]()
    if answer is not None:
        answer.set_result(None)
    return await outcome(future), noise


async def test_a_batch_under_way_survives_garbage_collection() -> None:
    assert await garbage_is_collected(OURS) == (2, [])


async def test_a_batch_under_way_survives_garbage_collection_with_its_loader() -> None:
    awaited: list[weakref.ref[asyncio.Future[None]]] = []

    async def fetch(keys: list[int]) -> list[int]:
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        awaited.append(weakref.ref(answer))
        await answer
        return [key * 2 for key in keys]

    future = DataLoader[int, int](fetch).load(1)
    await turns()
    gc.collect()
    answer = awaited[0]()
    assert answer is not None
    answer.set_result(None)
    assert await outcome(future) == 2


async def the_whole_batch_fails_once(loader_class: LoaderClass) -> Any:
    calls: list[list[int]] = []

    async def fetch(keys: list[int]) -> list[int]:
        calls.append(keys)
        if len(calls) == 1:
            raise OSError
        return [key * 2 for key in keys]

    loader = loader_class(fetch)
    return await outcome(loader.load(1)), await outcome(loader.load(1)), calls


async def test_the_error_of_a_whole_batch_is_not_cached() -> None:
    assert await the_whole_batch_fails_once(OURS) == ("OSError", 2, [[1], [1]])


async def the_old_batch_fails_after_a_clear(loader_class: LoaderClass) -> Any:
    calls: list[list[int]] = []
    fail = asyncio.Event()

    async def fetch(keys: list[int]) -> list[str]:
        calls.append(keys)
        if len(calls) == 1:
            await fail.wait()
            raise OSError
        return ["newer" for _ in keys]

    loader = loader_class(fetch)
    old = loader.load(1)
    await turns()
    loader.clear(1)
    newer = await outcome(loader.load(1))
    fail.set()
    return await outcome(old), newer, await outcome(loader.load(1)), calls


async def test_the_failure_of_an_old_batch_does_not_evict_a_newer_value() -> None:
    expected = ("OSError", "newer", "newer", [[1], [1]])
    assert await the_old_batch_fails_after_a_clear(OURS) == expected


async def test_a_batch_function_that_never_returns_and_ignores_cancellation_is_timed_out() -> None:
    finish = False

    async def fetch(keys: list[int]) -> list[int]:
        while keys == [1] and not finish:
            try:
                await asyncio.sleep(0.001)
            except asyncio.CancelledError:
                continue
        return keys

    loader = DataLoader[int, int](fetch, timeout=0.02)
    try:
        answers = await asyncio.wait_for(
            asyncio.gather(loader.load(1), loader.load(1), return_exceptions=True), SECONDS
        )
        assert [type(answer) for answer in answers] == [errors.BatchTimeoutError] * 2
        assert await asyncio.wait_for(loader.load(2), SECONDS) == 2
    finally:
        finish = True
        await asyncio.sleep(0.01)


async def test_batches_queued_behind_one_that_never_returns_are_answered_too() -> None:
    finish = False

    async def fetch(keys: list[int]) -> list[int]:
        while keys == [1] and not finish:
            try:
                await asyncio.sleep(0.001)
            except asyncio.CancelledError:
                continue
        return keys

    loader = DataLoader[int, int](fetch, timeout=0.02, max_concurrency=1)
    try:
        with pytest.raises(errors.BatchTimeoutError):
            await asyncio.wait_for(loader.load(1), SECONDS)
        # Whether it gets a place or a time limit of its own: it is answered.
        (answer,) = await asyncio.gather(
            asyncio.wait_for(loader.load(2), 5), return_exceptions=True
        )
        assert answer == 2 or type(answer) is errors.BatchTimeoutError
    finally:
        finish = True
        await asyncio.sleep(0.01)


# -- event loops and threads


def made_outside_a_loop(loader_class: LoaderClass) -> Any:
    def program() -> Any:
        loader = loader_class(doubles([]))
        return asyncio.run(ask(loader, 1))

    try:
        return in_a_thread(program)
    except RuntimeError:
        return "RuntimeError"


def test_a_loader_made_where_no_loop_runs_works_in_any_loop() -> None:
    assert made_outside_a_loop(OURS) == 2


def used_from_a_second_run(loader_class: LoaderClass) -> Any:
    made: list[AnyLoader] = []

    async def first() -> Any:
        made.append(loader_class(doubles([])))
        return await ask(made[0], 1)

    async def second() -> Any:
        try:
            return await ask(made[0], 2), await ask(made[0], 1)
        except RuntimeError as error:
            return str(error)

    return in_a_thread(lambda: (asyncio.run(first()), asyncio.run(second())))


def test_a_loader_works_in_a_second_run_of_asyncio() -> None:
    assert used_from_a_second_run(OURS) == (2, (4, 2))


def test_load_in_another_thread_is_answered_there_although_the_first_loop_is_idle() -> None:
    loader = DataLoader[int, int](doubles([]))
    asked, done = threading.Event(), threading.Event()

    async def idle() -> int:
        value = await loader.load(1)
        asked.set()
        await asyncio.get_running_loop().run_in_executor(None, done.wait, SECONDS)
        return value

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(asyncio.run, idle())
        assert asked.wait(SECONDS)
        try:
            assert in_a_thread(lambda: asyncio.run(ask(loader, 2))) == 4
            with pytest.raises(errors.NoEventLoopError, match="get or get_many"):
                in_a_thread(lambda: loader.load(3))
        finally:
            done.set()
        assert first.result(SECONDS) == 2


def test_two_runs_of_asyncio_at_once_share_one_loader() -> None:
    loader = DataLoader[int, int](doubles([]))
    together = threading.Barrier(2, timeout=SECONDS)

    async def main(first: int) -> list[int]:
        together.wait()
        return [*await loader.load_many([first, first + 1]), await loader.load(9)]

    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(asyncio.run, main(first)) for first in (1, 3)]
        assert [run.result(SECONDS) for run in runs] == [[2, 4, 18], [6, 8, 18]]


GREEN = """
import asyncio, threading, time
from dataloaders import DataLoader

batches, first_under_way, finish = [], threading.Event(), threading.Event()

def fetch(keys):
    batches.append(sorted(keys))
    if keys == [0]:
        first_under_way.set()
        assert finish.wait(20)
    else:
        time.sleep(0.01)
    return {key: key * 2 for key in keys}

loader = DataLoader(fetch)
answers, suspended, over = {}, threading.Event(), threading.Event()

async def loop_that_sleeps():
    suspended.set()
    while not over.is_set():
        await asyncio.sleep(0.002)

def look_up(name, keys):
    answers[name] = [loader.get(key) for key in keys] if name == "c" else loader.get_many(keys)

def waiting():
    queue = loader._turns._queue
    return len(queue) == 1 and set(queue[0].keys) == {1, 2, 3}

def start(function, *args):
    thread = threading.Thread(target=function, args=args)
    thread.start()
    return thread

threads = []
if WITH_LOOP:
    threads.append(start(lambda: asyncio.run(loop_that_sleeps())))
    assert suspended.wait(20)
lookups = [start(look_up, "leader", [0])]
assert first_under_way.wait(20)
lookups += [start(look_up, "a", [1, 2]), start(look_up, "b", [1, 2, 3]), start(look_up, "c", [3])]
deadline = time.monotonic() + 20
while not waiting() and time.monotonic() < deadline:
    time.sleep(0.001)
finish.set()
for thread in lookups:
    thread.join(20)
over.set()
for thread in threads:
    thread.join(20)
print(batches, sorted(answers.items()))
"""

PATCHES = {
    "gevent": "from gevent import monkey\nmonkey.patch_all()\n",
    "eventlet": (
        "import warnings\nwarnings.simplefilter('ignore')\n"
        "import eventlet\neventlet.monkey_patch()\n"
    ),
}


@pytest.mark.parametrize("with_loop", [False, True], ids=["", "beside a suspended loop"])
@pytest.mark.parametrize("green", ["gevent", "eventlet"])
def test_green_threads_look_up_at_once_and_batch(green: str, with_loop: bool) -> None:  # noqa: FBT001 - a parameter
    pytest.importorskip(green)
    printed = run_program(f"{PATCHES[green]}WITH_LOOP = {with_loop}\n{GREEN}")
    answers = [("a", [2, 4]), ("b", [2, 4, 6]), ("c", [6]), ("leader", [0])]
    assert printed == f"{[[0], [1, 2, 3]]} {answers}"


@pytest.mark.parametrize("green", ["gevent", "eventlet"])
def test_green_threads_that_ask_for_the_same_keys_ask_once(green: str) -> None:
    pytest.importorskip(green)
    program = """
import threading, time
from dataloaders import DataLoader
batches, answers = [], []
def fetch(keys):
    batches.append(keys)
    time.sleep(0.01)
    return {key: key * 2 for key in keys}
loader = DataLoader(fetch)
threads = [threading.Thread(target=lambda: answers.append(loader.get_many([1, 2]))) for _ in "ab"]
for thread in threads: thread.start()
for thread in threads: thread.join(20)
print(batches, answers)
"""
    assert run_program(PATCHES[green] + program) == "[[1, 2]] [[2, 4], [2, 4]]"


flask_batches: list[list[int]] = []
flask_loader = DataLoader[int, int](doubles(flask_batches))


def flask_app() -> Flask:
    app = Flask(__name__)

    @app.get("/<int:first>")
    async def view(first: int) -> list[int]:
        return list(await asyncio.gather(flask_loader.load(first), flask_loader.load(first + 1)))

    return app


def test_a_module_level_loader_serves_flasks_async_views() -> None:
    app = flask_app()
    flask_loader._set_mode("on")  # it was made in the run's mode, when this module was imported
    flask_loader.clear_all()
    flask_batches.clear()
    for _ in range(2):
        for first in (10, 20, 30):
            response = app.test_client().get(f"/{first}")
            assert (response.status_code, response.json) == (200, [first * 2, first * 2 + 2])
    assert flask_batches == [[10, 11], [20, 21], [30, 31]]


def test_a_module_level_loader_serves_flasks_async_views_in_many_threads() -> None:
    app = flask_app()
    flask_loader.clear_all()
    together = threading.Barrier(8, timeout=SECONDS)

    def request(first: int) -> object:
        together.wait()
        return app.test_client().get(f"/{first}").json

    with ThreadPoolExecutor(8) as pool:
        responses = [pool.submit(request, first) for first in range(8)]
        for first, response in enumerate(responses):
            assert response.result(SECONDS) == [first * 2, first * 2 + 2]


# -- batches that come out too small, or too many


async def primed_and_fresh_feed_a_second_loader(loader_class: LoaderClass, order: list[int]) -> Any:
    batches: list[list[int]] = []
    first, second = loader_class(doubles(batches)), loader_class(doubles(batches))
    first.prime(1, 2)

    async def chain(key: int) -> Any:
        return await second.load(await first.load(key))

    return await asyncio.gather(*map(chain, order)), batches


@pytest.mark.parametrize("order", [[1, 2], [2, 1]])
async def test_primed_and_fresh_keys_feed_a_second_loader_in_one_batch(order: list[int]) -> None:
    values, batches = await primed_and_fresh_feed_a_second_loader(OURS, order)
    assert values == [key * 4 for key in order]
    assert [sorted(batch) for batch in batches] == [[2], [2, 4]]


async def loads_after_some_turns(loader_class: LoaderClass) -> Any:
    batches: list[list[int]] = []
    loader = loader_class(doubles(batches))

    async def later(key: int) -> Any:
        await turns(key)
        return await loader.load(key)

    assert await asyncio.gather(*map(later, range(6))) == [0, 2, 4, 6, 8, 10]
    return batches


async def test_loads_that_come_after_a_few_turns_each_go_in_one_batch() -> None:
    assert await loads_after_some_turns(OURS) == [[0, 1, 2, 3, 4, 5]]


async def peak_of_batches_at_once(loader_class: LoaderClass, keys: int, **options: int) -> Any:
    sizes: list[int] = []
    under_way = peak = 0

    async def fetch(keys: list[int]) -> list[int]:
        nonlocal under_way, peak
        sizes.append(len(keys))
        under_way += 1
        peak = max(peak, under_way)
        await turns(20)
        under_way -= 1
        return keys

    loader = loader_class(fetch, max_batch_size=10, **options)
    assert await asyncio.gather(*map(loader.load, range(keys))) == list(range(keys))
    return peak, sizes


@pytest.mark.parametrize(("options", "limit"), [({}, 8), ({"max_concurrency": 3}, 3)])
async def test_no_more_batches_are_under_way_than_allowed(
    options: dict[str, int], limit: int
) -> None:
    assert await peak_of_batches_at_once(OURS, 105, **options) == (limit, [10] * 10 + [5])


# -- results


async def one_key_of_many_is_bad(loader_class: LoaderClass) -> Any:
    async def fetch(keys: list[int]) -> list[object]:
        return [ValueError("bad") if key == 2 else key for key in keys]

    loader = loader_class(fetch)
    try:
        return await loader.load_many([1, 2, 3], return_exceptions=True)  # type: ignore[call-arg] # not aiodataloader's
    except TypeError:
        return await outcome(loader.load_many([1, 2, 3]))


async def test_load_many_gives_the_good_values_beside_a_bad_one() -> None:
    first, error, last = await one_key_of_many_is_bad(OURS)
    assert (first, type(error), last) == (1, ValueError, 3)


async def the_result_is_a_dict(loader_class: LoaderClass) -> Any:
    async def fetch(keys: list[str]) -> dict[str, int]:
        return {key: len(key) for key in reversed(keys)}

    return await loader_class(fetch).load_many(["a", "bb"])


async def test_a_dict_is_read_by_its_keys() -> None:
    assert await the_result_is_a_dict(OURS) == [1, 2]


async def a_value_is_stop_iteration(loader_class: LoaderClass) -> Any:
    async def fetch(keys: list[int]) -> list[object]:
        return [StopIteration("end") if key == 1 else key for key in keys]

    loader = loader_class(fetch)
    asked = [loader.load(1), loader.load(2)]
    return [await outcome(future) for future in asked]


async def test_stop_iteration_as_a_value_is_that_keys_error_alone() -> None:
    assert await a_value_is_stop_iteration(OURS) == ["UnraisableError", 2]


def test_stop_iteration_as_a_value_is_that_keys_error_alone_without_a_loop() -> None:
    loader = DataLoader[int, object](lambda keys: [StopIteration("end"), *keys[1:]])
    error, value = loader.get_many([1, 2], return_exceptions=True)
    assert isinstance(error, errors.UnraisableError)
    assert isinstance(error.__cause__, StopIteration)
    assert value == 2


async def an_error_is_primed(loader_class: LoaderClass) -> list[str]:
    noise: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, about: noise.append(about["message"])
    )
    loader = loader_class(doubles([]))
    loader.prime(1, ValueError("primed"))
    del loader
    gc.collect()
    await turns()
    return noise


async def test_priming_an_error_makes_no_noise(
    monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    unraisable: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    assert await an_error_is_primed(OURS) == []
    assert unraisable == []
    assert list(recwarn) == []


async def test_a_primed_error_is_the_answer_of_both_faces() -> None:
    batches: list[list[int]] = []
    loader = DataLoader[int, int](doubles(batches))
    error = ValueError("primed")
    loader.prime(1, error)
    with pytest.raises(ValueError, match="primed"):
        await loader.load(1)
    with pytest.raises(ValueError, match="primed"):
        loader.get(1)
    assert await loader.load_many([1, 2], return_exceptions=True) == [error, 4]
    assert batches == [[2]]


async def equal_keys_of_three_types(loader_class: LoaderClass) -> Any:
    batches: list[list[Any]] = []

    async def fetch(keys: list[Any]) -> list[str]:
        batches.append([type(key).__name__ for key in keys])
        return [repr(key) for key in keys]

    loader = loader_class(fetch)
    keys: list[Any] = [1, True, 1.0]
    return await asyncio.gather(*map(loader.load, keys)), batches


async def test_equal_keys_of_three_types_are_three_keys() -> None:
    expected = (["1", "True", "1.0"], [["int", "bool", "float"]])
    assert await equal_keys_of_three_types(OURS) == expected


async def test_equal_keys_of_three_types_are_three_keys_inside_tuples_too() -> None:
    async def fetch(keys: list[Any]) -> list[str]:
        return [repr(key) for key in keys]

    loader = DataLoader[Any, str](fetch)
    keys: list[Any] = [("a", 1), ("a", True), ("a", 1.0), (("a", 1), 2), (("a", 1.0), 2)]
    assert await loader.load_many(keys) == [repr(key) for key in keys]
    assert loader.size() == 5
    loader.clear(keys[1])
    assert loader.size() == 4


# -- a batch function that asks its own loader


async def a_batch_function_asks_for_its_own_key(loader_class: LoaderClass) -> Any:
    loader: AnyLoader

    async def fetch(keys: list[int]) -> list[Any]:
        return [await loader.load(key) for key in keys]

    loader = loader_class(fetch)
    return await outcome(loader.load(1))


async def test_a_batch_function_that_asks_for_its_own_key_gets_an_error() -> None:
    assert await a_batch_function_asks_for_its_own_key(OURS) == "RecursiveLoadError"


async def test_a_batch_function_may_ask_its_own_loader_for_another_key() -> None:
    batches: list[list[int]] = []

    async def fetch(keys: list[int]) -> list[int]:
        batches.append(keys)
        return [key and key + await loader.load(key - 1) for key in keys]

    loader = DataLoader[int, int](fetch)
    assert await outcome(loader.load(4)) == 10
    assert batches == [[4], [3], [2], [1], [0]]


# -- context variables

user = contextvars.ContextVar[str]("user")
tenant = contextvars.ContextVar[str]("tenant")


async def callers_differ_in_a_variable(loader_class: LoaderClass) -> Any:
    seen: list[tuple[str, str]] = []

    async def fetch(keys: list[int]) -> list[int]:
        seen.append((tenant.get("unset"), user.get("unset")))
        return keys

    loader = loader_class(fetch)

    async def caller(name: str, key: int) -> None:
        user.set(name)
        await loader.load(key)

    tenant.set("acme")
    await asyncio.gather(caller("ann", 1), caller("bob", 2))
    await asyncio.gather(caller("ann", 3))
    return seen


async def test_a_batch_function_sees_the_variables_on_which_its_callers_agree_and_no_other() -> (
    None
):
    assert await callers_differ_in_a_variable(OURS) == [("acme", "unset"), ("acme", "ann")]


async def test_whether_callers_agree_on_a_variable_does_not_depend_on_another_variable() -> None:
    seen: list[tuple[str, str]] = []

    async def fetch(keys: list[int]) -> list[int]:
        seen.append((tenant.get("unset"), user.get("unset")))
        return keys

    loader = DataLoader[int, int](fetch)

    async def caller(name: str, key: int) -> None:
        tenant.set("".join(["ac", "me"]))  # noqa: FLY002 - equal, but not the same object
        user.set(name)
        await loader.load(key)

    await asyncio.gather(caller("ann", 1), caller("ann", 2))
    await asyncio.gather(caller("ann", 3), caller("bob", 4))
    assert seen == [("acme", "ann"), ("acme", "unset")]


async def test_a_caller_whose_key_is_known_has_no_say_in_the_variables_of_a_batch() -> None:
    seen: list[str] = []

    async def fetch(keys: list[int]) -> list[int]:
        seen.append(user.get("unset"))
        return keys

    loader = DataLoader[int, int](fetch)
    loader.prime(1, 1)

    async def caller(name: str, key: int) -> None:
        user.set(name)
        await loader.load(key)

    await asyncio.gather(caller("ann", 1), caller("bob", 2))
    assert seen == ["bob"]


def test_a_batch_of_several_threads_sees_no_variable_on_which_they_differ() -> None:
    seen: list[tuple[list[int], str, str]] = []
    under_way, finish = threading.Event(), threading.Event()

    def fetch(keys: list[int]) -> list[int]:
        seen.append((sorted(keys), tenant.get("unset"), user.get("unset")))
        if keys == [0]:
            under_way.set()
            finish.wait(SECONDS)
        return keys

    loader = DataLoader[int, int](fetch)
    tenant.set("acme")

    def caller(name: str, key: int) -> int:
        user.set(name)
        return loader.get(key)

    with dataloaders.ScopeThreadPoolExecutor(3) as pool:
        calls = [pool.submit(caller, "eve", 0)]
        assert under_way.wait(SECONDS)
        calls += [pool.submit(caller, "ann", 1), pool.submit(caller, "bob", 2)]
        deadline = time.monotonic() + SECONDS
        while not any(len(batch.keys) == 2 for batch in loader._turns._queue):
            assert time.monotonic() < deadline
            time.sleep(0.001)
        finish.set()
        assert [call.result(SECONDS) for call in calls] == [0, 1, 2]
    assert seen == [([0], "acme", "eve"), ([1, 2], "acme", "unset")]


# -- that the scenarios are not vacuous: what the same programs do with aiodataloader


async def two_ends(loader_class: LoaderClass) -> Any:
    return [(await the_batch_function_raises(loader_class, error))[0] for error in ENDS]


async def dispatch_cancelled(loader_class: LoaderClass) -> Any:
    return (await the_dispatch_is_cancelled(loader_class, "while its function runs"))[0]


async def collected(loader_class: LoaderClass) -> Any:
    answer, noise = await garbage_is_collected(loader_class)
    return answer, "Task was destroyed but it is pending!" in noise


async def outside(loader_class: LoaderClass) -> Any:
    return await asyncio.to_thread(made_outside_a_loop, loader_class)


async def second_run(loader_class: LoaderClass) -> Any:
    return await asyncio.to_thread(used_from_a_second_run, loader_class)


async def chained(loader_class: LoaderClass) -> Any:
    return len((await primed_and_fresh_feed_a_second_loader(loader_class, [1, 2]))[1])


async def noisy(loader_class: LoaderClass) -> Any:
    return [message[:31] for message in await an_error_is_primed(loader_class)]


async def evicted(loader_class: LoaderClass) -> Any:
    return len((await the_old_batch_fails_after_a_clear(loader_class))[3])


async def peak(loader_class: LoaderClass) -> Any:
    return (await peak_of_batches_at_once(loader_class, 105))[0]


async def slots(loader_class: LoaderClass) -> Any:
    return len((await equal_keys_of_three_types(loader_class))[1][0])


THE_PEER: list[tuple[Scenario, object]] = [
    (a_caller_gives_up, ("CancelledError", "CancelledError")),
    (load_many_is_cancelled, "CancelledError"),
    (two_ends, [HANGS, HANGS, HANGS]),
    (dispatch_cancelled, HANGS),
    (collected, (HANGS, True)),
    (outside, "RuntimeError"),
    (second_run, (2, "Event loop is closed")),
    (chained, 3),
    (loads_after_some_turns, [[0, 1], [2, 3], [4, 5]]),
    (one_key_of_many_is_bad, "ValueError"),
    (the_result_is_a_dict, ["bb", "a"]),
    (the_whole_batch_fails_once, ("OSError", 2, [[1], [1]])),
    (evicted, 3),
    (noisy, ["Future exception was never retr"]),
    (a_batch_function_asks_for_its_own_key, HANGS),
    (peak, 11),
    (callers_differ_in_a_variable, [("acme", "ann"), ("acme", "ann")]),
    (slots, 1),
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("scenario", "documented"), THE_PEER, ids=[scenario.__name__ for scenario, _ in THE_PEER]
)
async def test_the_same_program_on_aiodataloader(scenario: Scenario, documented: object) -> None:
    found = await scenario(PEER)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await turns()
    assert found == documented


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="newer futures replace StopIteration")
async def test_stop_iteration_on_aiodataloader_fails_the_keys_after_it() -> None:
    assert await a_value_is_stop_iteration(PEER) == ["TypeError", "TypeError"]
