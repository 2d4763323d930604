# ruff: noqa: ANN401, PERF401 - keys and values may be anything; the loops are what is tested
"""What a place asked for last goes along the next time, and changes no answer.

Look-ahead reads the variables of all callers. So that it finds keys in the history alone, the
loops here compute theirs, and what was asked for is noted behind functions.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import sys
import threading
import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dataloaders import DataLoader, LoaderScope
from dataloaders.lookahead import history
from dataloaders.lookahead.history import History
from dataloaders.lookahead.sites import forget_sites
from dataloaders.scope import LoaderRegistry
from dataloaders.symbols import get_token
from tests.lookahead.test_shapes import Plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dataloaders.symbols import SymbolMaster
    from tests.lookahead.conftest import SqliteContract

pytestmark = pytest.mark.timeout(60)

COUNT = 20
# Each example is a dozen requests, and what shrinking tells is not worth the minutes.
NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)

_asked: list[list[Any]] = []
_revision: list[int] = [0]
_refused: set[Any] = set()


@pytest.fixture(autouse=True)
def _nothing_asked() -> None:
    _asked.clear()
    _refused.clear()
    _revision[0] = 0


def asked() -> list[list[Any]]:
    """Returns what the batch functions were given since the last call."""
    noted = _asked.copy()
    _asked.clear()
    return noted


class Private(DataLoader[Any, Any]):
    """Answers a key with itself and the revision of its source; one user's alone."""

    lookahead = "on"

    def batch_load(self, keys: list[Any]) -> Any:
        _asked.append(list(keys))
        if _refused.intersection(keys):
            raise LookupError
        return [(key, _revision[0]) for key in keys]


class Shared(Private):
    shared = True


def computed(loader: DataLoader[Any, Any], count: int, first: int = 7) -> Iterator[Any]:
    """A loop over keys that nothing holds before they are asked for."""
    for number in range(count):
        yield loader.get("-".join(("key", str(number * number + first))))


def keys_from(first: int, count: int = COUNT) -> list[str]:
    return [f"key-{number * number + first}" for number in range(count)]


def request(
    registry: LoaderRegistry, kind: type[Private] = Shared, first: int = 7, count: int = COUNT
) -> list[Any]:
    with registry.scope() as scope:
        return list(computed(scope.loader(kind), count, first))


def answers(first: int = 7, count: int = COUNT) -> list[Any]:
    return [(key, _revision[0]) for key in keys_from(first, count)]


def rows_one_by_one(contract: SqliteContract, numbers: range) -> Iterator[tuple[str, str]]:
    for number in numbers:
        row = contract.plain.execute(
            "SELECT symbol, exchange FROM symtoken WHERE id = ?", (number,)
        ).fetchone()
        yield row


def tokens(ask: Callable[..., Any], contract: SqliteContract, numbers: range) -> list[Any]:
    """A loop over rows that exist one at a time."""
    found = []
    for symbol, exchange in rows_one_by_one(contract, numbers):
        found.append(ask(symbol, exchange))
    return found


# -- it pays


def test_statements_of_a_loop_over_a_generator(
    sqlite_contract: SqliteContract, master: SymbolMaster
) -> None:
    numbers = range(3, 1000, 31)
    plain = tokens(Plain(sqlite_contract).get_token, sqlite_contract, numbers)
    sent = []
    for _ in range(3):
        sqlite_contract.statements.clear()
        with master.scope():
            assert tokens(get_token, sqlite_contract, numbers) == plain
        sent.append(len(sqlite_contract.statements))
    assert sent[0] == len(set(numbers))
    assert max(sent[1:]) <= 2


def test_new_keys_are_asked_for_and_remembered() -> None:
    registry = LoaderRegistry()
    assert request(registry, count=COUNT) == answers(count=COUNT)
    asked()
    assert request(registry, count=COUNT + 5) == answers(count=COUNT + 5)
    assert [len(batch) for batch in asked()] == [COUNT, 1, 1, 1, 1, 1]
    assert request(registry, count=COUNT + 5) == answers(count=COUNT + 5)
    assert asked() == [keys_from(7, COUNT + 5)]


