"""Peers: the keys that the loop around a lookup is about to ask for."""

from __future__ import annotations

import sys
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Protocol

from .frames import first_frame_outside, site_of
from .search import Search
from .sites import Site, Trial, site_for
from .sources import record_with
from .surroundings import Request, Surroundings
from .transforms import IDENTITY, equal, fitting, may_become

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from .ledger import Ledger
    from .origins import Origin

MAX_PEERS: Final = 1_000
"""Keys that one lookup brings along, at most."""


class Asker(Request, Protocol):
    """What look-ahead needs of a loader."""

    ledger: Ledger
    missed_at: set[Site]

    def ahead_keys(
        self,
        key: Any,  # noqa: ANN401 - a key is whatever the application uses
        siblings: list[tuple[Any, ...]],
        site: Site,
        origin: Origin | None,
    ) -> dict[Hashable, Any]:
        """Returns the siblings' keys that are not known yet, by cache key."""

    def is_under_way(self, key: Any) -> bool:  # noqa: ANN401 - a key is whatever the application uses
        """Whether a batch under way will have the answer to a key."""

    def remembered(self, site: Site, cache_key: Hashable, key: Any) -> dict[Hashable, Any]:  # noqa: ANN401 - a key is whatever the application uses
        """Returns the keys that a place asked for last, and notes the one that it asks for now."""


def peers_of(
    loader: Asker,
    cache_key: Hashable,
    key: Any,  # noqa: ANN401 - a key is whatever the application uses
) -> dict[Hashable, Any]:
    """Returns the keys that should go along with one that is missing, by cache key."""
    start = first_frame_outside(sys._getframe(1))  # noqa: SLF001 - the way to one's callers
    if start is None:
        return {}
    site = site_for((type(loader), site_of(start)))
    if site.rests():
        return loader.remembered(site, cache_key, key)
    found = _Asking(loader, key, site, Surroundings(loader, start)).peers(cache_key)
    loader.missed_at.add(site)
    return found


