"""What instruments cost at the broker: a function of the token, so that anyone can compute it.

Prices do not change with time, so that the same question has the same answer a second later.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_MINUTES: Final = {"minute": 1, "5minute": 5, "15minute": 15, "60minute": 60, "day": 1_440}
_TIME = "%Y-%m-%d %H:%M:%S"
_MOST_CANDLES: Final = 2_000


def last_paise(token: int) -> int:
    """Returns an instrument's last price, in paise."""
    return 5 * (2_000 + token // 31 % 1_800)


def close_paise(token: int) -> int:
    """Returns the price at which it ended the day before, in paise."""
    return 5 * (2_000 + token // 7 % 1_800)


def volume(token: int) -> int:
    """Returns how many units were traded."""
    return 100 * (1 + token % 997)


def rupees_of(paise: int) -> float:
    """Makes a JSON number, as brokers send amounts; it is written with the digits of the amount."""
    return paise / 100


def candles(
    token: int, interval: str, start: str, end: str
) -> Iterator[tuple[str, int, int, int, int, int]]:
    """Yields the time of each candle, its open, high, low and close in paise, and its volume.

    Raises:
        ValueError: The interval is unknown, a time is not as `2026-08-18 09:15:00`, or there would
            be too many.
    """
    if interval not in _MINUTES:
        raise ValueError(f"the interval must be one of {', '.join(_MINUTES)}, and not {interval!r}")
    step = timedelta(minutes=_MINUTES[interval])
    first, last = (datetime.strptime(time, _TIME) for time in (start, end))  # noqa: DTZ007 - India's, as the broker's all are
    if (last - first) / step > _MOST_CANDLES:
        raise ValueError(f"at most {_MOST_CANDLES} candles can be had at once")
    for number in range(int((last - first) / step) + 1):
        at = last_paise(token + 31 * number)
        yield f"{first + number * step:{_TIME}}", at, at + 35, at - 20, at + 10, volume(token)