def test_keys_that_were_of_no_use_are_forgotten() -> None:
    registry = LoaderRegistry()
    request(registry, count=COUNT)
    request(registry, count=COUNT // 2)
    asked()
    request(registry, count=COUNT // 2)
    assert asked() == [keys_from(7, COUNT // 2)]


def test_fewer_than_a_few_are_no_loop() -> None:
    registry = LoaderRegistry()
    for _ in range(3):
        asked()
        assert request(registry, count=history.MIN_KEYS - 1) == answers(count=history.MIN_KEYS - 1)
    assert [len(batch) for batch in asked()] == [1] * (history.MIN_KEYS - 1)


def test_on_an_event_loop() -> None:
    async def loop(loader: Shared) -> list[Any]:
        found = []
        for number in range(COUNT):
            found.append(await loader.load("-".join(("key", str(number * number + 7)))))
        return found

    async def one() -> list[Any]:
        async with registry.scope() as scope:
            return await loop(scope.loader(Shared))

    registry = LoaderRegistry()
    assert asyncio.run(one()) == answers()
    assert len(asked()) == COUNT
    assert asyncio.run(one()) == answers()
    assert asked() == [keys_from(7)]


def test_outside_of_requests() -> None:
    registry = LoaderRegistry()
    assert list(computed(registry.outside(Shared), COUNT)) == answers()
    assert len(asked()) == COUNT
    registry._common_until = 0.0  # as if COMMON_SECONDS had gone by
    assert list(computed(registry.outside(Shared), COUNT)) == answers()
    assert asked() == [keys_from(7)]


# -- it does not pay


def test_it_stops_when_it_does_not_pay_and_comes_back() -> None:
    registry = LoaderRegistry()
    sizes = []
    for number in range(history.STRIKES + history.REST):
        first = 1_000_003 * (number + 1)
        assert request(registry, first=first) == answers(first)
        sizes.append(sum(map(len, asked())) - COUNT)
    # The first request has no history; the one after the second strike finds it at rest.
    assert sizes[0] == 0
    assert 0 < sum(sizes) <= history.STRIKES * COUNT
    assert not any(sizes[history.STRIKES + 2 :])
    counts = []
    for _ in range(history.REST):
        assert request(registry) == answers()
        counts.append(len(asked()))
    assert counts[0] == COUNT
    assert counts[-1] == 1


def test_a_few_that_are_used_pay_for_the_rest() -> None:
    registry = LoaderRegistry()
    common = COUNT // 2  # half of the keys are the same each time
    for number in range(6):
        asked()
        with registry.scope() as scope:
            for index in range(COUNT):
                own = 0 if index < common else 1_000_003 * (number + 1)
                key = "-".join(("key", str(index * index + own)))
                assert scope.loader(Shared).get(key) == (key, 0)
    assert len(asked()) == 1 + COUNT - common


# -- who has it in common


def partitioned(user: list[Any]) -> LoaderRegistry:
    registry = LoaderRegistry()
    registry.partition = lambda: user[0]
    return registry


@pytest.mark.parametrize("kind", [Private, Shared])
def test_each_partition_has_its_own(kind: type[Private]) -> None:
    user = ["alice"]
    registry = partitioned(user)
    request(registry, kind)
    user[0] = "bob"
    asked()
    assert request(registry, kind, first=100_000) == answers(100_000)
    assert asked() == [[key] for key in keys_from(100_000)]
    assert request(registry, kind, first=100_000) == answers(100_000)
    assert asked() == [keys_from(100_000)]
    user[0] = "alice"
    assert request(registry, kind) == answers()
    assert asked() == [keys_from(7)]


@pytest.mark.parametrize("user", [None, "nobody asks"])
def test_without_a_partition_what_is_ones_own_has_no_history(user: Any) -> None:
    registry = partitioned([user]) if user is None else LoaderRegistry()
    for _ in range(3):
        asked()
        assert request(registry, Private) == answers()
        assert asked() == [[key] for key in keys_from(7)]


def test_two_registries_have_nothing_in_common() -> None:
    one, other = LoaderRegistry(), LoaderRegistry()
    request(one)
    asked()
    assert request(other, first=100_000) == answers(100_000)
    assert asked() == [[key] for key in keys_from(100_000)]


@pytest.mark.parametrize(
    ("partition", "error"),
    [
        (lambda: dict[str, str]()["broker"], "KeyError"),
        (lambda: ["zerodha"], "TypeError"),
    ],
    ids=["raises", "not hashable"],
)
def test_a_partition_that_is_none(partition: Any, error: str) -> None:
    registry = LoaderRegistry()
    registry.partition = partition
    for _ in range(2):
        try:
            assert request(registry, Private) == answers()
        except Exception as raised:  # noqa: BLE001 - which one, the test says
            pytest.fail(f"{type(raised).__name__} reached the caller; {error} was expected here")


# -- answers


tenant: ContextVar[str] = ContextVar("tenant")


class OfTenant(DataLoader[Any, Any]):
    """Answers by the tenant of the context; each has its own cache keys."""

    lookahead = "on"
    shared = True

    def get_cache_key(self, key: Any) -> Any:
        return (tenant.get(), key)

    def batch_load(self, keys: list[Any]) -> Any:
        _asked.append(list(keys))
        return [(tenant.get(), key) for key in keys]


def test_cache_keys_that_depend_on_the_context() -> None:
    registry = LoaderRegistry()
    for tenants in (["a"], ["b", "a"]):
        with registry.scope() as scope:
            for each in tenants:
                tenant.set(each)
                found = list(computed(scope.loader(OfTenant), COUNT))
                assert found == [(each, key) for key in keys_from(7)]


@pytest.mark.parametrize("everything", [True, False])
def test_what_was_cleared_is_not_served(*, everything: bool) -> None:
    registry = LoaderRegistry()
    request(registry)
    with registry.scope() as scope:
        loader = scope.loader(Shared)
        loop = computed(loader, COUNT)
        assert next(loop) == ("key-7", 0)
        _revision[0] = 1
        cleared = keys_from(7)[5]
        if everything:
            loader.clear_all()
        else:
            loader.clear(cleared)
        rest = dict(loop)
    assert rest[cleared] == 1
    if everything:
        assert set(rest.values()) == {1}


def test_what_is_primed_wins() -> None:
    registry = LoaderRegistry()
    request(registry)
    with registry.scope() as scope:
        scope.loader(Shared).prime("key-8", "mine")
        found = list(computed(scope.loader(Shared), COUNT))
    assert found == [answers()[0], "mine", *answers()[2:]]


def test_a_remembered_key_that_the_source_refuses_by_now() -> None:
    registry = LoaderRegistry()
    request(registry)
    asked()
    _refused.add(keys_from(7)[-1])
    sent: list[Any] = []
    for attempt in range(3):
        assert request(registry, count=COUNT - 1) == answers(count=COUNT - 1)
        sent = asked()
        if attempt == 0:  # once with it, once without, and the rest one by one
            assert sent[0] == keys_from(7)
            assert sent[1] == ["key-7"]
    assert len(sent) == 1


class Typed(Shared):
    """Answers with the type of the key as well."""

    def batch_load(self, keys: list[Any]) -> Any:
        _asked.append(list(keys))
        return [(type(key), key) for key in keys]


def test_keys_that_are_equal_and_not_the_same() -> None:
    def loop(loader: Typed) -> Iterator[Any]:
        for each in (lambda: 1, lambda: True, lambda: 1.0, lambda: "1", lambda: 0, lambda: ""):
            yield loader.get(each())

    registry = LoaderRegistry()
    for _ in range(3):
        with registry.scope() as scope:
            found = list(loop(scope.loader(Typed)))
        assert [(kind, str(key)) for kind, key in found] == [
            (int, "1"),
            (bool, "True"),
            (float, "1.0"),
            (str, "1"),
            (int, "0"),
            (str, ""),
        ]


_seen: dict[str, set[str]] = {}


def forget_seen() -> None:
    _seen.clear()


def name_of(number: int) -> str:
    return f"k/{number * 2_654_435_761 % 2**32:x}"  # which shows nothing of the number


def names(loader: Private, numbers: Callable[[], list[int]]) -> Iterator[Any]:
    for index in range(len(numbers())):
        yield loader.get(name_of(numbers()[index]))


def check_request(registry: LoaderRegistry, user: str, numbers: Callable[[], list[int]]) -> None:
    registry.partition = lambda: user
    with registry.scope() as scope:
        found = list(names(scope.loader(Private), numbers))
    check_found(user, list(map(name_of, numbers())), found)


def check_found(user: str, own: list[str], found: list[Any]) -> None:
    assert found == [(key, 0) for key in own]
    known = _seen.setdefault(user, set())  # no code above the loop names it
    known.update(own)
    assert {key for batch in asked() for key in batch} <= known


@settings(max_examples=60, deadline=None, phases=NO_SHRINKING)
@given(
    requests=st.lists(
        st.tuples(st.sampled_from("abc"), st.lists(st.integers(0, 40), max_size=12)), max_size=12
    ).map(lambda drawn: lambda: drawn)
)
def test_any_requests(requests: Callable[[], list[tuple[str, list[int]]]]) -> None:
    """What goes along is what the same user has asked for before, and answers stay right."""
    forget_sites()
    asked()
    forget_seen()
    registry = LoaderRegistry()
    for index in range(len(requests())):
        check_request(registry, requests()[index][0], requests()[index][1].copy)


def test_threads_of_one_request() -> None:
    registry = LoaderRegistry()
    request(registry)
    failures: list[BaseException] = []

    def run(scope: LoaderScope) -> None:
        try:
            assert list(computed(scope.loader(Shared), COUNT)) == answers()
        except BaseException as error:  # noqa: BLE001 - for the test to see
            failures.append(error)

    for _ in range(5):
        with registry.scope() as scope:
            threads = [threading.Thread(target=run, args=(scope,)) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    assert failures == []


def test_requests_that_end_at_once_in_a_history_that_is_full() -> None:
    full = History()
    for number in range(history.MAX_PLACES):
        full.keep(number, [1, 2, 3], paid=True)
    failures: list[BaseException] = []

    def run(name: int) -> None:
        try:
            for number in range(40_000):
                full.keep((name, number), [1, 2, 3], paid=True)
        except BaseException as error:  # noqa: BLE001 - for the test to see
            failures.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert failures == []


# -- what it keeps


class Text(str):
    """A text that can be referred to weakly."""

    __slots__ = ("__weakref__",)


class Zone(dt.tzinfo):
    def utcoffset(self, _moment: dt.datetime | None) -> dt.timedelta:
        return dt.timedelta(0)

    def dst(self, _moment: dt.datetime | None) -> None:
        return None

    def tzname(self, _moment: dt.datetime | None) -> str:
        return "Z"


class Tagged:
    """A cache key that carries something of the request."""

    def __init__(self, key: Any) -> None:
        self.key = key

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tagged) and self.key == other.key


class WithTags(Shared):
    def get_cache_key(self, key: Any) -> Any:
        made = Tagged(key)
        _note_tag(made)
        return made


_tags: list[weakref.ref[Any]] = []


def _note_tag(made: Tagged) -> None:
    _tags.append(weakref.ref(made))


def alive(references: list[weakref.ref[Any]]) -> int:
    gc.collect()
    return sum(reference() is not None for reference in references)


def test_texts_of_a_class_of_their_own_are_not_kept() -> None:
    def loop(loader: Shared) -> Iterator[Any]:
        for number in range(COUNT):
            key = Text("-".join(("key", str(number * number))))
            loader.get(key)
            yield weakref.ref(key)

    registry = LoaderRegistry()
    with registry.scope() as scope:
        references = list(loop(scope.loader(Shared)))
    asked()
    assert alive(references) == 0


def test_time_zones_are_not_kept() -> None:
    def loop(loader: Shared) -> Iterator[Any]:
        zone = Zone()
        for number in range(COUNT):
            loader.get(dt.datetime(2024, 1, 1 + number, tzinfo=zone))
        yield weakref.ref(zone)

    registry = LoaderRegistry()
    with registry.scope() as scope:
        references = list(loop(scope.loader(Shared)))
    asked()
    assert alive(references) == 0


def test_cache_keys_of_the_applications_own_are_not_kept() -> None:
    _tags.clear()
    registry = LoaderRegistry()
    with registry.scope() as scope:
        list(computed(scope.loader(WithTags), COUNT))
    del scope
    assert len(_tags) >= COUNT
    assert alive(_tags) == 0


def test_scopes_loaders_and_values_end_with_the_request() -> None:
    class Record:
        """A value that can be referred to weakly."""

    class Records(Shared):
        def batch_load(self, keys: list[Any]) -> Any:
            return [Record() for _ in keys]

    def one() -> list[weakref.ref[Any]]:
        with registry.scope() as scope:
            loader = scope.loader(Records)
            values = list(computed(loader, COUNT))
            return [*map(weakref.ref, values), weakref.ref(scope), weakref.ref(loader)]

    registry = LoaderRegistry()
    for _ in range(2):
        assert alive(one()) == 0
    assert len(registry._in_use) == 0


def test_places_and_keys_are_bounded() -> None:
    kept = History()
    for number in range(3 * history.MAX_PLACES):
        kept.keep(number, [1, 2, 3], paid=bool(number % 2))
    assert len(kept._pasts) <= history.MAX_PLACES
    registry = LoaderRegistry()
    count = 2 * history.MAX_KEYS + 500
    request(registry, count=count)
    assert len(asked()) == count
    request(registry, count=count)
    first = asked()[0]
    assert history.MAX_KEYS // 2 < len(first) <= history.MAX_KEYS + 1
    assert all(len(past.keys) <= history.MAX_KEYS for past in registry.history._pasts.values())


def test_long_keys_are_not_kept() -> None:
    def loop(loader: Shared) -> None:
        for number in range(COUNT):
            loader.get(str(number) * 200_000)

    registry = LoaderRegistry()
    with registry.scope() as scope:
        loop(scope.loader(Shared))
    kept = [key for past in registry.history._pasts.values() for key in past.keys]
    assert sum(len(str(key)) for key in kept) < 1_000_000
