"""What a process keeps of one loader between requests, as of one version of its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cachebox import LRUCache

from dataloaders.batch import MISSING

from .flights import Flights

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from dataloaders.form import Form

    from .counts import TierCounts
    from .redis import Space


class Shelf:
    """The values of one loader while its source is of one version.

    A new version has a new shelf, so what is on a shelf is never of two, and a request that holds
    one goes on with it.

    Args:
        form: How values are kept.
        counts: What counts its use.
        space: Where Redis has what belongs on the shelf, if there is one.
        max_keys: Keys at most; those go that were not asked for the longest.
        seconds: How long a value is kept.
        absent_seconds: How long it is kept that there is none.

    Attributes:
        flights: The keys that are being fetched for it.
        entry: Returns a key's (time at which it ends, kept form), or None.
        is_good: Whether it has held anything but absences.
        drops: How often something was forgotten.
        before: The shelf to answer from while the source is empty, and until when.
    """

    __slots__ = (
        "_absent_seconds",
        "_clock",
        "_seconds",
        "_values",
        "before",
        "counts",
        "drops",
        "entry",
        "flights",
        "form",
        "is_good",
        "space",
    )

    def __init__(
        self,
        form: Form,
        counts: TierCounts,
        space: Space | None,
        *,
        max_keys: int,
        seconds: float,
        absent_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self.form = form
        self.counts = counts
        self.space = space
        self.flights = Flights()
        self.is_good = False
        self.drops = 0
        self.before: tuple[Shelf, float] | None = None
        self._seconds = seconds
        self._absent_seconds = absent_seconds
        self._clock = clock
        self._values: LRUCache[Hashable, tuple[float, Any]] = LRUCache(max_keys)
        self.entry: Callable[[Hashable], tuple[float, Any] | None] = self._values.get

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values

    def get(self, key: Hashable) -> Any:  # noqa: ANN401 - any value may be loaded
        """Returns the answer to a key, or MISSING."""
        entry = self.entry(key)
        if entry is None or entry[0] < self._clock():
            return MISSING
        return self.form.from_kept(entry[1])

    def put(self, answers: Mapping[Any, Any]) -> None:
        """Keeps the answers to keys, and what they say of others."""
        form = self.form
        now = self._clock()
        until, absent_until = now + self._seconds, now + self._absent_seconds
        entries = {}
        for key, answer in answers.items():
            for each, its_answer in form.whole(key, answer):
                nothing = form.is_nothing(its_answer)
                self.is_good = self.is_good or not nothing
                ends = absent_until if nothing else until
                entries[each] = (ends, form.to_kept(its_answer))
        self._values.update(entries)

    def drop(self, key: Hashable) -> None:
        """Forgets a key, and the answer to it that is under way."""
        self.drops += 1
        self.flights.forget(key)
        self._values.pop(key, None)
        if self.space is not None:
            self.space.drop([key])

    def clear(self) -> None:
        """Forgets all keys, in this process, and the answers that are under way."""
        self.drops += 1
        self.flights = Flights()
        self._values.clear()
