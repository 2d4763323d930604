"""LoaderScope: one request's loaders, found from wherever the request's work is done."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import weakref
from concurrent.futures import Future
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

import dataloaders.scope
from dataloaders import (
    DataLoader,
    LoaderRegistry,
    LoaderScope,
    ScopeThreadPoolExecutor,
    current_scope,
    errors,
)
from dataloaders.scope import serve_requests, sole_registry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

pytestmark = pytest.mark.timeout(60)

T = TypeVar("T")
L = TypeVar("L", bound=DataLoader[Any, Any])

SECONDS = 20


class Doubles(DataLoader[int, int]):
    def batch_load(self, keys: list[int]) -> list[int]:
        return [key * 2 for key in keys]


class Other(Doubles):
    pass


class Shared(DataLoader[int, int]):
    shared = True
    calls = 0

    def batch_load(self, keys: list[int]) -> list[int]:
        Shared.calls += 1
        return [Shared.calls for _ in keys]


class SharedToo(Shared):
    pass


def in_a_thread(function: Callable[[], T]) -> T:
    """Runs a function in a new thread, which carries no context of this one's."""
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(function())
        except BaseException as error:  # noqa: BLE001 - raised to who asked
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return answer.result(timeout=SECONDS)


@pytest.fixture(autouse=True)
def _process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """No registry, no framework and no values of another test's, whatever ran before."""
    monkeypatch.setattr(dataloaders.scope, "_registries", weakref.WeakSet())
    monkeypatch.setattr(dataloaders.scope, "_identify_request", lambda: None)
    monkeypatch.setattr(dataloaders.scope, "_open_for_request", lambda _request: None)
    monkeypatch.setattr(dataloaders.scope._default_registry, "_common", None)
    monkeypatch.setattr(Shared, "calls", 0)


# -- one scope


def test_a_scope_has_one_instance_of_each_class_made_when_it_is_asked_for() -> None:
    made: list[type[Any]] = []

    class Registry(LoaderRegistry):
        def make(self, loader_class: type[L], scope: LoaderScope) -> L:
            made.append(loader_class)
            return super().make(loader_class, scope)

    with Registry().scope() as scope:
        assert made == []
        loader = Doubles.current()
        assert type(loader) is Doubles
        assert Doubles.current() is loader is scope.loader(Doubles)
        assert type(Other.current()) is Other, "a subclass is another class"
        assert made == [Doubles, Other]
        assert loader.get(1) == 2
        assert scope.size() == 1


def test_two_scopes_share_nothing() -> None:
    with LoaderScope():
        first = Doubles.current().prime(1, 77)
        assert first.get(1) == 77
    with LoaderScope():
        assert Doubles.current() is not first
        assert Doubles.current().get(1) == 2


def test_the_innermost_scope_is_the_current_one() -> None:
    assert current_scope() is None
    with LoaderScope() as outer:
        outside = Doubles.current()
        with LoaderScope() as inner:
            assert current_scope() is inner
            assert Doubles.current() is not outside
        assert current_scope() is outer
        assert Doubles.current() is outside
    assert current_scope() is None


def test_a_scope_ends_with_an_error_too() -> None:
    with LoaderScope() as outer:
        scope = LoaderScope()
        kept = scope.loader(Doubles)
        with pytest.raises(ZeroDivisionError), scope:
            raise ZeroDivisionError
        assert scope.closed
        assert current_scope() is outer
    with pytest.raises(errors.ScopeClosedError):
        kept.get(1)


def test_a_loader_that_is_kept_beyond_its_scope_says_so() -> None:
    with LoaderScope() as scope:
        kept = Doubles.current()
        assert kept.get(1) == 2
    for call in (lambda: kept.get(1), lambda: kept.get_many([2]), lambda: scope.loader(Doubles)):
        with pytest.raises(errors.ScopeClosedError, match=r"Doubles .*current\(\)"):
            call()
    with pytest.raises(errors.ScopeClosedError):
        scope.run(int)


@pytest.mark.parametrize("when", ["open", "closed"])
def test_a_scope_cannot_be_entered_twice(when: str) -> None:
    scope = LoaderScope()
    with scope:
        loader = Doubles.current()
        if when == "open":
            with pytest.raises(errors.ScopeReusedError, match=r"Make a new one.*scope\.run"):
                scope.__enter__()
            assert Doubles.current() is loader, "it goes on"
    if when == "closed":
        with pytest.raises(errors.ScopeReusedError):
            scope.__enter__()
        assert current_scope() is None


