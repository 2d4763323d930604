"""Tells who watches the batches that wait for a call what came of it."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from dataloaders.dispatch.context import running_batch

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextvars import Context

    from dataloaders.watching import BatchWatch


class CallWatch:
    """Watches one call, for the batches that want something of it.

    Args:
        source: The name of the source.
        keys: How many keys are asked for.
        contexts: Those of the batches' functions.
    """

    def __init__(self, source: str, keys: int, contexts: Iterable[Context]) -> None:
        self._source = source
        self._keys = keys
        self._watches = _watches_in(contexts)
        self._begun = perf_counter()

    def ended(self) -> None:
        """Takes note that the call has ended, before its batches are answered."""
        seconds = perf_counter() - self._begun
        for number, watch in enumerate(self._watches):
            watch.called(self._source, self._keys, seconds, is_first=number == 0)


def _watches_in(contexts: Iterable[Context]) -> list[BatchWatch]:
    watches = []
    for context in contexts:
        batch = context.get(running_batch)
        if batch is not None and batch.watch is not None and batch.watch not in watches:
            watches.append(batch.watch)
    return watches
