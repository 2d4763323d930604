"""Bad input: what came, what was expected and the remedy are said, and nothing is lost by it."""

from __future__ import annotations

import asyncio
import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from dataloaders import DataLoader, errors
from dataloaders.keys import typed_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.timeout(60)

SECONDS = 20


def double(keys: list[int]) -> list[int]:
    return [key * 2 for key in keys]


def says(error: BaseException, *parts: str) -> None:
    """Checks that a message names the loader and has the parts, in their order."""
    assert re.search(".*".join(map(re.escape, parts)), str(error), re.DOTALL), str(error)


# -- keys that are none

BAD_KEYS: list[tuple[Any, tuple[str, ...]]] = [
    (None, ("prices", "expected a key", "got None (NoneType)", "Test for None")),
    ([1], ("prices", "expected a hashable key", "got [1] (list)", "tuple", "get_cache_key")),
    ({"a": 1}, ("prices", "expected a hashable key", "{'a': 1} (dict)", "get_cache_key")),
    (("a", [1]), ("prices", "expected a hashable key", "('a', [1]) (tuple)", "get_cache_key")),
]

SINGLE: list[Callable[[DataLoader[Any, Any], Any], object]] = [
    lambda loader, key: loader.load(key),
    lambda loader, key: loader.get(key),
    lambda loader, key: loader.require(key),
    lambda loader, key: loader.prime(key, 1),
    lambda loader, key: loader.clear(key),
    lambda loader, key: loader.load_many([1, key]),
    lambda loader, key: loader.get_many([1, key]),
    lambda loader, key: loader.require_many([1, key]),
]


@pytest.mark.parametrize(("key", "parts"), BAD_KEYS, ids=["None", "list", "dict", "in a tuple"])
@pytest.mark.parametrize(
    "call",
    SINGLE,
    ids=["load", "get", "require", "prime", "clear", "load_many", "get_many", "require_many"],
)
async def test_a_key_that_is_none_is_refused_at_once(
    call: Callable[[DataLoader[Any, Any], Any], object], key: object, parts: tuple[str, ...]
) -> None:
    batches: list[list[Any]] = []

    def fetch(keys: list[Any]) -> list[Any]:
        batches.append(keys)
        return double(keys)

    loader = DataLoader[Any, Any](fetch, name="prices")
    waiting = loader.load(5)
    with pytest.raises(errors.InvalidKeyError) as raised:
        call(loader, key)
    says(raised.value, *parts)
    assert isinstance(raised.value, TypeError)
    assert await asyncio.wait_for(waiting, SECONDS) == 10
    assert loader.get(6) == 12
    assert batches == [[5], [6]], "the good keys beside the bad one were not asked for"


@pytest.mark.parametrize("call", ["load_many", "get_many"])
@pytest.mark.parametrize("keys", [5, None, object])
async def test_keys_that_are_no_iterable_are_refused(call: str, keys: object) -> None:
    loader = DataLoader[int, int](double, name="prices")
    with pytest.raises(errors.InvalidKeyError) as raised:
        getattr(loader, call)(keys)
    says(raised.value, "prices", "an iterable of keys", type(keys).__name__, "use load or get")
    assert loader.get(1) == 2


async def test_an_error_of_the_callers_own_iterable_is_the_callers() -> None:
    def keys() -> Iterator[int]:
        yield 1
        raise LookupError("in the caller's generator")

    loader = DataLoader[int, int](double)
    with pytest.raises(LookupError, match="caller's generator"):
        loader.load_many(keys())
    with pytest.raises(LookupError, match="caller's generator"):
        loader.get_many(keys())
    assert await asyncio.wait_for(loader.load_many([1, 2]), SECONDS) == [2, 4]


async def test_a_key_whose_repr_raises_does_not_hide_the_error() -> None:
    class Broken:
        __hash__ = None  # type: ignore[assignment]

        def __repr__(self) -> str:
            raise ZeroDivisionError

    loader = DataLoader[Any, Any](double)
    with pytest.raises(errors.InvalidKeyError, match=r"hashable key.*Broken"):
        loader.get(Broken())


