"""Which keys look-ahead has asked for, and which of them were of use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator
    from collections.abc import Set as AbstractSet

    from .origins import Origin
    from .sites import Site


class Ledger:
    """The keys that went along, who is to be told that they were used, and which were."""

    __slots__ = ("_expected", "_origins", "_used")

    def __init__(self) -> None:
        # Single operations on them are atomic, so threads need no lock.
        self._expected: dict[Hashable, tuple[Site | None, Any]] = {}
        self._used: set[Hashable] = set()
        self._origins: list[tuple[Origin | str | None, int]] = []

    def expect(
        self,
        cache_keys: Iterable[Hashable],
        site: Site | None = None,
        origin: Origin | str | None = None,
    ) -> None:
        """Takes note of whole keys that go along.

        Args:
            cache_keys: The keys.
            site: Who is to be told that they were of use.
            origin: What they are known by.
        """
        before = len(self._expected)
        for cache_key in cache_keys:
            if cache_key not in self._expected:
                self._expected[cache_key] = (site, None)
                if site is not None:
                    site.expected += 1
        self._note(origin, before)

    def expect_prefixes(
        self, as_read: dict[Hashable, Any], site: Site, origin: Origin | None
    ) -> None:
        """Takes note of keys without their last parts, and of those parts as they were read."""
        before = len(self._expected)
        for prefix, rest in as_read.items():
            if prefix not in self._expected:
                self._expected[prefix] = (site, rest)
                site.expected += 1
        self._note(origin, before)

    def _note(self, origin: Origin | str | None, before: int) -> None:
        count = len(self._expected) - before
        if count > 0:  # another thread may have let go of some
            self._origins.append((origin, count))

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

    def take_origins(self) -> list[tuple[Origin | str | None, int]]:
        """Returns what keys were known by, each time and for how many, since it was asked last."""
        taken, self._origins = self._origins, []
        return taken

    def went_along(self, cache_keys: AbstractSet[Hashable]) -> int:
        """Returns how many of some keys went along."""
        return len(self._expected.keys() & cache_keys)

    @property
    def expected(self) -> int:
        """How many keys went along."""
        return len(self._expected)

    @property
    def used(self) -> int:
        """How many of them were asked for since."""
        return len(self._used)
