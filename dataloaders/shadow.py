"""Compares what batches answer with what single queries do, while the latter are believed."""

from __future__ import annotations

import logging
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from .errors import shown

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Sequence

    from .loader import DataLoader

    Settled = Future[Any]

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

    Args:
        single: Asks for each key alone.
        batched: Batches.
    """

    def __init__(self, single: DataLoader[Any, Any], batched: DataLoader[Any, Any]) -> None:
        self.single = single
        self.batched = batched

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
                # It may have changed between the two.
                self._judge(key, outcomes_of(self.single, [key])[0], other)

    def compare_later(self, keys: Sequence[Any], future: Settled, *, is_single: bool) -> None:
        """Asks on this event loop for keys, and compares when a future has their outcomes.

        Args:
            keys: What the caller has asked for in one call.
            future: Has a value if it is a single key, a list otherwise.
            is_single: Which of the two.
        """
        try:
            other: Settled = self.batched.load(keys[0]) if is_single else self._loaded(keys)
        except Exception as error:  # noqa: BLE001 - it must not be the caller's
            logger.warning("No batch can be asked beside %s: %s", self.single.name, error)
            return
        waiting = [future, other]

        def settled(one: Settled) -> None:
            waiting.remove(one)
            if not waiting and not (future.cancelled() or other.cancelled()):
                self._compare_settled(keys, future, other, is_single=is_single)

        future.add_done_callback(settled)
        other.add_done_callback(settled)

    def _loaded(self, keys: Sequence[Any]) -> Settled:
        return self.batched.load_many(keys, return_exceptions=True)

    def _compare_settled(
        self, keys: Sequence[Any], future: Settled, other: Settled, *, is_single: bool
    ) -> None:
        batched = [_outcome(other)] if is_single else other.result()
        single = [_outcome(future)] if is_single else future.result()
        for key, own, its in zip(keys, single, batched, strict=True):
            differences.compared += 1
            if not _are_same(own, its):
                self.single.load(key).add_done_callback(partial(self._judge_later, key, its))

    def _judge_later(self, key: Any, batched: Any, again: Settled) -> None:  # noqa: ANN401 - as below
        self._judge(key, _outcome(again), batched)

    def _judge(self, key: Any, single: Any, batched: Any) -> None:  # noqa: ANN401 - any key and outcomes
        if _are_same(single, batched):
            differences.changed += 1
        else:
            differences.note(Difference(self.single.name, key, single, batched))


def outcomes_of(loader: DataLoader[Any, Any], keys: Sequence[Any]) -> list[Any]:
    """Asks in this thread; returns a value or an exception for each key."""
    try:
        if len(keys) == 1:  # a single lookup is what looks ahead
            return [loader.get(keys[0])]
        return loader.get_many(keys, return_exceptions=True)
    except Exception as error:  # noqa: BLE001 - it is the outcome
        return [error] * len(keys)


def _outcome(future: Settled) -> Any:  # noqa: ANN401 - a value, or an exception
    if future.cancelled():
        return None
    return future.exception() or future.result()


def _are_same(one: Any, other: Any) -> bool:  # noqa: ANN401 - any outcomes
    if isinstance(one, BaseException) or isinstance(other, BaseException):
        return type(one) is type(other)
    with suppress(Exception):  # a value's own __eq__ may raise anything
        if bool(one == other):
            return True
    return type(one) is type(other) and repr(one) == repr(other)  # NaN equals nothing
