"""Counts of what loaders were asked, and of what they asked their sources in turn."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

_MILLISECONDS: Final = 1_000.0


@dataclass(slots=True)
class Stats:
    """What one loader did, or several together.

    What look-ahead did is always counted, and the rest while somebody watches. Threads count
    without a lock, so that a few of many may be missed.

    Attributes:
        lookups: Keys that callers asked for.
        asked: Those of them that a batch was sent for, but for what look-ahead had put in it.
        from_process: Those that the tier in this process had.
        from_redis: Keys of batches that Redis had.
        batches: How often the batch function was called.
        keys: The keys of those calls: what was asked for, and what went along.
        queries: How often their sources were asked: SQL statements of a batch, calls of a remote
            source (each counted for one of the batches that share it), or one call of the batch
            function where there were neither; none where tiers had all.
        seconds: What the batches took, one added to the other.
        waited: Seconds from when a batch's first key was asked for until its source was, added up.
        errors: Keys that were answered by an error.
        expected: Keys that look-ahead had go along.
        used: Those of them that somebody has asked for since.
    """

    lookups: int = 0
    asked: int = 0
    from_process: int = 0
    from_redis: int = 0
    batches: int = 0
    keys: int = 0
    queries: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    errors: int = 0
    expected: int = 0
    used: int = 0

    @property
    def wasted(self) -> int:
        """Keys that went along and that nobody has asked for, so far."""
        return self.expected - self.used

    @property
    def hits(self) -> int:
        """Lookups that no batch was sent for."""
        return self.lookups - self.asked

    @property
    def known(self) -> int:
        """Those of them whose value the loader had already, or was to get for another caller."""
        return max(self.hits - self.used - self.from_process, 0)

    @property
    def hit_rate(self) -> float:
        """The share of those among all lookups, from 0 to 1; 0 without any."""
        return self.hits / self.lookups if self.lookups else 0.0

    @property
    def saved(self) -> int:
        """How many queries fewer there were than lookups, each of which would have been one."""
        return self.lookups - self.queries

    @property
    def milliseconds(self) -> float:
        """What a query took on average, in milliseconds; 0 without any."""
        return self.seconds * _MILLISECONDS / self.queries if self.queries else 0.0

    def add(self, other: Self) -> Self:
        """Adds another one's counts to these."""
        for name in _NAMES:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    def without(self, other: Self) -> Self:
        """Takes another one's counts from these."""
        for name in _NAMES:
            setattr(self, name, getattr(self, name) - getattr(other, name))
        return self

    @classmethod
    def sum_of(cls, several: Iterable[Self]) -> Self:
        """Returns the counts of several together."""
        total = cls()
        for each in several:
            total.add(each)
        return total

    def copy(self) -> Self:
        """Returns the counts as they are now."""
        return type(self)().add(self)

    def __str__(self) -> str:
        return (
            f"{self.lookups} lookups in {self.queries} queries ({self.saved} saved), "
            f"{self.hit_rate:.0%} known, {self.milliseconds:.2f} ms a query"
        )


_NAMES: Final = tuple(field.name for field in fields(Stats))