def test_a_very_long_key_does_not_fill_the_log() -> None:
    loader = DataLoader[Any, Any](double)
    with pytest.raises(errors.InvalidKeyError) as raised:
        loader.get([["x" * 10_000] * 100] * 100)
    assert len(str(raised.value)) < 10_000


# -- keys that are told apart


class Point(NamedTuple):
    x: object
    y: object


YES: object = True

DIFFERENT: list[Any] = [
    *(1, YES, 1.0, Fraction(1), 1 + 0j, "1", b"1"),
    *(
        (1, "a"),
        (YES, "a"),
        (1.0, "a"),
        ("a", 1),
        ("a", (1, 2)),
        ("a", (1, YES)),
        ("a", (1, 2.0)),
    ),
    *((int, 1), (bool, YES), (float, 1.0), frozenset({1}), (frozenset({1}),), ("a",), ("a", None)),
    *((), ((),), (("a", 1),), Point("a", 1), Point("a", "1")),
]


def test_different_keys_have_different_cache_keys() -> None:
    assert len({typed_key(key) for key in DIFFERENT}) == len(DIFFERENT)


def test_equal_keys_of_one_type_have_one_cache_key() -> None:
    for key in DIFFERENT:
        assert typed_key(key) == typed_key(key)
    assert typed_key(("a", (1.5, b"x"))) == typed_key(("a", (3 / 2, bytes([120]))))
    assert typed_key(Point("a", 1)) == typed_key(Point("a", 1))


def test_equal_keys_of_different_types_are_asked_for_and_answered_apart() -> None:
    loader = DataLoader[Any, str](lambda keys: [repr(key) for key in keys])
    assert loader.get_many(DIFFERENT) == [repr(key) for key in DIFFERENT]
    assert [loader.get(key) for key in reversed(DIFFERENT)] == [
        repr(key) for key in reversed(DIFFERENT)
    ]
    assert loader.size() == len(DIFFERENT)


def test_equal_parts_of_different_types_tell_named_tuples_apart() -> None:
    loader = DataLoader[Any, str](lambda keys: [repr(key) for key in keys])
    keys = [Point("a", 1), Point("a", YES), Point("a", 1.0)]
    assert loader.get_many(keys) == [repr(key) for key in keys]


# -- batch functions that are none

NO_FUNCTIONS: list[tuple[Any, str]] = [(5, "5"), ("fetch", "'fetch'"), ([], "[]")]


@pytest.mark.parametrize(("function", "shown"), NO_FUNCTIONS)
def test_a_batch_function_must_be_callable(function: object, shown: str) -> None:
    with pytest.raises(errors.BatchFunctionError) as raised:
        DataLoader[int, int](function, name="prices")  # type: ignore[arg-type]
    says(raised.value, "prices", "batch function", f"got {shown}", "Pass one", "batch_load")
    assert isinstance(raised.value, TypeError)


def test_a_batch_function_must_be_given() -> None:
    class Forgetful(DataLoader[int, int]):
        pass

    class Wrong(DataLoader[int, int]):
        batch_load_fn = 5  # type: ignore[assignment] # what the error is about

    for make, shown in ((DataLoader[int, int], "None"), (Forgetful, "None"), (Wrong, "5")):
        with pytest.raises(errors.BatchFunctionError) as raised:
            make()
        says(raised.value, "batch function", f"got {shown}", "override batch_load")
    with pytest.raises(errors.BatchFunctionError, match="Forgetful"):
        Forgetful()


# -- results that are none


BAD_RESULTS: list[tuple[Any, str]] = [
    ([], "0 values"),
    ([1], "1 values"),
    ([1, 2, 3], "3 values"),
    (range(1), "1 values"),
    ("ab", "a str"),
    (b"ab", "a bytes"),
    ({1, 2}, "a set"),
    (frozenset({1, 2}), "a frozenset"),
    (None, "a NoneType"),
    (5, "a int"),
    (object(), "a object"),
    (OSError("returned"), "a OSError"),
]


