"""Batches of one key, one after another from the same place: what should have been one batch."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from dataloaders.lookahead.paths import plain_fields
from dataloaders.lookahead.transforms import equal

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from .batches import BatchRecord
    from .places import Caller

LEAST: Final = 3
"""How many such batches are one too many: look-ahead may need two to learn what a loop does."""

_RECENT: Final = 4  # answers that a key may follow from


class Repeats:
    """Such batches of one scope, by loader and place, but for those that could not be one.

    A batch of one key could not have gone together with the one before if it was asked for while
    that was under way (by another thread or task, then), if its key was asked for already and was
    cleared since, or if its key follows from an answer that somebody had just got.
    """

    def __init__(self) -> None:
        self._places: dict[tuple[str, Caller], _Place] = {}
        self._recent: deque[tuple[Any, Any]] = deque(maxlen=_RECENT)

    def add(self, sent: BatchRecord, cache_key: Hashable, key: Any, answer: Any) -> None:  # noqa: ANN401 - any key and value
        """Takes note of a batch of one key that has its answer."""
        if sent.caller is None or sent.ended_at is None:
            return
        place = self._places.setdefault((sent.loader, sent.caller), _Place())
        follows = any(_follows(key, *recent) for recent in list(self._recent))
        if sent.opened >= place.ended and cache_key not in place.known and not follows:
            place.batches.append(sent)
            place.known.add(cache_key)
        place.ended = sent.ended_at
        self._recent.append((key, answer))

    def of(self, loader: str, caller: Caller) -> list[BatchRecord]:
        """Returns those of one loader and place, in their order."""
        place = self._places.get((loader, caller))
        return [] if place is None else place.batches

    def too_many(self) -> Iterator[list[BatchRecord]]:
        """Yields those of each place that are too many."""
        for place in list(self._places.values()):
            if len(place.batches) >= LEAST:
                yield place.batches

    def forget_answers(self) -> None:
        """Lets go of keys and values."""
        self._recent.clear()
        for place in self._places.values():
            place.known.clear()


class _Place:
    __slots__ = ("batches", "ended", "known")

    def __init__(self) -> None:
        self.batches: list[BatchRecord] = []
        self.known: set[Hashable] = set()
        self.ended = 0.0


def _follows(key: Any, before: Any, answer: Any) -> bool:  # noqa: ANN401 - any keys and value
    """Whether what is new in a key, compared with another, is in the answer to that."""
    if answer is None:
        return False
    known = before if isinstance(before, tuple) else (before,)
    parts = key if isinstance(key, tuple) else (key,)
    new = [part for part in parts if not any(equal(part, other) for other in known)]
    fields = [value for _, value in plain_fields(answer)]
    return bool(new) and all(any(equal(part, value) for value in fields) for part in new)
