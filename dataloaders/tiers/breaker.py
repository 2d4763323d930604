"""Keeps a server that does not answer from being asked by everybody."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DOUBLINGS: Final = 5


class Breaker:
    """Lets nobody through for a while after a failure, and then one caller at a time.

    Args:
        retry_after: Seconds after the first failure; twice as many after each that follows, up to
            32 times as many.
        clock: Returns seconds.
    """

    def __init__(self, retry_after: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._retry_after = retry_after
        self._clock = clock
        # Single reads and writes of them are atomic, so threads need no lock.
        self._failures = 0
        self._closed_until = 0.0  # not in use while there are no failures

    def lets_through(self) -> bool:
        """Whether the caller may ask; who may has to say how it went."""
        if not self._failures:
            return True
        now = self._clock()
        if now < self._closed_until:
            return False
        # The others wait for how it goes with this one, or as long once more.
        self._closed_until = now + self._retry_after
        return True

    def succeeded(self) -> None:
        """Takes note that the server has answered."""
        if self._failures:
            self._failures = 0

    def failed(self) -> None:
        """Takes note that it has not."""
        seconds = self._retry_after * 2 ** min(self._failures, MAX_DOUBLINGS)
        self._closed_until = self._clock() + seconds
        self._failures += 1
