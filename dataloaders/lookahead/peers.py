"""Peers: the keys that the loop around a lookup is about to ask for."""

from __future__ import annotations

import sys
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from .frames import (
    first_frame_outside,
    frame_at,
    global_containers,
    is_function,
    is_in_worker,
    readable_frames,
    site_of,
    variables_of,
)
from .loops import is_in_loop, iterated
from .origins import Origin, Root
from .search import Search
from .sites import Site, Trial, site_for
from .threads import other_stacks
from .transforms import IDENTITY, equal, fitting, may_become

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator
    from types import FrameType

    from .ledger import Ledger

MAX_PEERS: Final = 1_000
"""Keys that one lookup brings along, at most."""

GLANCE: Final = 6
"""Frames that are looked at for a lookup that may well be a single one."""

MAX_HANDED_OVER: Final = 8
"""Items of a tuple that a worker was handed, among which its row may be."""


class Asker(Protocol):
    """What look-ahead needs of a loader."""

    ledger: Ledger
    missed_at: set[Site]
    shared: ClassVar[bool]

    def ahead_keys(
        self,
        key: Any,  # noqa: ANN401 - a key is whatever the application uses
        siblings: list[tuple[Any, ...]],
        site: Site,
    ) -> dict[Hashable, Any]:
        """Returns the siblings' keys that are not known yet, by cache key."""

    def is_under_way(self, key: Any) -> bool:  # noqa: ANN401 - a key is whatever the application uses
        """Whether a batch under way will have the answer to a key."""


def peers_of(loader: Asker, key: Any) -> dict[Hashable, Any]:  # noqa: ANN401 - a key is whatever the application uses
    """Returns the keys that should go along with one that is missing, by cache key."""
    start = first_frame_outside(sys._getframe(1))  # noqa: SLF001 - the way to one's callers
    if start is None:
        return {}
    site = site_for((type(loader), site_of(start)))
    if site.rests():
        return {}
    parts = tuple(key) if isinstance(key, tuple) else (key,)
    asking = _Asking(loader, key, parts, site, start)
    found = asking.by_learned_origins() or asking.by_learned_fields()
    if not found and _is_weak(parts[0]):
        # There may be any number of them, in any variable, and each with another rest.
        found = loader.ahead_keys(key, [parts], site)
    elif not found:
        # A single lookup is not worth more than a glance.
        thoroughly = site in loader.missed_at or asking.is_one_of_many()
        found = asking.by_search(thoroughly=thoroughly) or asking.by_what_went_wrong()
        # Another thread may have found the same ones in the meantime, and this key among them.
        if not found and not loader.is_under_way(key):
            site.failed()
    loader.missed_at.add(site)
    return found


def _is_weak(part: object) -> bool:
    return part is None or part == "" or type(part) is bool


