"""Compares what batches answer with what single queries do, while the latter are believed."""

from __future__ import annotations

import logging
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from .errors import DataLoaderError, shown
from .modes import OFF, ON

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from .loader import DataLoader

logger = logging.getLogger(__name__)

KEPT: Final = 100
"""Differences that are kept, the newest ones."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A key to which a batch gave another answer than a query of its own did, twice.

    Attributes:
        loader: The loader's name.
        key: The key.
        single: What the query of its own came to: a value, or an exception.
        batched: What the batch did.
    """

    loader: str
    key: Any
    single: Any
    batched: Any

    def __str__(self) -> str:
        return (
            f"{self.loader} was asked for {shown(self.key)}: a query of its own came to "
            f"{shown(self.single)}, the batch to {shown(self.batched)}."
        )


class Differences:
    """What was found in this process.

    Threads count without a lock, so that a few of many may be missed.

    Attributes:
        compared: Keys whose two answers were compared.
        changed: Those that differed at first, and no more when the single query was repeated.
        differed: Those that went on to differ.
        newest: The newest of these.
    """

    def __init__(self) -> None:
        self.compared = 0
        self.changed = 0
        self.differed = 0
        self.newest: deque[Difference] = deque(maxlen=KEPT)

    def note(self, difference: Difference) -> None:
        """Counts, keeps and logs one."""
        self.differed += 1
        self.newest.append(difference)
        if self.differed <= KEPT:  # a log that says the same for ever is not read
            logger.warning("%s", difference)


differences = Differences()
"""Those of this process."""


class Shadow:
    """Has a loader that batches asked beside one that does not.

    Both are made when they are first needed: a subclass may give itself attributes after the
    constructor of its base class, and they are to have these as well.

    Args:
        make: Makes a loader like the one that is asked, in a mode.
    """

    def __init__(self, make: Callable[[str], DataLoader[Any, Any]]) -> None:
        self._make = make

    @cached_property
    def single(self) -> DataLoader[Any, Any]:
        """Asks for each key alone."""
        return self._make(OFF)

    @cached_property
    def batched(self) -> DataLoader[Any, Any]:
        """Batches."""
        return self._make(ON)

    def compare(self, keys: Sequence[Any], outcomes: Sequence[Any]) -> None:
        """Asks in this thread for keys whose outcomes are known, and compares.

        Args:
            keys: What the caller has asked for in one call.
            outcomes: For each a value or an exception.
        """
        batched = outcomes_of(self.batched, keys)
        for key, single, other in zip(keys, outcomes, batched, strict=True):
            differences.compared += 1
            if not _are_same(single, other):
                self._judge(key, outcomes_of(self.single, [key])[0], other)

    def answer_later(
        self, keys: Sequence[Any], future: asyncio.Future[Any], *, is_single: bool
    ) -> asyncio.Future[Any]:
        """Asks on this event loop for keys, and compares when a future has their outcomes.

        Args:
            keys: What the caller has asked for in one call.
            future: Has a value if it is a single key, a list otherwise.
            is_single: Which of the two.

        Returns:
            What the future has, when both are compared: nothing goes on for a request that is over.
        """
        loop = future.get_loop()
        answer = loop.create_future()
        other = _asked(self.batched, keys, loop)
        task = loop.create_task(self._answer(answer, keys, future, other, is_single=is_single))
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
        return answer

    async def _answer(
        self,
        answer: asyncio.Future[Any],
        keys: Sequence[Any],
        future: asyncio.Future[Any],
        other: asyncio.Future[Any],
        *,
        is_single: bool,
    ) -> None:
        try:
            await _settled(future)
            await _settled(other)
            await self._compare_settled(keys, future, other, is_single=is_single)
        finally:
            _pass_on(future, answer)

    async def _compare_settled(
        self,
        keys: Sequence[Any],
        future: asyncio.Future[Any],
        other: asyncio.Future[Any],
        *,
        is_single: bool,
    ) -> None:
        loop = future.get_loop()
        if is_single or future.exception() is None:
            outcomes = _outcomes(future, len(keys), is_single=is_single)
        else:  # one key's error, in the place of all outcomes
            outcomes = await self._single_outcomes(keys, loop)
        batched = _outcomes(other, len(keys), is_single=len(keys) == 1)
        for key, single, its in zip(keys, outcomes, batched, strict=True):
            differences.compared += 1
            if not _are_same(single, its):
                self._judge(key, (await self._single_outcomes([key], loop))[0], its)

    async def _single_outcomes(
        self, keys: Sequence[Any], loop: asyncio.AbstractEventLoop
    ) -> list[Any]:
        asked = _asked(self.single, keys, loop)
        await _settled(asked)
        return _outcomes(asked, len(keys), is_single=len(keys) == 1)

    def _judge(self, key: Any, single: Any, batched: Any) -> None:  # noqa: ANN401 - any key and outcomes
        """Compares with a second answer to the single query: the value may have changed between."""
        if _are_same(single, batched):
            differences.changed += 1
        else:
            differences.note(Difference(self.single.name, key, single, batched))


