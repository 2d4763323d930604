"""What was learned of each place that asks: where its keys come from, and whether that pays."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from .origins import Origin, Root

if TYPE_CHECKING:
    from collections.abc import Hashable

MAX_SITES: Final = 4_096
"""Call sites of a process that are remembered."""

MAX_ORIGINS: Final = 4
"""Origins that are remembered of one call site: a line may be passed with rows of several kinds."""

TRIES: Final = 3
"""Searches without success after which a call site is left alone."""

REST: Final = 64
"""Lookups without a search until it is tried once more, at most; at first they are fewer."""

_FIRST_REST: Final = 8
_MOST: Final = 1.25  # all but one in five
_WASTEFUL_AFTER: Final = 500  # keys
_LEAST_SHARE: Final = 20  # one key in so many has to be used


class Site:
    """One place in the program that asks one kind of loader.

    Only names, numbers and pieces of text are kept, no object of the application.

    Attributes:
        origins: Where its keys came from.
        whole_keys: Whether the parts that were read beside the first have been right so far.
        expected: Keys that were asked for because of it.
        used: Those of them that somebody asked for afterwards.
    """

    __slots__ = ("_failures", "_resting", "expected", "origins", "used", "whole_keys")

    def __init__(self) -> None:
        self.origins: tuple[Origin, ...] = ()
        self.whole_keys = True
        self.expected = 0
        self.used = 0
        self._failures = 0
        self._resting = 0

    def rests(self) -> bool:
        """Whether it is left alone this time."""
        if self._resting:
            self._resting -= 1
            return True
        if self.expected > _WASTEFUL_AFTER and self.used * _LEAST_SHARE < self.expected:
            self.expected = self.used = 0
            self._resting = REST
            return True
        return False

    @property
    def has_failed(self) -> bool:
        """Whether the last search found nothing."""
        return self._failures > 0

    def failed(self) -> None:
        """Takes note of a search that found nothing."""
        self._failures += 1
        if self._failures >= TRIES:
            self._resting = min(REST, _FIRST_REST << (self._failures - TRIES))

    def was_used(self, count: int = 1, *, as_read: bool = True) -> None:
        """Takes note that somebody has asked for keys that went along.

        Args:
            count: How many.
            as_read: Whether the parts beside the first were those that had been read.
        """
        self.used += count
        if not as_read:
            self.whole_keys = False

    def learned(self, origin: Origin) -> None:
        """Takes note of an origin that has led to rows."""
        self._failures = 0
        if origin.root.kind == "loop":
            origin = replace(origin, root=Root("loop"))
        # The stacks of other threads are never the same.
        if origin.root.kind == "thread" or origin in self.origins:
            return
        for known in self.origins:
            merged = known.merged_with(origin)
            if merged is not None:
                self.corrected(known, merged)
                return
        self.origins = (*self.origins[-(MAX_ORIGINS - 1) :], origin)

    def corrected(self, origin: Origin, better: Origin) -> None:
        """Takes note that of an origin another one holds."""
        self._failures = 0
        self.origins = tuple(better if each is origin else each for each in self.origins)

    @property
    def is_exact(self) -> bool:
        """Whether whole keys may be asked for: what was read beside the first part was right."""
        return self.whole_keys and self.used * _MOST >= self.expected > 0


class Trial(Site):
    """Keys that are asked for in case, and what is learned of their site if one of them is used.

    Args:
        site: The place that asks.
        origin: Where it has its keys from, with the transformation that is tried.
    """

    __slots__ = ("_origin", "_site")

    def __init__(self, site: Site, origin: Origin) -> None:
        super().__init__()
        self._site = site
        self._origin = origin

    def was_used(self, count: int = 1, *, as_read: bool = True) -> None:
        """Takes note that the transformation was right for some row."""
        super().was_used(count, as_read=as_read)
        self._site.learned(self._origin)


_sites: dict[Hashable, Site] = {}


def site_for(place: Hashable) -> Site:
    """Returns what is known of a place."""
    site = _sites.get(place)
    if site is None:
        if len(_sites) >= MAX_SITES:
            _sites.clear()  # rarer than any bookkeeping would be worth
        site = _sites.setdefault(place, Site())
    return site


def forget_sites() -> None:
    """Forgets all that was learned in this process."""
    _sites.clear()
