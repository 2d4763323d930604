# ruff: noqa: PERF401, UP028 - the loops are what is tested
"""Whether a call stands in a loop is told by the code alone, on every Python."""

from __future__ import annotations

import asyncio
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from dataloaders.lookahead.loops import _stands_in_loop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

EXACT_FROM = (3, 12)
before_312 = sys.version_info < EXACT_FROM


def broken(reason: str, *, on: bool = True) -> pytest.MarkDecorator:
    """Marks what is not right yet, on some Pythons."""
    return pytest.mark.xfail(on, strict=True, reason=reason)


def here(*_: object) -> bool:
    """Whether whoever calls stands in a loop."""
    return _stands_in_loop(sys._getframe(1))  # what `is_in_loop` remembers, found anew


def note(found: list[bool], answer: bool) -> bool:  # noqa: FBT001 - what is noted
    found.append(answer)
    return not found


async def nothing() -> None:
    await asyncio.sleep(0)


async def several() -> AsyncIterator[int]:
    for number in range(3):
        yield number


class Entered:
    async def __aenter__(self) -> None:
        await nothing()

    async def __aexit__(self, *_: object) -> None:
        await nothing()


# -- in a loop


def in_a_for() -> Iterator[bool]:
    for _ in range(2):
        yield here()


def in_a_while() -> Iterator[bool]:
    left = 2
    while left:
        left -= 1
        yield here()


def in_a_while_true() -> Iterator[bool]:
    left = 2
    while True:
        yield here()
        left -= 1
        if not left:
            return


def in_nested_loops() -> Iterator[bool]:
    for _ in range(2):
        yield here()
        for _ in range(2):
            yield here()
        yield here()


def in_the_iterable_of_an_inner_loop() -> Iterator[bool]:
    for _ in range(2):
        for inner in [here()]:
            yield inner


def in_comprehensions() -> Iterator[bool]:
    yield from [here() for _ in range(2)]
    yield from {number: here() for number in range(2)}.values()
    yield from {here() for _ in range(2)}
    yield from (here() for _ in range(2))


def in_the_condition_of_a_comprehension() -> Iterator[bool]:
    found: list[bool] = []
    assert [number for number in range(2) if not note(found, here())]
    yield from found


def in_a_try() -> Iterator[bool]:
    for number in range(3):
        try:
            yield here()
            divmod(1, number)
        except ZeroDivisionError:
            str(number)
        else:
            yield here()
        finally:
            yield here()


def in_an_except_with_a_finally() -> Iterator[bool]:
    for number in range(2):
        try:
            divmod(1, number)
        except ZeroDivisionError:
            yield here()
        finally:
            str(number)


def in_an_except_that_goes_on() -> Iterator[bool]:
    for number in range(2):
        try:
            divmod(1, number)
        except ZeroDivisionError:
            yield here()
            continue


def in_a_with() -> Iterator[bool]:
    for _ in range(2):
        with nullcontext():
            yield here()


def before_a_continue() -> Iterator[bool]:
    for number in range(3):
        if number:
            yield here()
            continue
        yield here()


def in_a_match() -> Iterator[bool]:
    for number in range(3):
        match number:
            case 0:
                yield here()
            case _:
                yield here()


# -- not in a loop


def straight() -> Iterator[bool]:
    yield here()


def before_a_loop() -> Iterator[bool]:
    yield here()
    for _ in range(2):
        pass


def right_before_an_endless_loop() -> Iterator[bool]:
    arguments = (1,)
    found = here(*arguments)
    while True:
        yield found
        break


def after_a_for() -> Iterator[bool]:
    for _ in range(2):
        pass
    yield here()


def after_a_while() -> Iterator[bool]:
    left = 2
    while left:
        left -= 1
    yield here()


def after_nested_loops() -> Iterator[bool]:
    for _ in range(2):
        for _ in range(2):
            pass
    yield here()


def between_loops() -> Iterator[bool]:
    for _ in range(2):
        pass
    yield here()
    for _ in range(2):
        pass


def in_the_iterable() -> Iterator[bool]:
    for each in [here()]:
        yield each


def in_the_else_of_a_loop() -> Iterator[bool]:
    for _ in range(2):
        pass
    else:  # noqa: PLW0120 - it is what is tested
        yield here()


def after_a_comprehension() -> Iterator[bool]:
    assert [number for number in range(3) if number]
    yield here()


def after_a_loop_with_finally() -> Iterator[bool]:
    for number in range(2):
        try:
            assert number >= 0
        finally:
            str(number)
    yield here()