def test_outside_any_scope_a_loader_that_is_not_shared_says_so() -> None:
    with pytest.raises(errors.NoScopeError) as raised:
        Doubles.current()
    for remedy in ("Doubles.current()", "with LoaderScope()", "scope.run", "shared = True"):
        assert remedy in str(raised.value)
    assert isinstance(raised.value, RuntimeError)


# -- tasks


async def test_tasks_see_the_scope_and_batch_together() -> None:
    batches: list[list[int]] = []

    class Recorded(Doubles):
        def batch_load(self, keys: list[int]) -> list[int]:
            batches.append(keys)
            return super().batch_load(keys)

    async def ask(key: int) -> int:
        return await Recorded.current().load(key)

    async with LoaderScope() as scope:
        assert current_scope() is scope
        assert await asyncio.gather(*map(ask, range(5))) == [0, 2, 4, 6, 8]
    assert batches == [[0, 1, 2, 3, 4]]
    with pytest.raises(errors.NoScopeError):
        await ask(1)


async def test_tasks_with_scopes_of_their_own_do_not_meet() -> None:
    entered = asyncio.Barrier(5)

    async def request(number: int) -> int:
        async with LoaderScope():
            Doubles.current().prime(1, number)
            await asyncio.wait_for(entered.wait(), SECONDS)
            return await Doubles.current().load(1)

    assert await asyncio.gather(*map(request, range(5))) == [0, 1, 2, 3, 4]


async def test_a_task_that_outlives_the_scope_finds_it_closed() -> None:
    over = asyncio.Event()

    async def outlives() -> None:
        loader = Doubles.current()
        await over.wait()
        with pytest.raises(errors.ScopeClosedError):
            loader.load(1)
        with pytest.raises(errors.NoScopeError):
            Doubles.current()

    async with LoaderScope():
        task = asyncio.create_task(outlives())
        await asyncio.sleep(0)
    over.set()
    await asyncio.wait_for(task, SECONDS)


async def test_who_waits_when_the_scope_ends_is_answered() -> None:
    started, release = asyncio.Event(), asyncio.Event()

    class Slow(DataLoader[int, int]):
        async def batch_load(self, keys: list[int]) -> list[int]:
            started.set()
            await release.wait()
            return [key * 2 for key in keys]

    async with LoaderScope():
        waiting = Slow.current().load(1)
        await asyncio.wait_for(started.wait(), SECONDS)
    release.set()
    assert await asyncio.wait_for(waiting, SECONDS) == 2


async def test_a_scope_may_be_left_in_another_context_than_it_was_entered_in() -> None:
    scopes: list[LoaderScope] = []

    async def rows() -> AsyncIterator[int]:
        with LoaderScope() as scope:
            scopes.append(scope)
            yield Doubles.current().get(1)
            yield Doubles.current().get(2)

    generator = rows()

    async def step() -> int:
        return await anext(generator)

    assert await asyncio.create_task(step()) == 2
    assert current_scope() is None
    await generator.aclose()  # type: ignore[attr-defined] # every async generator has it
    assert scopes[0].closed
    assert current_scope() is None
    async with LoaderScope() as scope:
        assert current_scope() is scope
    assert current_scope() is None


def test_a_context_that_was_left_with_a_closed_scope_finds_the_one_around_it() -> None:
    outer, inner = LoaderScope(), LoaderScope()
    with outer:
        context = contextvars.copy_context()
        context.run(inner.__enter__)
        assert context.run(current_scope) is inner
        inner.__exit__(None, None, None)  # in another context than it was entered in
        assert context.run(current_scope) is outer
        assert current_scope() is outer


# -- threads


def test_run_takes_the_scope_into_another_thread() -> None:
    with LoaderScope() as scope:
        loader = Doubles.current()
        assert in_a_thread(lambda: scope.run(Doubles.current)) is loader
        assert in_a_thread(lambda: scope.run(pow, 2, exp=5)) == 32
        with pytest.raises(errors.NoScopeError):
            in_a_thread(Doubles.current)

        def run_and_look() -> object:
            scope.run(Doubles.current)
            return current_scope()

        assert in_a_thread(run_and_look) is None, "the thread itself is as it was"
        with LoaderScope() as inner:
            assert scope.run(current_scope) is scope
            assert current_scope() is inner


