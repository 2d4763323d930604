"""What the detector does about its findings, and findings of other kinds than N+1."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask, stream_with_context

from dataloaders import DataLoader, LoaderRegistry
from dataloaders.errors import ConfigurationError, NPlusOneError
from dataloaders.observe import Listener, Observer
from dataloaders.observe.findings import AT_ONCE, MUCH_WASTED
from dataloaders.observe.repeats import LEAST, MAX_TRIES
from dataloaders.remote import RemoteLoader, RemoteSource
from flask_dataloaders import DataLoaders
from tests.threads import SECONDS, run_green, spawn, until

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator
    from pathlib import Path

    from dataloaders.observe import Finding, Record

pytestmark = pytest.mark.timeout(60)


class Numbers(DataLoader[int, int]):
    """Answers with what is no key, and may be held up."""

    lookahead = "explicit"
    shared = True

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - a DataLoader's
        super().__init__(**options)
        self.calls: list[list[int]] = []
        self.goes_on = threading.Event()
        self.goes_on.set()

    def batch_load(self, keys: list[int]) -> list[int]:
        self.calls.append(keys)
        assert self.goes_on.wait(SECONDS)
        return [-key - 1 for key in keys]


class Kept(Listener):
    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def scope_ended(self, record: Record) -> None:
        self.findings += record.findings


@pytest.fixture
def registry() -> LoaderRegistry:
    return LoaderRegistry()


def watched(registry: LoaderRegistry, detect: str = "log", **options: Any) -> Kept:  # noqa: ANN401 - an observer's
    kept = Kept()
    Observer([kept], detect=detect, **options).watch(registry)
    return kept


def in_a_row(loader: Numbers, numbers: range) -> list[int]:
    return [loader.get(number) for number in numbers]


# -- raise


def test_the_lookup_that_is_one_too_many_is_refused(registry: LoaderRegistry) -> None:
    watched(registry, "raise")
    with registry.scope() as scope:
        loader = scope.loader(Numbers)
        errors = []
        for numbers in (range(10), range(20, 21)):  # the next one of that place, too
            with pytest.raises(NPlusOneError) as caught:
                in_a_row(loader, numbers)
            errors.append(str(caught.value))
        assert loader.calls == [[number] for number in range(LEAST - 1)]
        # What it was asked for is a lookup; what was not sent is no batch and no query.
        stats = loader.stats
        assert (stats.lookups, stats.batches, stats.queries) == (5, 3, 3)
        assert (stats.hits, stats.errors) == (0, 2)  # who is refused is answered by an error
        for text in (
            f"n+1: Numbers: {LEAST} batches of one key",
            "test_detector.py",
            "in_a_row",
            "return [loader.get(number) for number in numbers]",
        ):
            assert text in errors[0]
        # Known keys and other places go on.
        assert loader.get(20) == -21
        assert in_a_row(loader, range(3)) == [-1, -2, -3]
        assert loader.get_many([30, 31]) == [-31, -32]


async def test_a_load_is_refused_as_well(registry: LoaderRegistry) -> None:
    watched(registry, "raise")

    async def load_all(loader: Numbers) -> None:
        for number in range(10):
            await loader.load(number)

    async with registry.scope() as scope:
        loader = scope.loader(Numbers)
        with pytest.raises(NPlusOneError):
            await load_all(loader)
        assert loader.calls == [[number] for number in range(LEAST - 1)]
        assert [*await asyncio.gather(loader.load(20), loader.load(21))] == [-21, -22]
        assert not loader._store.pending
        with pytest.raises(NPlusOneError):
            await load_all(loader)


@pytest.mark.parametrize("options", [{}, {"max_batch_size": 3}, {"timeout": 20}, {"cache": False}])
def test_nothing_stays_held_or_pending(options: dict[str, Any]) -> None:
    class Registry(LoaderRegistry):
        def make(self, loader_class: type[Any], scope: object) -> Any:  # noqa: ANN401, ARG002 - a registry's
            return loader_class(**options)

    registry = Registry()
    watched(registry, "raise")
    with registry.scope() as scope:
        loader = scope.loader(Numbers)
        with pytest.raises(NPlusOneError):
            in_a_row(loader, range(10))
        assert not loader._store.pending
        assert not loader._turns._queue
        assert spawn(loader.get_many, range(20, 26)).result(SECONDS) == [*range(-21, -27, -1)]


def test_callers_of_other_threads_have_their_answers(registry: LoaderRegistry) -> None:
    watched(registry, "raise")
    with registry.scope() as scope:
        loader = scope.loader(Numbers)

        def refused() -> int:
            times = 0
            for number in range(200):
                try:
                    loader.get(1_000 + number)
                except NPlusOneError:
                    times += 1
            return times

        def answered(first: int) -> list[list[int]]:
            return [loader.get_many([first + 2 * n, first + 2 * n + 1]) for n in range(200)]

        guilty = [spawn(refused) for _ in range(3)]
        others = [spawn(answered, first) for first in (2_000, 3_000)]
        for first, other in zip((2_000, 3_000), others, strict=True):
            found = other.result(SECONDS)
            assert found == [[-first - 2 * n - 1, -first - 2 * n - 2] for n in range(200)]
        assert sum(each.result(SECONDS) for each in guilty) > 0
        assert not loader._store.pending


def test_what_others_wait_for_is_not_refused(registry: LoaderRegistry) -> None:
    watched(registry, "raise")
    is_guilty, may_go_on = threading.Event(), threading.Event()

    def guilty(loader: Numbers) -> list[int]:
        found = []
        for number in (*range(LEAST - 1), 50, 51):
            if number == 50:
                is_guilty.set()
                assert may_go_on.wait(SECONDS)
            found.append(loader.get(number))
        return found

    with registry.scope() as scope:
        loader = scope.loader(Numbers)
        first = spawn(guilty, loader)
        assert is_guilty.wait(SECONDS)
        loader.goes_on.clear()
        blocking = spawn(loader.get, 100)
        until(lambda: [100] in loader.calls)
        may_go_on.set()
        until(lambda: bool(loader._turns._queue))
        # They gather behind that one, and for one and the same key.
        second = spawn(loader.get, 50)
        until(lambda: any(len(batch.threads) == 2 for batch in loader._turns._queue))
        loader.goes_on.set()
        assert (blocking.result(SECONDS), second.result(SECONDS)) == (-101, -51)
        with pytest.raises(NPlusOneError):
            first.result(SECONDS)
        assert [50] in loader.calls
        assert [51] not in loader.calls


def test_what_is_announced_is_not_refused(registry: LoaderRegistry) -> None:
    kept = watched(registry, "raise")
    with registry.scope() as scope:
        loader = scope.loader(Numbers)
        for number in range(100):
            if number >= LEAST - 1 and number % 10 == LEAST - 1:
                loader.expect(range(number, number + 10))
            loader.get(number)
        assert len(loader.calls) == LEAST - 1 + 10
    assert kept.findings == []


@pytest.mark.parametrize("is_of_use", [True, False])
def test_batches_with_what_went_along_count_if_that_was_of_no_use(
    registry: LoaderRegistry,
    *,
    is_of_use: bool,
) -> None:
    kept = watched(registry)
    with registry.scope() as scope:
        loader = scope.loader(Numbers)
        for number in range(0, 100, 10):
            loader.expect([number + 1 if is_of_use else number + 1_000])
            loader.get(number)
            loader.get(number + 1) if is_of_use else None
    assert [each.count for each in kept.findings] == ([] if is_of_use else [10])


def test_a_remote_source_is_not_asked_for_what_is_refused(registry: LoaderRegistry) -> None:
    class Source(RemoteSource):
        def __init__(self) -> None:
            self.calls: list[list[int]] = []
            super().__init__()

        def fetch(self, keys: list[int], account: Hashable) -> dict[int, int]:  # noqa: ARG002 - a source's
            self.calls.append(keys)
            return {key: -key - 1 for key in keys}

    class Remote(RemoteLoader[int, int]):
        source = Source()
        shared = True

    watched(registry, "raise")
    with registry.scope() as scope, pytest.raises(NPlusOneError):
        in_a_row(scope.loader(Remote), range(10))  # type: ignore[arg-type]  # it is asked the same way
    assert Remote.source.calls == [[number] for number in range(LEAST - 1)]
    Remote.source.close()


def test_a_refusal_that_is_swallowed_is_logged(
    registry: LoaderRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    watched(registry, "raise")
    with registry.scope() as scope:
        loader = scope.loader(Numbers)
        for number in range(10):
            with suppress(Exception):  # as applications do
                loader.get(number)
    (logged,) = caplog.records
    assert "Numbers: 10 batches of one key" in logged.getMessage()


# -- log, and what is allowed


def test_each_place_is_logged_once(
    registry: LoaderRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    watched(registry)
    for _ in range(3):
        with registry.scope() as scope:
            in_a_row(scope.loader(Numbers), range(10))
    (logged,) = caplog.records
    assert (logged.name, logged.levelno) == ("dataloaders.observe", logging.WARNING)


@pytest.mark.parametrize(
    ("pattern", "is_allowed"),
    [
        ("Numbers", True),
        ("Num*", True),
        ("in_a_row*", True),
        ("*/tests/observe/*", True),
        ("*/test_detector.py:*", True),
        ("Other*", False),
        ("*/tests/core/*", False),
        ("numbers", False),
    ],
)
@pytest.mark.parametrize("detect", ["log", "raise"])
def test_patterns_allow_loaders_functions_files_and_lines(
    registry: LoaderRegistry,
    caplog: pytest.LogCaptureFixture,
    detect: str,
    pattern: str,
    *,
    is_allowed: bool,
) -> None:
    kept = watched(registry, detect, allow=[pattern])
    with registry.scope() as scope:
        try:
            in_a_row(scope.loader(Numbers), range(10))
        except NPlusOneError:
            assert detect == "raise"
            assert not is_allowed
        else:
            assert detect == "log" or is_allowed
    assert len(caplog.records) == (not is_allowed)
    assert [each.kind for each in kept.findings] == ["n+1"]


def test_a_mode_that_there_is_not() -> None:
    with pytest.raises(ConfigurationError, match="one of off, log, raise"):
        Observer(detect="loud")


def test_off_finds_nothing(registry: LoaderRegistry, caplog: pytest.LogCaptureFixture) -> None:
    kept = watched(registry, "off", keeps_lookups=True)
    with registry.scope() as scope:
        in_a_row(scope.loader(Numbers), range(10))
    assert kept.findings == []
    assert not caplog.records


@pytest.mark.parametrize("mode", ["off", "shadow"])
def test_nothing_is_found_where_nothing_is_batched(registry: LoaderRegistry, mode: str) -> None:
    registry.mode = mode
    kept = watched(registry, "raise")
    with registry.scope() as scope:
        assert in_a_row(scope.loader(Numbers), range(10)) == [*range(-1, -11, -1)]
    assert kept.findings == []


# -- where it is told of


def test_a_batch_function_that_loops_is_told_of(registry: LoaderRegistry) -> None:
    class Outer(Numbers):
        def batch_load(self, keys: list[int]) -> list[int]:
            inner = Numbers.current()
            return [inner.get(key) for key in keys]

    kept = watched(registry)
    with registry.scope() as scope:
        scope.loader(Outer).get_many(range(8))
    (finding,) = kept.findings
    assert (finding.loader, finding.count) == ("Numbers", 8)
    assert finding.place is not None
    assert "Outer.batch_load" in finding.place.function


def test_what_is_answered_with_nothing_is_tried_elsewhere_so_often_only(
    registry: LoaderRegistry,
) -> None:
    class Absent(DataLoader[Any, Any]):
        def batch_load(self, keys: list[Any]) -> list[Any]:
            return [None for _ in keys]

    def asked(times: int, key: str) -> list[Finding]:
        kept = watched(registry)
        with registry.scope() as scope:
            for number in range(times):
                scope.loader(Absent).get((key or str(number), str(number)))
        return kept.findings

    assert not asked(MAX_TRIES, "TCS")
    assert asked(MAX_TRIES + LEAST, "TCS")
    assert asked(LEAST, "")


def test_a_request_served_by_a_loop_is_not_told_of_that_loop() -> None:
    app = Flask("app")
    app.config["DATALOADERS_INSPECTOR"] = "off"
    DataLoaders(app)

    @app.get("/<int:first>")
    def numbers(first: int) -> list[int]:
        return list(map(Numbers.current().get, range(first, first + 10)))

    kept = Kept()
    observer = Observer([kept], detect="log")
    observer.watch()
    client = app.test_client()
    for first in range(3):
        client.get(f"/{first}")
    observer.stop()
    assert len(kept.findings) == 3
    for finding in kept.findings:
        assert finding.place is not None
        assert finding.place.function.endswith("numbers")
        assert finding.loop is None


def test_a_helper_with_a_loop_has_as_many_places_as_callers(registry: LoaderRegistry) -> None:
    class Next(DataLoader[int, int]):
        def batch_load(self, keys: list[int]) -> list[int]:
            return [key * 1_000 for key in keys]

    def walk(number: int) -> int:
        for _ in range(3):
            number = Next.current().get(number)
        return number

    kept = watched(registry)
    with registry.scope():
        found = [walk(1)]
        found += [walk(2)]
        found += [walk(3)]
        found += [walk(4)]
        found += [walk(5)]
        found += [walk(6)]
    assert found == [number * 10**9 for number in range(1, 7)]
    assert kept.findings == []


def test_threads_one_after_another_are_no_loop(registry: LoaderRegistry) -> None:
    kept = watched(registry)
    with registry.scope() as scope:
        loader = scope.loader(Numbers)
        for number in range(8):
            assert spawn(loader.get, number).result(SECONDS) == -number - 1
    assert kept.findings == []


async def test_batches_of_one_task_at_once_do_not_follow_each_other(
    registry: LoaderRegistry,
) -> None:
    class Waiting(DataLoader[int, int]):
        async def batch_load(self, keys: list[int]) -> list[int]:
            await goes_on.wait()
            return keys

    goes_on = asyncio.Event()
    kept = watched(registry)
    async with registry.scope() as scope:
        futures = []
        for number in range(LEAST):
            futures.append(scope.loader(Waiting).load(number))
            await asyncio.sleep(0.01)
        goes_on.set()
        assert [*await asyncio.gather(*futures)] == [*range(LEAST)]
    assert kept.findings == []


# -- findings of other kinds


def test_much_that_went_along_in_vain(registry: LoaderRegistry) -> None:
    kept = watched(registry)
    for announced, asked in ((MUCH_WASTED + 20, 10), (MUCH_WASTED - 1, 1), (600, 40)):
        with registry.scope() as scope:
            loader = scope.loader(Numbers)
            loader.expect(range(announced))
            in_a_row(loader, range(asked))
    (finding,) = kept.findings
    assert (finding.kind, finding.count) == ("wasted look-ahead", MUCH_WASTED + 10)
    assert "in_a_row" in str(finding)


async def test_tasks_that_wait_before_they_load(registry: LoaderRegistry) -> None:
    class Waiting(DataLoader[int, int]):
        async def batch_load(self, keys: list[int]) -> list[int]:
            await asyncio.wait([asyncio.ensure_future(goes_on.wait())])
            return keys

    async def one(loader: Waiting, number: int) -> int:
        for _ in range(5 * number):
            await asyncio.sleep(0)
        return await loader.load(number)

    async def all_of(loader: Waiting, count: int) -> None:
        goes_on.clear()
        tasks = [asyncio.create_task(one(loader, number)) for number in range(count)]
        await asyncio.sleep(0.05)
        goes_on.set()
        await asyncio.gather(*tasks)

    goes_on = asyncio.Event()
    kept = watched(registry)
    for count in (AT_ONCE - 1, AT_ONCE + 1):
        async with registry.scope() as scope:
            await all_of(scope.loader(Waiting), count)
    (finding,) = kept.findings
    assert (finding.kind, finding.count) == ("fragmented", AT_ONCE + 1)
    assert finding.place is not None
    assert "one" in finding.place.function


async def test_batches_that_are_full_are_not_fragments(registry: LoaderRegistry) -> None:
    class Single(Numbers):
        max_batch_size = 1

    kept = watched(registry)
    async with registry.scope() as scope:
        await asyncio.gather(*[scope.loader(Single).load(number) for number in range(20)])
    assert kept.findings == []


@pytest.mark.parametrize("mode", ["on", "off", "shadow"])
async def test_batches_of_what_is_not_batched_are_not_fragments(
    registry: LoaderRegistry, mode: str
) -> None:
    class Single(Numbers):
        batch = False

    registry.mode = mode
    kept = watched(registry)
    async with registry.scope() as scope:
        loader = scope.loader(Single if mode == "on" else Numbers)
        await asyncio.gather(*[loader.load(number) for number in range(20)])
    assert kept.findings == []


def test_a_thread_that_goes_on_after_its_scope(
    registry: LoaderRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    watched(registry)
    is_over = threading.Event()

    def late(loader: Numbers) -> list[str]:
        assert is_over.wait(SECONDS)
        errors = []
        for number in range(3):
            try:
                loader.get(number)
            except Exception as error:  # noqa: BLE001 - the scope is over
                errors.append(type(error).__name__)
        return errors

    with registry.scope() as scope:
        loader = scope.loader(Numbers)
        loader.get(0)
        thread = spawn(late, loader)
    is_over.set()
    assert thread.result(SECONDS) == ["ScopeClosedError"] * 3
    assert isinstance(scope.watch, object)
    (logged,) = caplog.records
    assert logged.getMessage().startswith("late: Numbers: 1 lookups after the scope was over")
    assert "in test_a_thread_that_goes_on_after_its_scope.<locals>.late" in logged.getMessage()


def test_a_streamed_response_is_not_late() -> None:
    app = Flask("app")
    app.config["DATALOADERS_INSPECTOR"] = "off"
    DataLoaders(app)

    @app.get("/")
    def numbers() -> Any:  # noqa: ANN401 - a response
        Numbers.current().get(100)

        def parts() -> Iterator[str]:
            loader = Numbers.current()
            yield str(loader.get(1))
            yield str(Numbers.current().get_many([2, 3]))

        return stream_with_context(parts())

    kept = Kept()
    observer = Observer([kept], detect="log")
    observer.watch()
    assert app.test_client().get("/").text == "-2[-3, -4]"
    observer.stop()
    assert kept.findings == []


def test_outside_of_scopes_nothing_is_found(registry: LoaderRegistry) -> None:
    kept = watched(registry)
    loader = registry.loader(Numbers)
    in_a_row(loader, range(10))
    registry._common_until = 0.0
    registry.loader(Numbers).get(1)
    in_a_row(loader, range(20, 30))  # who has a loader of the scope before may go on with it
    assert kept.findings == []


GREEN = """
from gevent import joinall, monkey, spawn
monkey.patch_all()
with LoaderRegistry().scope() as scope:
    def ask(number):
        return scope.loader(Loader).get(number)
    joinall([spawn(ask, number) for number in range(8)])
    print(len(scope.watch.repeats.too_many()))
    for number in range(8, 16):
        ask(number)
    print(len(scope.watch.repeats.too_many()))