def after_a_loop_with_except() -> Iterator[bool]:
    for number in range(2):
        try:
            divmod(1, number)
        except ZeroDivisionError:
            continue
    yield here()


def after_a_loop_with_with() -> Iterator[bool]:
    for number in range(2):
        with nullcontext():
            str(number)
    yield here()


handlers = broken(
    "handlers of a loop stand behind all that follows it, and jump back", on=not before_312
)
IN_LOOPS = [
    in_a_for,
    in_a_while,
    in_a_while_true,
    in_nested_loops,
    in_the_iterable_of_an_inner_loop,
    in_comprehensions,
    in_the_condition_of_a_comprehension,
    in_a_try,
    pytest.param(
        in_an_except_with_a_finally,
        marks=broken(
            "from Python 3.13 on a handler may go on by a jump without interrupt",
            on=sys.version_info >= (3, 13),
        ),
    ),
    in_an_except_that_goes_on,
    in_a_with,
    before_a_continue,
    in_a_match,
]
STRAIGHT = [
    straight,
    before_a_loop,
    right_before_an_endless_loop,
    after_a_for,
    after_a_while,
    after_nested_loops,
    between_loops,
    in_the_iterable,
    in_the_else_of_a_loop,
    after_a_comprehension,
    after_a_loop_with_finally,
    pytest.param(after_a_loop_with_except, marks=handlers),
    pytest.param(after_a_loop_with_with, marks=handlers),
]


@pytest.mark.parametrize("code", IN_LOOPS)
def test_in_a_loop(code: Callable[[], Iterator[bool]]) -> None:
    assert set(code()) == {True}


@pytest.mark.parametrize("code", STRAIGHT)
def test_not_in_a_loop(code: Callable[[], Iterator[bool]]) -> None:
    assert set(code()) == {False}


# -- on an event loop


async def in_an_async_for() -> list[bool]:
    return_value = []
    async for _ in several():
        return_value.append(here())
    return return_value


async def in_an_async_comprehension() -> list[bool]:
    return [here() async for _ in several()]


async def beside_an_await_in_a_loop() -> list[bool]:
    found = []
    for _ in range(2):
        await nothing()
        found.append(here())
        await nothing()
    return found


async def before_an_await() -> list[bool]:
    found = here()
    await nothing()
    return [found]


async def after_an_await() -> list[bool]:
    await nothing()
    return [here()]


async def within_an_await() -> list[bool]:
    async def passed_on(found: bool) -> bool:  # noqa: FBT001 - what is awaited
        return found

    return [await passed_on(here())]


async def in_an_async_with() -> list[bool]:
    async with Entered():
        return [here()]


async def after_an_async_with() -> list[bool]:
    async with Entered():
        pass
    return [here()]


async def after_an_async_for() -> list[bool]:
    async for _ in several():
        pass
    return [here()]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (in_an_async_for, True),
        (in_an_async_comprehension, True),
        (beside_an_await_in_a_loop, True),
        (before_an_await, False),
        (after_an_await, False),
        (within_an_await, False),
        (in_an_async_with, False),
        (after_an_async_with, False),
        (after_an_async_for, False),
    ],
)
def test_on_an_event_loop(code: Any, expected: bool) -> None:  # noqa: ANN401, FBT001 - coroutines
    assert set(asyncio.run(code())) == {expected}


# -- long code


def long_code(before: int, after: int, *, asks: str) -> bool:
    """Runs a loop with many lines; the question stands in it, ahead of it or behind."""
    lines = {
        "before": " found = here()\n",
        "in": "",
        "after": "",
    }[asks] + " for _ in [1]:\n"
    lines += "  x = 1 + _; _ + x\n" * before
    lines += "  found = here()\n" if asks == "in" else "  _\n"
    lines += "  x = 1 + _; _ + x\n" * after
    lines += " found = here()\n" if asks == "after" else ""
    names: dict[str, Any] = {"here": here}
    exec(f"def run():\n{lines} return found\n", names)  # noqa: S102 - of constants
    found: bool = names["run"]()
    return found


@pytest.mark.parametrize("after", [0, 1, 10, 15, 20, 25, 30, 40, 100, 3_000])
@pytest.mark.parametrize("before", [0, 1, 30, 1_000])
def test_long_code(before: int, after: int) -> None:
    assert long_code(before, after, asks="in")
    assert not long_code(before, after, asks="before")
    assert not long_code(before, after, asks="after")


def test_very_long_code() -> None:
    assert long_code(0, 20_000, asks="in")