def test_a_pools_calls_run_in_the_scope_of_who_submits_them() -> None:
    with ScopeThreadPoolExecutor(2) as pool:
        with LoaderScope():
            first = Doubles.current()
            assert pool.submit(Doubles.current).result(SECONDS) is first
            assert pool.submit(pow, 2, exp=5).result(SECONDS) == 32
            found = list(pool.map(lambda _: Doubles.current(), range(20), timeout=SECONDS))
            assert found == [first] * 20
        with LoaderScope():
            second = Doubles.current()
            assert list(pool.map(lambda _: Doubles.current(), range(20))) == [second] * 20
        with pytest.raises(errors.NoScopeError):
            pool.submit(Doubles.current).result(SECONDS)
        with pytest.raises(ZeroDivisionError):
            pool.submit(divmod, 1, 0).result(SECONDS)


def test_a_pools_lookups_batch() -> None:
    batches: list[list[int]] = []
    under_way, finish = threading.Event(), threading.Event()

    class Recorded(Doubles):
        def batch_load(self, keys: list[int]) -> list[int]:
            batches.append(sorted(keys))
            if len(batches) == 1:
                under_way.set()
                assert finish.wait(SECONDS)
            return super().batch_load(keys)

    with LoaderScope(), ScopeThreadPoolExecutor(6) as pool:
        arrived = threading.Barrier(6, timeout=SECONDS)

        def look_up(key: int) -> int:
            if key:
                arrived.wait()
            return Recorded.current().get(key)

        calls = [pool.submit(look_up, 0)]
        assert under_way.wait(SECONDS)
        calls += [pool.submit(look_up, key) for key in range(1, 6)]
        arrived.wait()
        finish.set()
        assert [call.result(SECONDS) for call in calls] == [0, 2, 4, 6, 8, 10]
    assert batches[0] == [0]
    assert sorted(chain.from_iterable(batches)) == [0, 1, 2, 3, 4, 5]


def test_requests_that_reuse_a_thread_do_not_meet() -> None:
    with ScopeThreadPoolExecutor(1) as pool:

        def request(number: int) -> list[int]:
            assert current_scope() is None
            with LoaderScope():
                loader = Doubles.current()
                before = loader.size()
                loader.prime(1, number)
                return [before, loader.get(1)]

        assert list(pool.map(request, range(20))) == [[0, number] for number in range(20)]


def test_threads_that_make_a_loader_at_once_get_one() -> None:
    together = threading.Barrier(8, timeout=SECONDS)

    class Registry(LoaderRegistry):
        def make(self, loader_class: type[L], scope: LoaderScope) -> L:
            together.wait()  # each of the threads is about to make one
            return super().make(loader_class, scope)

    with Registry().scope(), ScopeThreadPoolExecutor(8) as pool:
        calls = [pool.submit(Doubles.current) for _ in range(8)]
        found = {id(call.result(SECONDS)) for call in calls}
        assert found == {id(Doubles.current())}


# -- outside any scope


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(dataloaders.scope, "time", clock)
    return clock


def test_outside_any_scope_a_shared_loader_answers_for_a_while(clock: Clock) -> None:
    assert Shared.current().get(1) == 1
    clock.now += dataloaders.scope.COMMON_SECONDS * 0.99
    assert Shared.current().get(1) == 1
    assert in_a_thread(lambda: Shared.current().get(1)) == 1
    clock.now += dataloaders.scope.COMMON_SECONDS * 0.02
    kept = Shared.current()
    assert kept.get(1) == 2
    clock.now += dataloaders.scope.COMMON_SECONDS
    assert Shared.current().get(1) == 3
    assert kept.get(9) == 4, "who still holds the one before is answered"


@pytest.mark.usefixtures("clock")
def test_outside_any_scope_the_number_of_keys_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataloaders.scope, "COMMON_KEYS", 4)
    first = Shared.current()
    first.get_many([1, 2])
    SharedToo.current().get(3)
    assert Shared.current() is first
    first.get(4)
    assert Shared.current() is not first, "all classes count together"
    assert Shared.current().size() == 0
    sizes: list[int] = []
    for key in range(100):
        Shared.current().get(key)
        sizes.append(Shared.current().size())
    assert max(sizes) < 4


def test_inside_a_scope_a_shared_loader_is_the_scopes() -> None:
    outside = Shared.current()
    assert outside.get(1) == 1
    with LoaderScope():
        assert Shared.current() is not outside
        assert Shared.current().get(1) == 2
    assert Shared.current().get(1) == 1


# -- registries


class Master(LoaderRegistry):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def make(self, loader_class: type[L], scope: LoaderScope) -> L:  # noqa: ARG002 - as the base
        return loader_class(name=self.name)

    def __repr__(self) -> str:
        return f"<{self.name}>"


class Quotes(Shared):
    """Can only be made by a Master, as a table's loader needs somebody who has its engine."""

    registry_class = Master


class Orders(Doubles):
    registry_class = Master


