"""What a remote source's line costs a caller who is alone in it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from dataloaders.remote import Rate, RemoteLoader, RemoteSource

from .measure import ADDED, compare, repeated

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from .measure import Result

CALLS = 50
LIMIT = 1_000_000  # nanoseconds
CALL_SECONDS = 0.002  # what a fast broker takes to answer


class Broker(RemoteSource):
    """Answers after a while; its limits are never reached."""

    max_batch_size = 500
    rates = (Rate(1_000_000, 1.0),)

    def fetch(self, keys: list[Any], account: Hashable) -> dict[Any, Any]:  # noqa: ARG002 - a source's
        """Makes the call."""
        return call(keys)


class QuoteLoader(RemoteLoader[int, int]):
    """Asks for one key at a time."""

    source = Broker()
    shared = True


def call(keys: list[Any]) -> dict[Any, Any]:
    """Waits for the network, as a call does."""
    time.sleep(CALL_SECONDS)
    return dict.fromkeys(keys, 1)


def results(rounds: int) -> Iterator[Result]:
    """Yields the comparisons."""

    def get() -> object:
        return QuoteLoader().get(1)

    def load() -> float:
        async def each() -> float:
            begin = time.perf_counter()
            for _ in range(CALLS):
                await QuoteLoader().load(1)
            return time.perf_counter() - begin

        return asyncio.run(each())

    for title, ours in (
        ("`get` of a remote source by a caller who is alone", repeated(get, CALLS)),
        ("`load` of a remote source by a caller who is alone", load),
    ):
        yield compare(
            title,
            ours,
            repeated(lambda: call([1]), CALLS),
            against="the call itself, of 2 ms",
            units=CALLS,
            unit="call",
            rounds=rounds,
            wanted=LIMIT,
            of=ADDED,
        )