class _Asking:
    """One lookup that looks around."""

    def __init__(self, loader: Asker, key: object, site: Site, around: Surroundings) -> None:
        self._loader = loader
        self._key = key
        self._parts = tuple(key) if isinstance(key, tuple) else (key,)
        self._site = site
        self._around = around
        self._explanation: Origin | None = None

    def peers(self, cache_key: Hashable) -> dict[Hashable, Any]:
        """Returns the keys that should go along."""
        site, loader = self._site, self._loader
        if site.origins:
            found = self._by_learned_origins() or self._by_learned_fields()
            if found:
                return found
        if _is_weak(self._parts[0]):
            # There may be any number of them, in any variable, and each with another rest.
            return loader.ahead_keys(self._key, [self._parts], site, None)
        again = site in loader.missed_at
        if self._explanation is not None and not (again or self._around.is_worker):
            return {}  # it is the only row; a worker's may be one of many that were dealt out
        found = {}
        if site.has_failed:
            found = loader.remembered(site, cache_key, self._key)
        found = found or self._by_search(again=again) or self._by_what_went_wrong()
        # Another thread may have found the same ones in the meantime, and this key among them.
        if found or loader.is_under_way(self._key):
            return found
        if self._explanation is not None and not again:
            site.learned(self._explanation)
            return {}
        site.failed()
        return loader.remembered(site, cache_key, self._key)

    def _by_learned_origins(self) -> dict[Hashable, Any]:
        """Returns what the origins lead to that were found here before."""
        found: dict[Hashable, Any] = {}
        for origin in self._site.origins:
            for value in self._around.values_at(origin.root):
                siblings = origin.siblings(value, self._parts)
                if self._explains(origin, siblings) or origin.departed:
                    found |= self._ahead(siblings, origin)
        return found

    def _by_learned_fields(self) -> dict[Hashable, Any]:
        """Returns peers by a field that was right, if something else is made of it this time."""
        part = self._parts[0]
        ids = self._around.ids()
        for origin in self._site.origins:
            for value in self._around.values_at(origin.root):
                for field in origin.first_fields(value, ids):
                    if not may_become(field, part):
                        continue
                    better = origin.with_more(fitting(field, part))
                    siblings = better.siblings(value, self._parts) if better else []
                    found = self._ahead(siblings, better)
                    if found and better is not None:
                        self._site.corrected(origin, better)
                        return found
        return {}

    def _by_search(self, *, again: bool) -> dict[Hashable, Any]:
        """Returns what a search around the lookup leads to."""
        around = self._around
        if not (again or around.is_worker):
            # A single lookup is not worth more than a glance; a worker is seldom alone.
            in_loop = around.are_a_loop()
            layers = around.nearest_in_a_loop() if in_loop else around.nearest()
            search = Search(self._key, self._parts, layers, shared=self._loader.shared)
            if not in_loop:
                return self._by_first(search, search.likely())
            return self._by_first(search, search.origins()) or self._by_records()
        held, shared = around.handed_over(), self._loader.shared
        search = Search(self._key, self._parts, around.whole(), held=held, shared=shared)
        found = self._by_first(search, search.origins()) or self._by_records()
        if found or shared or not around.is_worker:
            return found
        # Equal texts may well be another request's; one and the same row is not.
        elsewhere = Search(
            self._key,
            self._parts,
            around.other_threads(),
            held=search.rows_at_hand(),
            only_held=True,
            shared=False,
        )
        return self._by_first(elsewhere, elsewhere.of_held_rows())

    def _by_first(self, search: Search, origins: Iterable[Origin]) -> dict[Hashable, Any]:
        """Returns the peers by the first origin that has any."""
        for origin in origins:
            value = search.value_of(origin.root)
            siblings = origin.siblings(value, self._parts)
            found = self._by_origin(origin, siblings)
            if found:
                for other in origin.on_trial(siblings, self._parts[0]):
                    others = other.siblings(value, self._parts)
                    trial = Trial(self._site, other)
                    found |= self._loader.ahead_keys(self._key, others, trial, other)
                return found
        return {}

    def _by_records(self) -> dict[Hashable, Any]:
        """Returns what is in the place of the key in other records that were loaded already."""
        for root, records in self._around.records():
            origin = record_with(self._parts, root, records)
            if origin is not None:
                found = self._by_origin(origin, origin.siblings(records, self._parts))
                if found:
                    return found
        return {}

    def _by_what_went_wrong(self) -> dict[Hashable, Any]:
        """Returns peers by an origin that was right but for what the loop makes of its rows.

        A loop that changes each row before it asks leaves nothing to see of how: its row has the
        key, its siblings have what keys are still to be made of. Their fields were asked for in
        vain, and one of them has by now become this key.
        """
        if not self._site.origins:
            return {}
        part = self._parts[0]
        for field in islice(self._loader.ledger.unused(self._site), MAX_PEERS):
            if not may_become(field, part) or equal(field, part):
                continue
            transforms = fitting(field, part)
            if not transforms:
                continue
            for origin in self._site.origins:
                corrected = origin.with_transforms((IDENTITY, *transforms))
                if corrected is None:
                    continue
                for value in self._around.values_at(origin.root):
                    siblings = corrected.siblings(value, self._parts)
                    found = self._ahead(siblings, corrected)
                    if found:
                        self._site.corrected(origin, corrected)
                        return found
        return {}

    def _by_origin(self, origin: Origin, siblings: list[tuple[Any, ...]]) -> dict[Hashable, Any]:
        """Returns the siblings' keys, and has the place learn their origin if there are any."""
        found = self._ahead(siblings, origin)
        if found:
            self._site.learned(origin)
        else:
            self._explains(origin, siblings)
        return found

    def _ahead(self, siblings: list[tuple[Any, ...]], origin: Origin | None) -> dict[Hashable, Any]:
        return self._loader.ahead_keys(self._key, siblings, self._site, origin)

    def _explains(self, origin: Origin, siblings: list[tuple[Any, ...]]) -> bool:
        """Whether the key itself is among what an origin leads to, and takes note of that."""
        if not any(equal(sibling[0], self._parts[0]) for sibling in siblings):
            return False
        if self._explanation is None:
            self._explanation = origin
        return True


def _is_weak(part: object) -> bool:
    return part is None or type(part) is bool or (type(part) is str and not part)
