"""What an instrument costs at a time: a function of both, so that anyone can compute it.

A slice of time is one second, and is named by its Unix time. The market never closes; its day
begins at midnight in India. In the slice `at`, an instrument costs

    5 * (2000 + token % 1800 + (37 * at + token) % 101)    paise,

which is between 100 and 195 rupees: a currency's price still fits into a packet, where it is sent
in units of 0.0000001. The price comes round every 101 slices.
"""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Final

STEP: Final = 5  # paise
INDIA: Final = timezone(timedelta(hours=5, minutes=30))
DAY: Final = 86_400  # seconds
_CYCLE = 101  # slices; prime, so that a whole cycle has every offset once
_STRIDE = 37
_OFFSET_OF_INDIA = 19_800  # seconds


def paise(token: int, at: int) -> int:
    """Returns the price of an instrument in a slice, in paise.

    Args:
        token: The instrument.
        at: The slice, in Unix seconds.
    """
    return _lowest(token) + STEP * ((_STRIDE * at + token) % _CYCLE)


def lowest_and_highest(token: int, first: int, end: int) -> tuple[int, int]:
    """Returns the extreme prices of the slices from `first` until before `end`, in paise."""
    if end - first >= _CYCLE:
        return _lowest(token), _lowest(token) + STEP * (_CYCLE - 1)
    seen = [paise(token, at) for at in range(first, end)]
    return min(seen), max(seen)


def start_of_day(at: int) -> int:
    """Returns the first slice of the day that a slice is of, in Unix seconds."""
    return at - (at + _OFFSET_OF_INDIA) % DAY


def volume(token: int, first: int, end: int) -> int:
    """Returns how many units are traded from `first` until before `end`: as many every second."""
    return (1 + token % 9) * (end - first)


def _lowest(token: int) -> int:
    return STEP * (2_000 + token % 1_800)