"""


def test_green_threads_are_told_apart_even_if_they_are_patched_late() -> None:
    imports = """
from dataloaders import DataLoader, LoaderRegistry
from dataloaders.observe import Observer
class Loader(DataLoader):
    def batch_load(self, keys):
        return [-key - 1 for key in keys]
Observer(detect="log").watch()
"""
    pytest.importorskip("gevent")
    assert run_green("none", imports + GREEN).split() == ["0", "1"]


SHOP = """
from dataloaders import DataLoader


class PriceLoader(DataLoader):
    lookahead = "explicit"

    def batch_load(self, keys):
        return [float(len(key)) for key in keys]


def prices():
    orders = [{"name": letter * 7} for letter in "abcdefgh"]
    found = []
    for order in orders:
        found.append(PriceLoader.current().get(order["name"]))
    return found
"""


def test_the_line_of_the_loop_is_told_as_it_should_be(
    registry: LoaderRegistry, tmp_path: Path
) -> None:
    pytest.importorskip("dataloaders.scan")
    file = tmp_path / "shop.py"
    file.write_text(SHOP)
    names: dict[str, Any] = {"__name__": "shop"}
    exec(compile(SHOP, str(file), "exec"), names)  # noqa: S102 - it is written above
    kept = watched(registry)
    with registry.scope():
        names["prices"]()
    (finding,) = kept.findings
    assert finding.line == 'for order in PriceLoader.current().over(orders, "name"):'
    assert "in line 15:" in finding.remedy
    # As it says, it is one batch.
    mended = SHOP.replace("for order in orders:", finding.line)
    exec(compile(mended, str(file), "exec"), names)  # noqa: S102 - as above
    with registry.scope() as scope:
        assert names["prices"]() == [7.0] * 8
        assert scope.stats.queries == 1
