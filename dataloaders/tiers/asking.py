"""The way of a batch through the tiers: this process, Redis, the source.

Written as steps without I/O of its own; `dispatch.steps` runs them on a thread or an event loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from dataloaders.batch import MISSING, call, values_in_order
from dataloaders.dispatch.context import batch_watch
from dataloaders.dispatch.steps import Block, Call, Pause, Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dataloaders.dispatch.steps import Steps

    from .shelf import Shelf
    from .snapshot import Snapshot
    from .tiers import Tiers

ATTEMPTS: Final = 3
"""How often a batch is asked again because its source has changed meanwhile."""

FLIGHT_SECONDS: Final = 5.0
"""How long to wait for another thread that fetches a key, at most."""

CLAIM_SECONDS: Final = 0.25
"""How long to wait for another process that does, at most."""

FIRST_PAUSE: Final = 0.002
"""Seconds before Redis is asked for the first time whether that process has what it fetches."""


class Asker(Protocol):
    """What a batch needs to know of the loader that it belongs to."""

    name: str

    def pinned(self) -> Snapshot | None:
        """Returns the snapshot that the request goes by, if it goes by one already."""

    def pin(self, snapshot: Snapshot | None) -> None:
        """Has the request go by another snapshot, or by none; forgets what has changed in it."""

    def shelf_in(self, snapshot: Snapshot) -> Shelf:
        """Returns the loader's own shelf."""

    def bypassed(self, key: Any) -> bool:  # noqa: ANN401 - a key is whatever the application uses
        """Whether the request has cleared a key, and so wants to know what the source says now."""

    def source_is_empty(self) -> Any:  # noqa: ANN401 - a bool, or an awaitable of it
        """Returns whether the source has nothing at all just now."""


def answers(
    tiers: Tiers, asker: Asker, keys: list[Any], function: Callable[[list[Any]], Any]
) -> Steps[list[Any]]:
    """Returns an answer for each key, from the tiers as far as they have them.

    Args:
        tiers: The tiers.
        asker: The loader.
        keys: The batch.
        function: The batch function, which asks the source.
    """
    for _ in range(ATTEMPTS):
        snapshot = asker.pinned()
        if snapshot is None:
            snapshot = tiers.current()
            if snapshot is None:
                snapshot = yield from tiers.look()
            if snapshot is None:
                break
            asker.pin(snapshot)
        found = yield from _as_of(tiers, asker, snapshot, keys, function)
        if found is not None:
            return [found[key] for key in keys]
        asker.shelf_in(snapshot).counts.repeated += len(keys)
    # Nobody can say of which version the source is, or it does not stand still.
    return (yield from _from_source(asker, keys, function))


def _as_of(
    tiers: Tiers,
    asker: Asker,
    snapshot: Snapshot,
    keys: list[Any],
    function: Callable[[list[Any]], Any],
) -> Steps[dict[Any, Any] | None]:
    """Returns the answers as of a snapshot, or None if the source has a newer version by now."""
    shelf = asker.shelf_in(snapshot)
    found = {
        key: answer
        for key in keys
        if not asker.bypassed(key) and (answer := shelf.get(key)) is not MISSING
    }
    shelf.counts.hits += len(found)
    _tell("process", len(found))
    missing = [key for key in dict.fromkeys(keys) if key not in found]
    if missing and shelf.space is not None:
        wanted = [key for key in missing if not asker.bypassed(key)]
        found |= yield from _from_redis(shelf, wanted)
        found |= shelf.form.implied(found, missing)
        missing = [key for key in missing if key not in found]
    if not missing:
        return found
    flights = shelf.flights
    flight, own, others = flights.begin(missing)
    fetched: dict[Any, Any] = {}
    try:
        if own:
            answered = yield from _fetched(tiers, asker, shelf, own, function)
            if answered is None:
                return None
            found |= answered
            # An error is for those who asked, and not for who waits: they ask for themselves.
            fetched = {
                key: answer
                for key, answer in answered.items()
                if not isinstance(answer, BaseException) and flights.is_in(flight, key)
            }
    finally:
        flights.end(flight, own, fetched)
    for other, awaited in others.items():
        theirs = (yield Wait(other, FLIGHT_SECONDS)) or {}
        shelf.counts.waited += len(awaited)
        left = [key for key in awaited if key not in theirs]
        found |= {key: _own(shelf, key, theirs[key]) for key in awaited if key in theirs}
        if left:
            answered = yield from _fetched(tiers, asker, shelf, left, function)
            if answered is None:
                return None
            found |= answered
    return found


def _tell(tier: str, keys: int) -> None:
    watch = batch_watch()
    if keys and watch is not None:
        watch.kept(tier, keys)


