"""History: what a place asked for last time, where nothing shows beforehand what it will ask for.

A loop over a generator, or over keys that it computes, has no rows to be read. Most such loops ask
for much the same keys each time: those of one watchlist, of one index. So the keys of the last
request go along with the first of the next one, for as long as some of them are used.
"""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from .sites import Site

MAX_PLACES: Final = 1_024
"""Places of one application, and of each partition, that are remembered."""

MAX_KEYS: Final = 1_000
"""Keys of one place that are remembered."""

MIN_KEYS: Final = 3
"""Keys that make a loop: who asked for fewer is not remembered."""

STRIKES: Final = 2
"""Requests in a row in which hardly a key was of use, after which a place is left alone."""

REST: Final = 64
"""Requests for which it is."""

_LEAST_SHARE: Final = 4  # one key in so many has to be used
_MAX_TEXT: Final = 200  # characters, or bytes
# Their values hold nothing else; a datetime may have an application's time zone.
_KEPT_TYPES: Final = frozenset(
    {str, bytes, int, float, bool, type(None), decimal.Decimal, dt.date, uuid.UUID}
)


class _Past:
    """What one place asked for, and how often in a row that was of no use."""

    __slots__ = ("keys", "resting", "strikes")

    def __init__(self) -> None:
        self.keys: list[Any] = []
        self.strikes = 0
        self.resting = 0


class History:
    """What the places of one application asked for last; keys only, and plain ones."""

    def __init__(self) -> None:
        # Single operations are atomic. Of requests that end together one may be forgotten.
        self._pasts: dict[Hashable, _Past] = {}

    def keys_of(self, place: Hashable) -> list[Any]:
        """Returns the keys that a place asked for last."""
        past = self._pasts.get(place)
        if past is None:
            return []
        if past.resting:
            past.resting -= 1
            return []
        return past.keys

    def keep(self, place: Hashable, keys: list[Any], *, paid: bool) -> None:
        """Remembers the keys of a request that is over.

        Args:
            place: Who asked.
            keys: What for.
            paid: Whether what had been remembered was of use.
        """
        past = self._pasts.pop(place, None) or _Past()
        past.strikes = 0 if paid else past.strikes + 1
        if past.strikes >= STRIKES:
            past.strikes, past.resting = 0, REST
        past.keys = keys
        if keys or past.strikes or past.resting:
            if len(self._pasts) >= MAX_PLACES:
                for oldest in list(self._pasts)[: MAX_PLACES // 8]:
                    self._pasts.pop(oldest, None)
            self._pasts[place] = past


class Memory:
    """What one loader notes for the history, and takes from it.

    Args:
        history: That of the application.
        partition: Whose requests have it in common; None if all have.
    """

    __slots__ = ("_asked", "_history", "_partition", "_recalled")

    def __init__(self, history: History, partition: Hashable) -> None:
        self._history = history
        self._partition = partition
        self._asked: dict[Site, dict[Hashable, Any]] = {}
        self._recalled: dict[Site, dict[Hashable, Any]] = {}

    def recall(
        self,
        site: Site,
        cache_key: Hashable,
        key: object,
        cache_keys_of: Callable[[list[Any]], dict[Hashable, Any]],
    ) -> dict[Hashable, Any]:
        """Notes what a place asks for; returns, the first time, what it asked for last.

        Args:
            site: The place.
            cache_key: What its key is kept under.
            key: Its key.
            cache_keys_of: Returns keys by cache key, which may be another one in each request.
        """
        asked = self._asked.get(site)
        if asked is not None:
            if len(asked) < MAX_KEYS:
                asked[cache_key] = key
            return {}
        self._asked[site] = {cache_key: key}
        past = self._history.keys_of((self._partition, site))
        recalled = cache_keys_of(past) if past else {}
        if recalled:
            self._recalled[site] = recalled
        return recalled

    def hand_over(self, was_used: Callable[[Hashable], bool]) -> None:
        """Gives the history what this request asked for.

        Args:
            was_used: Whether a key that went along was asked for.
        """
        for site, asked in list(self._asked.items()):
            recalled = self._recalled.get(site, {})
            used = {each: key for each, key in recalled.items() if each in asked or was_used(each)}
            paid = len(used) * _LEAST_SHARE >= len(recalled)
            keys = list((used | asked).values())[:MAX_KEYS]
            if len(keys) < MIN_KEYS or not all(map(_may_be_kept, keys)):
                keys = []
            if keys or recalled:
                self._history.keep((self._partition, site), keys, paid=paid)
        self._asked.clear()
        self._recalled.clear()


def _may_be_kept(key: object) -> bool:
    parts = key if type(key) is tuple else (key,)
    return _KEPT_TYPES.issuperset(map(type, parts)) and all(
        len(part) <= _MAX_TEXT for part in parts if isinstance(part, str | bytes)
    )
