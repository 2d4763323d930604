"""Which keys look-ahead has asked for, and which of them were of use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    from .sites import Site


@dataclass(frozen=True, slots=True)
class Stats:
    """What look-ahead did for one loader so far.

    Attributes:
        expected: Keys that went along with others, because they were announced or seen.
        used: Those of them that somebody has asked for since.
        wasted: The others.
    """

    expected: int
    used: int

    @property
    def wasted(self) -> int:
        """Keys that nobody has asked for, so far."""
        return self.expected - self.used


class Ledger:
    """The keys that went along, who is to be told that they were used, and which were."""

    __slots__ = ("_expected", "_used")

    def __init__(self) -> None:
        # Single operations on them are atomic, so threads need no lock.
        self._expected: dict[Hashable, tuple[Site | None, Any]] = {}
        self._used: set[Hashable] = set()

    def expect(self, cache_keys: Iterable[Hashable], site: Site | None = None) -> None:
        """Takes note of whole keys that go along."""
        for cache_key in cache_keys:
            if cache_key not in self._expected:
                self._expected[cache_key] = (site, None)
                if site is not None:
                    site.expected += 1

    def expect_prefixes(self, as_read: dict[Hashable, Any], site: Site) -> None:
        """Takes note of keys without their last parts, and of those parts as they were read."""
        for prefix, rest in as_read.items():
            if prefix not in self._expected:
                self._expected[prefix] = (site, rest)
                site.expected += 1

    def use(self, cache_keys: list[Hashable]) -> None:
        """Takes note that whole keys were asked for; empties the list."""
        asked = cache_keys.copy()
        del cache_keys[: len(asked)]  # another thread may be adding to it
        expected = self._expected
        used = self._used
        of_sites: dict[Site, int] = {}
        for cache_key in set(asked).difference(used):
            entry = expected.get(cache_key)
            if entry is not None:
                used.add(cache_key)
                site = entry[0]
                if site is not None:
                    of_sites[site] = of_sites.get(site, 0) + 1
            elif type(cache_key) is tuple:
                self.use_prefix(cache_key[:1], cache_key[1:])
        for site, count in of_sites.items():
            site.was_used(count)

    def use_prefix(self, prefix: Hashable, rest: tuple[Any, ...]) -> None:
        """Takes note that a key was asked for, with these last parts."""
        entry = self._expected.get(prefix)
        if entry is not None and prefix not in self._used:
            self._used.add(prefix)
            site, as_read = entry
            if site is not None:
                site.was_used(as_read=as_read == rest)

    def unused(self, site: Site) -> Iterator[Any]:
        """Yields the first parts of keys that went along because of a site, to no use so far."""
        for cache_key, (because_of, _) in list(self._expected.items()):
            if because_of is site and cache_key not in self._used:
                yield cache_key[0] if type(cache_key) is tuple else cache_key

    def was_used(self, cache_key: Hashable) -> bool:
        """Whether a key that went along was asked for."""
        return cache_key in self._used

    @property
    def stats(self) -> Stats:
        """The counts so far."""
        return Stats(len(self._expected), len(self._used))
