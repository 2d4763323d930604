"""The requests that the inspector shows: the last ones of this process."""

from __future__ import annotations

import itertools
import os
from collections import deque
from typing import TYPE_CHECKING, Final

from dataloaders.forking import Locked
from dataloaders.observe import Listener, Totals

if TYPE_CHECKING:
    from dataloaders.observe import Observer, Record

ENDPOINT: Final = "dataloaders.inspector"
"""The inspector's own endpoint."""

MAX_LOADERS: Final = 1_000
"""Loaders of which the quickest batch is known."""


class KeptRequests(Listener, Locked):
    """Keeps the records of the last requests, so many and no more.

    Args:
        most: How many.

    Attributes:
        most: As given.
        observer: Who observes the application, if anybody does.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most
        self.observer: Observer | None = None
        self._records: deque[tuple[str, Record]] = deque(maxlen=most)
        self._numbers = itertools.count(1)
        self._quickest: dict[str, float] = {}

    def scope_ended(self, record: Record) -> None:
        """Keeps a record, and lets go of the oldest."""
        if record.group == ENDPOINT:  # whoever looks at the pages wants to see the others
            return
        with self._lock:
            # Other processes have numbers of their own.
            self._records.append((f"{os.getpid()}-{next(self._numbers)}", record))
            for sent in record.batches:
                known = self._quickest.get(sent.loader)
                if known is None and len(self._quickest) >= MAX_LOADERS:
                    continue
                if sent.queries and not sent.errors and (known is None or sent.seconds < known):
                    self._quickest[sent.loader] = sent.seconds

    def newest(self) -> list[tuple[str, Record]]:
        """Returns the records with their numbers, the newest first."""
        with self._lock:
            return list(reversed(self._records))

    def find(self, number: str) -> Record | None:
        """Returns the record with a number, if it is still kept."""
        return dict(self.newest()).get(number)

    def saved_seconds(self, record: Record) -> float:
        """Returns about how long the queries would have taken that a request did without.

        Each is taken to last as long as the quickest batch that its loader has ever sent here.
        """
        with self._lock:
            return sum(
                loader.stats.saved * self._quickest.get(name, 0.0)
                for name, loader in list(record.loaders.items())
                if loader.stats.saved > 0
            )

    @property
    def totals(self) -> Totals:
        """The counts of all requests since the process began."""
        return Totals() if self.observer is None else self.observer.totals
