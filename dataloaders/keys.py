"""The default cache key: the key itself, told apart by type where equality alone would not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable

PLAIN_TYPES = frozenset({str, int, bytes, type(None)})
"""Types whose values equal no value of another type in this set."""


def typed_key(key: Any) -> Hashable:  # noqa: ANN401 - a key is whatever the application uses
    """Returns what a key is cached under.

    `1`, `True` and `1.0` are equal and hash alike, so a plain dict gives the three one slot and
    the first one's value to all. Keys of plain types stand for themselves; any other is paired
    with its type, inside tuples too.
    """
    if type(key) is tuple:
        for part in key:
            if type(part) not in PLAIN_TYPES:
                return tuple([typed_key(part) for part in key])
        return key
    if isinstance(key, tuple):  # a named one
        return (type(key), typed_key(tuple(key)))
    if type(key) in PLAIN_TYPES:
        return key  # type: ignore[no-any-return]  # every value of these types is hashable
    return (type(key), key)