_tasks: set[asyncio.Task[None]] = set()
"""Comparisons that wait for their answers: an event loop refers to its tasks but weakly."""


def outcomes_of(loader: DataLoader[Any, Any], keys: Sequence[Any]) -> list[Any]:
    """Asks in this thread; returns a value or an exception for each key."""
    try:
        if len(keys) == 1:  # a single lookup is what looks ahead
            return [loader.get(keys[0])]
        return loader.get_many(keys, return_exceptions=True)
    except Exception as error:  # noqa: BLE001 - it is the outcome
        return [error] * len(keys)


def _asked(
    loader: DataLoader[Any, Any], keys: Sequence[Any], loop: asyncio.AbstractEventLoop
) -> asyncio.Future[Any]:
    """Asks on the running event loop; returns a future of one key's value, of a list for more."""
    future: asyncio.Future[Any]
    try:
        # At once, in the stack of who asks: it is there that look-ahead looks.
        if len(keys) == 1:
            future = loader.load(keys[0])
        else:
            future = loader.load_many(keys, return_exceptions=True)
    except Exception as error:  # noqa: BLE001 - it is the outcome
        future = loop.create_future()
        future.set_exception(error)
    # Seen, even if a loop that ends leaves nobody to see it: or asyncio would log it.
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    return future


async def _settled(future: asyncio.Future[Any]) -> None:
    """Waits for somebody else's future, which is not to be cancelled with who waits."""
    settled = future.get_loop().create_future()

    def settle(_future: object) -> None:
        if not settled.done():
            settled.set_result(None)

    future.add_done_callback(settle)
    await settled


def _pass_on(future: asyncio.Future[Any], answer: asyncio.Future[Any]) -> None:
    """Settles a caller's future as another one is; cancels it if that is not settled."""
    if answer.done():
        return
    if not future.done() or future.cancelled():  # the event loop ends
        answer.cancel()
    elif (error := future.exception()) is not None:
        answer.set_exception(error)
    else:
        answer.set_result(future.result())


def _outcomes(future: asyncio.Future[Any], count: int, *, is_single: bool) -> list[Any]:
    """Returns what a settled future has: a value or an exception for each of `count` keys."""
    error = future.exception()
    if error is not None:
        return [error] * count
    return [future.result()] if is_single else future.result()


def _are_same(one: Any, other: Any) -> bool:  # noqa: ANN401 - any outcomes
    """Compares two outcomes; whatever their own methods do, it raises nothing."""
    if type(one) is type(other) and isinstance(one, BaseException):
        # The project's own errors tell of the batch, which may well have had other keys.
        return isinstance(one, DataLoaderError) or _first_line(one) == _first_line(other)
    with suppress(Exception):
        if bool(one == other):
            return True
    return type(one) is type(other) and _are_alike(one, other)


_BY_IDENTITY: Any = object.__eq__


def _are_alike(one: Any, other: Any) -> bool:  # noqa: ANN401 - any values of one type
    """Compares two values of one type that are not equal: not all can be."""
    with suppress(Exception):
        if isinstance(one, list | tuple):
            return len(one) == len(other) and all(map(_are_same, one, other))
        if isinstance(one, dict):
            return one.keys() == other.keys() and all(_are_same(one[k], other[k]) for k in one)
        if type(one).__eq__ is _BY_IDENTITY:
            return _are_same(_attributes(one), _attributes(other))
        return repr(one) == repr(other)  # NaN equals nothing, and arrays do so item by item
    return False


def _first_line(error: Any) -> str:  # noqa: ANN401 - an exception
    """Returns what an error says first: databases go on with the statement, which is another."""
    with suppress(Exception):
        return str(error.args[0]).partition("\n")[0]
    return ""


def _attributes(value: object) -> dict[str, Any]:
    """Returns the attributes of an object, but for private ones."""
    state: Any = value.__reduce_ex__(2)[2]
    found: dict[str, Any] = {}
    for part in state if isinstance(state, tuple) else (state,):  # a dict, and one of slots
        found.update(part or {})
    return {name: found[name] for name in found if not name.startswith("_")}