class _Asking:
    """One lookup that looks around."""

    def __init__(
        self, loader: Asker, key: object, parts: tuple[Any, ...], site: Site, start: FrameType
    ) -> None:
        self._loader = loader
        self._key = key
        self._parts = parts
        self._site = site
        self._start = start

    def is_one_of_many(self) -> bool:
        """Whether the lookup stands in a loop, or a worker makes it."""
        return is_in_worker(self._start) or any(
            is_in_loop(frame) for _, frame in readable_frames(self._start)
        )

    def by_learned_origins(self) -> dict[Hashable, Any]:
        """Returns what the origins lead to that were found here before."""
        found: dict[Hashable, Any] = {}
        for origin in self._site.origins:
            for value in self._values_at(origin.root):
                siblings = origin.siblings(value, self._parts)
                if any(equal(sibling[0], self._parts[0]) for sibling in siblings):
                    found |= self._loader.ahead_keys(self._key, siblings, self._site)
        return found

    def by_learned_fields(self) -> dict[Hashable, Any]:
        """Returns peers by a field that was right, if something else is made of it this time."""
        part = self._parts[0]
        ids = self._ids() if self._site.origins else set()
        for origin in self._site.origins:
            for value in self._values_at(origin.root):
                for field in origin.first_fields(value, ids):
                    if not may_become(field, part):
                        continue
                    better = origin.with_more(fitting(field, part))
                    siblings = better.siblings(value, self._parts) if better else []
                    found = self._loader.ahead_keys(self._key, siblings, self._site)
                    if found and better is not None:
                        self._site.corrected(origin, better)
                        return found
        return {}

    def by_what_went_wrong(self) -> dict[Hashable, Any]:
        """Returns peers by an origin that was right but for what the loop makes of its rows.

        A loop that changes each row before it asks leaves nothing to see of how: its row has the
        key, its siblings have what keys are still to be made of. Their fields were asked for in
        vain, and one of them has by now become this key.
        """
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
                for value in self._values_at(origin.root):
                    siblings = corrected.siblings(value, self._parts)
                    found = self._loader.ahead_keys(self._key, siblings, self._site)
                    if found:
                        self._site.corrected(origin, corrected)
                        return found
        return {}

    def by_search(self, *, thoroughly: bool) -> dict[Hashable, Any]:
        """Returns what a search in the callers' frames leads to.

        Args:
            thoroughly: Whether it may take its time: the place is in a loop.
        """
        frames = readable_frames(self._start)
        if not thoroughly:
            # A module's variables are many, and seldom a loop's.
            frames = (
                (height, frame)
                for height, frame in islice(frames, GLANCE)
                if height == 0 or is_function(frame)
            )
            search = Search(self._key, self._parts, map(_variables_in, frames))
            likely = chain(search.exact(), search.transformed(), search.composed())
            return self._first(search, likely)
        search = Search(self._key, self._parts, self._layers(), held=self._handed_over())
        found = self._first(search, search.origins())
        if found or self._loader.shared or not is_in_worker(self._start):
            return found
        # Equal texts may well be another request's; one and the same row is not.
        elsewhere = Search(
            self._key, self._parts, self._other_threads(), held=search.variables
        )
        return self._first(elsewhere, elsewhere.of_held_rows())

    def _layers(self) -> Iterator[list[tuple[Root, Any]]]:
        """Yields all that a search may start from: variables, what loops go over, globals."""
        yield from map(_variables_in, readable_frames(self._start))
        if self._loader.shared and is_in_worker(self._start):
            yield from self._other_threads()
        yield [(Root("loop", number), each) for number, each in enumerate(iterated(self._ids()))]
        for height, frame in readable_frames(self._start):
            yield [
                (Root("global", height, name), value)
                for name, value in global_containers(frame).items()
            ]

    def _other_threads(self) -> Iterator[list[tuple[Root, Any]]]:
        """Yields the variables of those that may have handed a row over to this thread."""
        for stack in other_stacks(self._start):
            for number, frame in readable_frames(stack):
                variables = variables_of(frame, own_thread=False)
                yield [(Root("thread", number, name), value) for name, value in variables.items()]

    def _handed_over(self) -> list[Any]:
        """Returns what is in the tuples that a worker was given: its arguments, a pair of a row."""
        if not is_in_worker(self._start):
            return []
        return [
            item
            for _, frame in readable_frames(self._start)
            for value in variables_of(frame).values()
            if type(value) is tuple
            for item in value[:MAX_HANDED_OVER]
        ]

    def _first(self, search: Search, origins: Iterable[Origin]) -> dict[Hashable, Any]:
        """Returns the peers by the first origin that has any."""
        for origin in origins:
            value = search.value_of(origin.root)
            siblings = origin.siblings(value, self._parts)
            found = self._loader.ahead_keys(self._key, siblings, self._site)
            if not found:
                continue
            self._site.learned(origin)
            for other in origin.on_trial(siblings, self._parts[0]):
                found |= self._loader.ahead_keys(
                    self._key, other.siblings(value, self._parts), Trial(self._site, other)
                )
            return found
        return {}

    def _values_at(self, root: Root) -> Iterable[Any]:
        """Returns what a root stands for here and now."""
        if root.kind == "loop":
            return list(iterated(self._ids()))
        if root.kind == "thread":
            return ()
        frame = frame_at(self._start, root.height)
        if frame is None:
            return ()
        names = variables_of(frame) if root.kind == "local" else frame.f_globals
        return (names[root.name],) if root.name in names else ()

    def _ids(self) -> set[int]:
        return {
            id(value)
            for _, frame in readable_frames(self._start)
            for value in variables_of(frame).values()
        }


def _variables_in(frame: tuple[int, FrameType]) -> list[tuple[Root, Any]]:
    height, here = frame
    return [(Root("local", height, name), value) for name, value in variables_of(here).items()]
