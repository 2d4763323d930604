"""Peers: the keys that the loop around a lookup is about to ask for."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, Protocol

from .frames import (
    first_frame_outside,
    frame_at,
    global_containers,
    readable_frames,
    site_of,
    variables_of,
)
from .search import Root, Search
from .sites import Site, site_for
from .transforms import equal

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator
    from types import FrameType

MAX_PEERS: Final = 1_000
"""Keys that one lookup brings along, at most."""


class Asker(Protocol):
    """What look-ahead needs of a loader."""

    def ahead_keys(
        self, key: Any, siblings: Iterable[tuple[Any, ...]], site: Site  # noqa: ANN401 - a key is whatever the application uses
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
    found = _by_learned_origins(loader, key, parts, site, start)
    if not found:
        found = _by_search(loader, key, parts, site, start)
    if not found:
        site.failed()
    return found


def _by_learned_origins(
    loader: Asker, key: object, parts: tuple[Any, ...], site: Site, start: FrameType
) -> dict[Hashable, Any]:
    found: dict[Hashable, Any] = {}
    for origin in site.origins:
        value = _value_at(origin.root, start)
        siblings = [] if value is None else list(origin.siblings(value))
        if any(equal(sibling[0], parts[0]) for sibling in siblings):
            found |= loader.ahead_keys(key, siblings, site)
    return found


def _value_at(root: Root, start: FrameType) -> Any:  # noqa: ANN401 - a variable holds anything
    frame = frame_at(start, root.height)
    if frame is None:
        return None
    if root.kind == "local":
        return variables_of(frame).get(root.name)
    return frame.f_globals.get(root.name)


def _by_search(
    loader: Asker, key: object, parts: tuple[Any, ...], site: Site, start: FrameType
) -> dict[Hashable, Any]:
    for roots in (_locals, _globals):
        search = Search(parts, roots(start), key)
        for origin in search.origins():
            value = _value_at(origin.root, start)
            found = loader.ahead_keys(key, origin.siblings(value), site)
            if found:
                site.learned(origin)
                return found
    return {}


def _locals(start: FrameType) -> Iterator[tuple[Root, Any]]:
    for height, frame in readable_frames(start):
        for name, value in list(variables_of(frame).items()):
            yield Root("local", height, name), value


def _globals(start: FrameType) -> Iterator[tuple[Root, Any]]:
    for height, frame in readable_frames(start):
        for name, value in global_containers(frame).items():
            yield Root("global", height, name), value