@pytest.mark.parametrize(("result", "got"), BAD_RESULTS, ids=[repr(got) for _, got in BAD_RESULTS])
@pytest.mark.parametrize("face", ["async", "worker", "get"])
async def test_a_result_that_cannot_be_told_apart_by_key_fails_the_batch(
    face: str, result: object, got: str
) -> None:
    calls = 0

    def fetch(keys: list[int]) -> object:
        nonlocal calls
        calls += 1
        return result if calls == 1 else double(keys)

    async def async_fetch(keys: list[int]) -> object:
        return fetch(keys)

    loader = DataLoader[int, int](async_fetch if face == "async" else fetch, name="prices")

    async def ask(*keys: int) -> list[int]:
        if face == "get":
            return loader.get_many(keys)
        return await asyncio.wait_for(loader.load_many(keys), SECONDS)

    with pytest.raises(errors.BatchResultError) as raised:
        await ask(11, 22)
    says(
        raised.value,
        *("prices", "must return a mapping", "for 2 keys it returned", got),
        *("Keys:\n[11, 22]", "Returned:\n", "Leave a key out"),
    )
    assert isinstance(raised.value, TypeError)
    assert loader.size() == 0
    assert await ask(11) == [22], "it works on"


async def test_a_mapping_for_keys_that_are_not_hashable_fails_the_batch() -> None:
    calls = 0

    async def fetch(keys: list[list[int]]) -> object:
        nonlocal calls
        calls += 1
        return {} if calls == 1 else [sum(key) for key in keys]

    loader = DataLoader[list[int], int](fetch, get_cache_key=tuple, name="sums")
    with pytest.raises(errors.BatchResultError) as raised:
        await loader.load([1, 2])
    says(raised.value, "sums", "a mapping", "not hashable", "[[1, 2]]")
    assert await loader.load([1, 2]) == 3


async def test_the_error_of_a_batch_of_many_keys_is_short() -> None:
    loader = DataLoader[int, int](lambda _keys: ["x" * 10_000] * 5_000)
    with pytest.raises(
        errors.BatchResultError, match="for 10000 keys it returned 5000 values"
    ) as r:
        loader.get_many(range(10_000))
    assert len(str(r.value)) < 3_000


def test_the_error_about_many_absent_keys_is_short_and_has_them_all() -> None:
    loader = DataLoader[int, int](lambda _keys: {})
    with pytest.raises(errors.KeyNotFoundError, match=r"0, 1, 2, .* and 92 more") as raised:
        loader.require_many(range(100))
    assert raised.value.keys == tuple(range(100))


@pytest.mark.parametrize("error", [KeyboardInterrupt("k"), asyncio.CancelledError("c")])
async def test_a_base_exception_as_a_value_becomes_an_error_that_ends_nothing(
    error: BaseException,
) -> None:
    loader = DataLoader[int, object](lambda keys: [error, *keys[1:]])
    failure, value = loader.get_many([1, 2], return_exceptions=True)
    assert type(failure) is errors.UnraisableError
    says(failure, repr(error), "give an Exception instead")
    assert failure.__cause__ is error
    assert value == 2
    with pytest.raises(errors.UnraisableError):
        await asyncio.wait_for(loader.load(1), SECONDS)


def test_a_base_exception_is_primed_as_an_error_that_ends_nothing() -> None:
    loader = DataLoader[int, int](double)
    loader.prime(1, StopIteration("end"))
    with pytest.raises(errors.UnraisableError, match="StopIteration"):
        loader.get(1)


# -- options that are none


@pytest.mark.parametrize("option", ["max_batch_size", "max_concurrency", "timeout"])
@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_must_be_positive(option: str, limit: int) -> None:
    options: dict[str, Any] = {option: limit}
    with pytest.raises(errors.ConfigurationError) as raised:
        DataLoader[int, int](double, name="prices", **options)
    says(raised.value, f"prices.{option} must be a positive ", f"but is {limit}")
    assert isinstance(raised.value, ValueError)
    limited = type("Limited", (DataLoader,), {option: limit})
    with pytest.raises(errors.ConfigurationError, match=f"Limited.{option}"):
        limited(double)