def _own(shelf: Shelf, key: Any, answer: Any) -> Any:  # noqa: ANN401 - any key and value
    """Returns an answer that is another caller's as one of this caller's own."""
    kept = dict(shelf.form.whole(key, answer)).get(key, MISSING)
    return answer if kept is MISSING else shelf.form.from_kept(shelf.form.to_kept(kept))


def _from_redis(shelf: Shelf, keys: list[Any]) -> Steps[dict[Any, Any]]:
    space = shelf.space
    if space is None or not keys:
        return {}
    wires = yield Block(space.get, (keys,))
    found = {
        key: shelf.form.from_wire(key, wire)
        for key, wire in zip(keys, wires, strict=True)
        if wire is not MISSING
    }
    shelf.counts.redis_hits += len(found)
    _tell("redis", len(found))
    shelf.put(found)
    return found


def _fetched(
    tiers: Tiers,
    asker: Asker,
    shelf: Shelf,
    keys: list[Any],
    function: Callable[[list[Any]], Any],
) -> Steps[dict[Any, Any] | None]:
    """Fetches keys, by claim if there are other processes; None if the source is newer by now."""
    space = shelf.space
    if space is None:
        return (yield from _verified(tiers, asker, shelf, keys, function))
    claimed = yield Block(space.claim, (keys,))
    found: dict[Any, Any] = {}
    own = [key for key in keys if key in claimed]
    if own:
        try:
            answered = yield from _verified(tiers, asker, shelf, own, function)
        except Exception:
            yield Block(space.release, (own,))
            raise
        if answered is None:
            yield Block(space.release, (own,))
            return None
        found = answered
    left = [key for key in keys if key not in claimed]
    pause, waited = FIRST_PAUSE, 0.0
    while left and waited < CLAIM_SECONDS:
        yield Pause(pause)
        waited += pause
        pause *= 2
        theirs = yield from _from_redis(shelf, left)
        shelf.counts.waited += len(theirs)
        found |= theirs
        left = [key for key in left if key not in theirs]
    if left:
        answered = yield from _verified(tiers, asker, shelf, left, function)
        if answered is None:
            return None
        found |= answered
    return found


def _verified(
    tiers: Tiers,
    asker: Asker,
    shelf: Shelf,
    keys: list[Any],
    function: Callable[[list[Any]], Any],
) -> Steps[dict[Any, Any] | None]:
    """Fetches keys and keeps their answers, unless the source is of another version by then.

    Looked at afterwards, the version tells that of the answers: what was of this version before,
    and is after, was all the time between.
    """
    drops = shelf.drops
    got = yield from _from_source(asker, keys, function)
    shelf.counts.fetched += len(keys)
    now = yield from tiers.look()
    found = dict(zip(keys, got, strict=True))
    if now is None or asker.shelf_in(now) is not shelf:
        asker.pin(now)
        return None
    kept: dict[Any, Any] = {}
    bridged = yield from _bridged(tiers, asker, shelf, found)
    if shelf.drops == drops:  # what was cleared meanwhile must not come back
        kept = {
            key: answer
            for key, answer in found.items()
            if not isinstance(answer, BaseException) and key not in bridged
        }
    found |= bridged
    shelf.put(kept)
    if shelf.space is not None:
        wires = {
            key: wire
            for key, answer in kept.items()
            if (wire := shelf.form.to_wire(key, answer)) is not MISSING
        }
        yield Block(shelf.space.put, (wires, keys))
    return found


def _from_source(
    asker: Asker, keys: list[Any], function: Callable[[list[Any]], Any]
) -> Steps[list[Any]]:
    watch = batch_watch()
    if watch is not None:
        watch.source_asked()
    result = yield Call(call, (asker.name, function, keys))
    return values_in_order(asker.name, keys, result)


def _bridged(
    tiers: Tiers, asker: Asker, shelf: Shelf, found: Mapping[Any, Any]
) -> Steps[dict[Any, Any]]:
    """Returns the last good answers to keys that a source which is being refilled does not have."""
    before = tiers.before(shelf)
    if before is None:
        return {}
    form = shelf.form
    unknown = [
        key
        for key, answer in found.items()
        if not isinstance(answer, BaseException) and form.is_nothing(answer)
    ]
    if not unknown or not (yield Call(asker.source_is_empty)):
        return {}
    answered: dict[Any, Any] = dict.fromkeys(unknown, MISSING)
    for key in unknown:
        answered[key] = before.get(key)
    left = [key for key, answer in answered.items() if answer is MISSING]
    answered |= yield from _from_redis(before, left)
    shelf.counts.bridged += sum(answer is not MISSING for answer in answered.values())
    return {
        key: form.without_answer(key) if answer is MISSING else answer
        for key, answer in answered.items()
    }
