"""The record of one lookup."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

    from .batches import BatchRecord
    from .places import Spot


class Lookup:
    """One call of a loader: `load`, `get` and their kin.

    Attributes:
        at: When it was made (`perf_counter`).
        loader: The loader's name.
        spot: Where; None outside of any code but this library's.
        count: How many keys it asked for.
        text: A short text of its first key, where keys may be shown.
        cache_key: What the first key is cached under; None once the scope is over.
        batch: The batch that brought its first key, if there was one in this scope.
        answered_by: Who had the answer to its first key: "batch" (it had to wait for one),
            "lookahead" (a batch had brought it before anybody asked), "loader" (it was asked for
            before) or "elsewhere" (a tier, or it was primed).
    """

    __slots__ = ("answered_by", "at", "batch", "cache_key", "count", "loader", "spot", "text")

    def __init__(
        self, loader: str, spot: Spot | None, cache_key: Hashable, count: int, text: str
    ) -> None:
        self.at = perf_counter()
        self.loader = loader
        self.spot = spot
        self.count = count
        self.text = text
        self.cache_key: Hashable | None = cache_key
        self.batch: BatchRecord | None = None
        self.answered_by = "elsewhere"
