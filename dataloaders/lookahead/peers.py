"""Peers: the keys that the loop around a lookup is about to ask for."""

from __future__ import annotations

import sys
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Protocol

from .frames import (
    first_frame_outside,
    frame_at,
    global_containers,
    readable_frames,
    site_of,
    variables_of,
)
from .loops import is_in_loop, iterated
from .origins import Origin, Root
from .search import Search
from .sites import Site, site_for
from .transforms import equal

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator
    from types import FrameType

MAX_PEERS: Final = 1_000
"""Keys that one lookup brings along, at most."""

_LOOP: Final = Root("loop")


class Asker(Protocol):
    """What look-ahead needs of a loader."""

    def ahead_keys(
        self,
        key: Any,  # noqa: ANN401 - a key is whatever the application uses
        siblings: Iterable[tuple[Any, ...]],
        site: Site,
    ) -> dict[Hashable, Any]:
        """Returns the siblings' keys that are not known yet, by cache key."""


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
    found = asking.by_learned_origins()
    # Of what is None or empty there may be any number, in any variable.
    if not found and not _is_weak(parts[0]):
        found = asking.by_search()
        if not found:
            site.failed()
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

    def by_learned_origins(self) -> dict[Hashable, Any]:
        """Returns what the origins lead to that were found here before."""
        found: dict[Hashable, Any] = {}
        for origin in self._site.origins:
            for value in self._values_at(origin.root):
                siblings = list(origin.siblings(value))
                if any(equal(sibling[0], self._parts[0]) for sibling in siblings):
                    found |= self._loader.ahead_keys(self._key, siblings, self._site)
        return found

    def by_search(self) -> dict[Hashable, Any]:
        """Returns what a search in the callers' frames leads to."""
        frames = list(readable_frames(self._start))
        layers = [
            [(Root("local", height, name), value) for name, value in variables_of(frame).items()]
            for height, frame in frames
        ]
        search = Search(self._key, self._parts, layers)
        found = self._first(search.exact())
        if found or not any(is_in_loop(frame) for _, frame in frames):
            return found or self._first(search.transformed())
        hidden = Search(
            self._key,
            self._parts,
            [[(_LOOP, value)] for value in iterated(search.ids)],
            held=[value for layer in layers for _, value in layer],
        )
        named = Search(
            self._key,
            self._parts,
            [
                [
                    (Root("global", height, name), value)
                    for name, value in global_containers(frame).items()
                ]
                for height, frame in frames
            ],
            held=[value for layer in layers for _, value in layer],
        )
        return self._first(
            chain(
                hidden.exact(),
                named.exact(),
                search.transformed(),
                hidden.transformed(),
                named.transformed(),
                search.row_by_row(),
                hidden.row_by_row(),
            )
        )

    def _first(self, origins: Iterator[Origin]) -> dict[Hashable, Any]:
        """Returns the peers by the first origin that has any."""
        for origin in origins:
            for value in self._values_at(origin.root):
                found = self._loader.ahead_keys(self._key, origin.siblings(value), self._site)
                if found:
                    self._site.learned(origin)
                    return found
        return {}

    def _values_at(self, root: Root) -> Iterable[Any]:
        """Returns what a root stands for here and now."""
        if root.kind == "loop":
            return list(iterated(self._ids()))
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
