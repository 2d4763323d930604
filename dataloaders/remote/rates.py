"""How often a source may be called.

A rate holds for any window of its length, wherever that begins, and as the source sees it: by when
calls arrive there. That is never seen here. It is after a call was sent and before its answer came;
so a call takes up its place until its window has passed since the latter.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right, insort
from typing import TYPE_CHECKING, Final

from dataloaders.checks import check
from dataloaders.forking import hold_across_forks

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

ARRIVAL_SECONDS: Final = 0.25
"""A call has arrived by then at the latest, however long its answer takes."""

_MANY_ACCOUNTS: Final = 1_000

# One for all rates: a call takes its place in each of its rates at once. Nothing under it waits.
_taking = threading.Lock()


class Rate:
    """So many calls in any so many seconds; of several sources together that are given the same.

    Args:
        calls: How many.
        seconds: The length of the window.
        each_account: Whether each account may make so many; if not, all accounts together.

    Raises:
        ConfigurationError: One of them is not a positive number.
    """

    def __init__(self, calls: int, seconds: float, *, each_account: bool = True) -> None:
        check("A Rate's calls", calls, (int,), "a positive whole number")
        check("A Rate's seconds", seconds, (int, float), "a positive number of seconds")
        self.calls = calls
        self.seconds = seconds
        self.each_account = each_account
        self._windows: dict[Hashable, _Window] = {}
        self._many = _MANY_ACCOUNTS

    def __repr__(self) -> str:
        return f"Rate({self.calls}, {self.seconds:g})"

    def window(self, account: Hashable, now: float) -> _Window:
        """Returns the calls of an account that count just now."""
        key = account if self.each_account else None
        window = self._windows.get(key)
        if window is None:
            if len(self._windows) >= self._many:
                self._forget_idle(now)
            window = self._windows[key] = _Window(self.calls, self.seconds)
        return window

    def _forget_idle(self, now: float) -> None:
        """Forgets the accounts of which no call counts, and does so again when there are more."""
        self._windows = {
            account: window for account, window in self._windows.items() if window.counts_at(now)
        }
        self._many = max(_MANY_ACCOUNTS, 2 * len(self._windows))


class _Window:
    """The calls that count just now, each by when it will no longer do so."""

    __slots__ = ("_calls", "_ends", "_seconds")

    def __init__(self, calls: int, seconds: float) -> None:
        self._calls = calls
        self._seconds = seconds
        self._ends: list[float] = []  # in order

    def counts_at(self, now: float) -> bool:
        """Whether any of them still does."""
        return bool(self._ends) and self._ends[-1] > now

    def free_at(self, now: float) -> float:
        """Returns when there is room for one more call."""
        ends = self._ends
        if ends and ends[0] <= now:
            del ends[: bisect_right(ends, now)]
        return now if len(ends) < self._calls else ends[len(ends) - self._calls]

    def begin(self, now: float) -> float:
        """Counts a call that is sent now; returns when it will count no longer."""
        end = now + ARRIVAL_SECONDS + self._seconds
        insort(self._ends, end)
        return end

    def sent(self, end: float, now: float) -> float:
        """Takes note that a call is sent no sooner than now; returns as `begin`."""
        self.remove(end)
        return self.begin(now)

    def arrived(self, end: float, now: float) -> None:
        """Takes note that a call has arrived by now."""
        if now + self._seconds < end:
            self.remove(end)
            insort(self._ends, now + self._seconds)

    def remove(self, end: float) -> None:
        """Has a call that would count until a time count no longer."""
        index = bisect_left(self._ends, end)
        if index < len(self._ends) and self._ends[index] == end:
            del self._ends[index]


class Places:
    """One call's places in the windows of its rates."""

    __slots__ = ("_taken",)

    def __init__(self, taken: list[tuple[_Window, float]]) -> None:
        self._taken = taken

    def sent(self, now: float) -> None:
        """Takes note that the call is sent now: its thread may have had to wait for a processor."""
        with _taking:
            self._taken = [(window, window.sent(end, now)) for window, end in self._taken]

    def arrived(self, now: float) -> None:
        """Takes note that the call has arrived by now: it was answered, or has failed."""
        with _taking:
            for window, end in self._taken:
                window.arrived(end, now)
        self._taken = []

    def give_back(self) -> None:
        """Takes note that there is no such call."""
        with _taking:
            for window, end in self._taken:
                window.remove(end)
        self._taken = []


def take(rates: Sequence[Rate], account: Hashable, now: float) -> Places | float:
    """Counts a call in all of its rates, if none of them forbids it.

    Args:
        rates: The rates.
        account: Whose call it is.
        now: The time, in seconds of any clock that goes forward.

    Returns:
        Its places; or the time from which on it may be sent, and nothing was counted.
    """
    with _taking:
        windows = [rate.window(account, now) for rate in rates]
        free_at = max((window.free_at(now) for window in windows), default=now)
        if free_at > now:
            return free_at
        return Places([(window, window.begin(now)) for window in windows])


hold_across_forks(_taking)