def test_a_registry_that_is_the_only_one_answers_outside_any_scope() -> None:
    master = Master("only")
    with pytest.raises(errors.NoRegistryError, match=r"exactly one Master .* but there is none"):
        Quotes.current()
    master.announce()
    assert Quotes.current().name == "only"
    assert Quotes.current() is Quotes.current()
    assert sole_registry(Master) is master
    with pytest.raises(errors.NoScopeError):
        Orders.current()
    assert Shared.current().name == "Shared", "whose class anybody can make"
    master.close()
    with pytest.raises(errors.NoRegistryError):
        Quotes.current()


def test_several_registries_are_named_and_a_scope_says_which_is_meant() -> None:
    one, two = Master("one"), Master("two")
    one.announce()
    two.announce()
    with pytest.raises(errors.NoRegistryError) as raised:
        Quotes.current()
    for part in ("exactly one Master", "there are 2", "<one>", "<two>", "with master.scope()"):
        assert part in str(raised.value)
    with one.scope():
        assert Quotes.current().name == "one"
        with two.scope():
            assert Quotes.current().name == "two"
            assert one.loader(Quotes).name == "one"
            assert one.loader(Orders).name == "one", "its own scope, further out"
    assert two.loader(Quotes).name == "two"
    with pytest.raises(errors.NoScopeError):
        two.loader(Orders)
    two.close()
    assert Quotes.current().name == "one"


def test_a_loader_is_made_by_the_innermost_scope_whose_registry_can() -> None:
    with Master("outer").scope() as outer:
        with LoaderScope() as inner:
            assert Orders.current().name == "outer"
            assert Orders.current() is outer.loader(Orders)
            assert Doubles.current() is inner.loader(Doubles)
            with Master("inner").scope():
                assert Orders.current().name == "inner"
            assert Orders.current() is outer.loader(Orders)
        assert Orders.current().name == "outer"
    with LoaderScope(), pytest.raises(errors.NoScopeError):
        Orders.current()


def test_a_registry_that_nobody_holds_is_none() -> None:
    Master("gone").announce()
    gc.collect()
    with pytest.raises(errors.NoRegistryError, match="there is none"):
        sole_registry(Master)


# -- requests of a web framework


class Request:
    def __init__(self) -> None:
        self.scope: LoaderScope | None = None


class Framework:
    """Serves requests, each in a context of its own, and closes what they opened."""

    def __init__(self) -> None:
        self.request = contextvars.ContextVar[Request | None]("request", default=None)
        self.opened: list[LoaderScope] = []
        self.takes_part = True
        serve_requests(self.request.get, self.open_scope)

    def open_scope(self, request: object) -> LoaderScope | None:
        assert isinstance(request, Request)
        if not self.takes_part:
            return None
        if request.scope is None:
            request.scope = LoaderScope()
            self.opened.append(request.scope)
        return request.scope

    @contextmanager
    def serving(self) -> Iterator[Request]:
        """A request that is served in the calling context, as WSGI servers do."""
        request = Request()
        token = self.request.set(request)
        try:
            yield request
        finally:
            if request.scope is not None:
                request.scope.close()
            self.request.reset(token)


@pytest.fixture
def framework() -> Framework:
    return Framework()


def test_a_request_gets_a_scope_at_its_first_lookup(framework: Framework) -> None:
    with framework.serving():
        assert framework.opened == []
        loader = Doubles.current()
        assert Doubles.current() is loader
        assert current_scope() is framework.opened[0]
        assert len(framework.opened) == 1
    with pytest.raises(errors.ScopeClosedError):
        loader.get(1)
    assert current_scope() is None
    with framework.serving():
        assert Doubles.current() is not loader
    assert len(framework.opened) == 2


def test_requests_served_in_one_thread_do_not_meet(framework: Framework) -> None:
    for number in range(5):
        with framework.serving():
            assert Doubles.current().size() == 0
            assert Doubles.current().prime(1, number).get(1) == number
    assert len(framework.opened) == 5


@pytest.mark.parametrize("outer_looks_up_first", [True, False])
def test_a_request_within_a_request_has_its_own_scope(
    framework: Framework,
    outer_looks_up_first: bool,  # noqa: FBT001 - a parameter
) -> None:
    with framework.serving() as outer:
        before = Doubles.current() if outer_looks_up_first else None
        with framework.serving() as inner:
            within = Doubles.current()
            assert current_scope() is inner.scope
        after = Doubles.current()
        assert after is not within
        assert current_scope() is outer.scope
        assert after is (before or after)
        assert after.get(1) == 2
        with framework.serving():
            assert Doubles.current() not in (after, within)
        assert Doubles.current() is after
    assert len(framework.opened) == 3
    assert current_scope() is None