@pytest.mark.parametrize("option", ["max_batch_size", "max_concurrency", "timeout"])
@pytest.mark.parametrize("limit", ["10", float("nan"), [1]])
def test_a_limit_must_be_a_number(option: str, limit: object) -> None:
    options: dict[str, Any] = {option: limit}
    with pytest.raises(errors.ConfigurationError, match=f"prices.{option} must be"):
        DataLoader[int, int](double, name="prices", **options)


def test_a_batch_size_that_is_not_whole_does_not_lift_the_limit() -> None:
    sizes: list[int] = []

    def fetch(keys: list[int]) -> list[int]:
        sizes.append(len(keys))
        return keys

    size: Any = 2.5
    try:
        loader = DataLoader[int, int](fetch, max_batch_size=size)
    except errors.ConfigurationError:
        return
    loader.get_many(range(10))
    assert max(sizes) <= 3


def test_limits_that_mean_no_limit_or_one() -> None:
    batches: list[list[int]] = []

    def fetch(keys: list[int]) -> list[int]:
        batches.append(keys)
        return keys

    assert DataLoader[int, int](fetch, max_batch_size=None).get_many([1, 2]) == [1, 2]
    assert DataLoader[int, int](fetch, max_batch_size=1).get_many([1, 2]) == [1, 2]
    assert batches == [[1, 2], [1], [2]]


# -- calls in the wrong place


def test_load_outside_an_event_loop_names_get() -> None:
    loader = DataLoader[int, int](double, name="prices")
    for call in (lambda: loader.load(1), lambda: loader.load_many([1])):
        with pytest.raises(errors.NoEventLoopError) as raised:
            call()
        says(raised.value, "prices.load", "none runs in this thread", "Use get or get_many")
        assert isinstance(raised.value, RuntimeError)
    assert loader.get(1) == 2


async def test_a_closed_loader_refuses_lookups_and_answers_who_waits() -> None:
    release = asyncio.Event()

    async def fetch(keys: list[int]) -> list[int]:
        await release.wait()
        return double(keys)

    loader = DataLoader[int, int](fetch, name="prices").prime(5, 5)
    waiting = loader.load(1)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    loader.close()
    for call in (loader.load, lambda key: loader.load_many([key])):
        for key in (1, 2, 5):
            with pytest.raises(errors.ScopeClosedError) as raised:
                call(key)
            says(raised.value, "prices", "closed", "current()")
    release.set()
    assert await asyncio.wait_for(waiting, SECONDS) == 2
    assert loader.size() == 0
    assert loader.prime(1, 1).size() == 0


def test_a_closed_loader_refuses_get() -> None:
    loader = DataLoader[int, int](double, name="prices").prime(5, 5)
    loader.close()
    for key in (1, 5):
        with pytest.raises(errors.ScopeClosedError, match="prices"):
            loader.get(key)
        with pytest.raises(errors.ScopeClosedError, match="prices"):
            loader.get_many([key])


async def test_a_loader_that_is_closed_while_it_collects_refuses_what_comes_after() -> None:
    loader = DataLoader[int, int](double)
    waiting = loader.load(1)
    loader.close()
    with pytest.raises(errors.ScopeClosedError):
        loader.load(2)
    with pytest.raises(errors.ScopeClosedError):
        loader.load_many([3])
    assert await asyncio.wait_for(waiting, SECONDS) == 2


def test_every_error_of_the_project_is_one() -> None:
    found = [thing for thing in vars(errors).values() if isinstance(thing, type)]
    own = [thing for thing in found if issubclass(thing, Exception)]
    assert len(own) > 10
    assert all(issubclass(error, errors.DataLoaderError) for error in own)