def test_a_request_within_a_scope_of_a_script_does_not_use_it(framework: Framework) -> None:
    with LoaderScope() as script:
        own = Doubles.current()
        with framework.serving() as request:
            assert Doubles.current() is not own
            assert current_scope() is request.scope
        assert Doubles.current() is own
        assert current_scope() is script


def test_a_scope_opened_by_hand_within_a_request_ends_within_it(framework: Framework) -> None:
    with framework.serving():
        requests = Doubles.current()
        with LoaderScope():
            assert Doubles.current() is not requests
        assert Doubles.current() is requests


def test_a_scope_opened_by_hand_before_the_requests_first_lookup_ends_within_it(
    framework: Framework,
) -> None:
    with framework.serving() as request:
        with LoaderScope() as by_hand:
            assert current_scope() is by_hand
        assert request.scope is None
        assert type(Doubles.current()) is Doubles
        assert current_scope() is request.scope


def test_a_request_of_an_application_that_takes_no_part_uses_what_is_around(
    framework: Framework,
) -> None:
    framework.takes_part = False
    with framework.serving():
        with pytest.raises(errors.NoScopeError):
            Doubles.current()
        assert Shared.current().get(1) == 1
    with LoaderScope() as script, framework.serving():
        assert current_scope() is script


async def test_tasks_of_a_request_share_its_scope_whoever_looks_up_first(
    framework: Framework,
) -> None:
    async def look_up() -> Doubles:
        return Doubles.current()

    with framework.serving():
        first, second = await asyncio.gather(look_up(), look_up())
        assert first is second is Doubles.current()
    assert len(framework.opened) == 1


def test_run_takes_a_requests_scope_into_a_thread_that_serves_none(framework: Framework) -> None:
    with framework.serving():
        loader = Doubles.current()
        scope = current_scope()
        assert scope is not None
        assert in_a_thread(lambda: scope.run(Doubles.current)) is loader


def test_a_pools_calls_run_in_the_request_of_who_submits_them(framework: Framework) -> None:
    with ScopeThreadPoolExecutor(2) as pool:
        with framework.serving():
            loader = Doubles.current()
            assert list(pool.map(lambda _: Doubles.current(), range(4))) == [loader] * 4
        with framework.serving():
            found = pool.submit(Doubles.current).result(SECONDS)
            assert found is not loader
            assert Doubles.current() is found, "whoever looks up first"
        with pytest.raises(errors.NoScopeError):
            pool.submit(Doubles.current).result(SECONDS)


# -- memory


def alive(references: list[weakref.ref[LoaderScope]]) -> int:
    gc.collect()
    return sum(reference() is not None for reference in references)


def test_ten_thousand_scopes_in_one_thread_leave_nothing_behind() -> None:
    references: list[weakref.ref[LoaderScope]] = []

    def request(key: int) -> None:
        with LoaderScope() as scope:
            Doubles.current().prime(key, key)
            references.append(weakref.ref(scope))

    for key in range(10_000):
        request(key)
    assert alive(references) == 0


def test_ten_thousand_requests_in_one_thread_leave_one_scope_behind_at_most() -> None:
    def serve_all() -> int:
        framework = Framework()
        references: list[weakref.ref[LoaderScope]] = []
        for key in range(10_000):
            with framework.serving():
                Doubles.current().prime(key, key)
                references.append(weakref.ref(framework.opened.pop()))
        return alive(references)

    # The context variable of the thread still holds the last.
    assert in_a_thread(serve_all) <= 1


def test_scopes_left_in_another_context_leave_no_chain_behind() -> None:
    def enter_all() -> int:
        references: list[weakref.ref[LoaderScope]] = []

        def enter() -> None:
            scope = LoaderScope()
            scope.__enter__()
            contextvars.copy_context().run(scope.__exit__, None, None, None)
            references.append(weakref.ref(scope))

        for _ in range(1_000):
            enter()
        return alive(references)

    assert in_a_thread(enter_all) <= 1


def test_a_scope_that_is_over_holds_no_values() -> None:
    class Value:
        pass

    class Makes(DataLoader[int, Value]):
        def batch_load(self, keys: list[int]) -> list[Value]:
            return [Value() for _ in keys]

    with LoaderScope():
        kept = Makes.current()
        reference = weakref.ref(kept.get(1))
        gc.collect()
        assert reference() is not None
    gc.collect()
    assert reference() is None
    assert kept.size() == 0
