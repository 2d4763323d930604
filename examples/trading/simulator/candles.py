"""Prices of the past, as Kite shows them."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Final

from .errors import InputError
from .prices import DAY, INDIA, lowest_and_highest, paise, start_of_day, volume

if TYPE_CHECKING:
    from aiohttp import web

    from .calls import Answer
    from .instruments import Instruments
    from .log import Entry

# For each interval, the seconds of a candle and the days that a call may ask for.
_INTERVALS: Final = {
    "minute": (60, 60),
    "3minute": (180, 100),
    "5minute": (300, 100),
    "10minute": (600, 100),
    "15minute": (900, 200),
    "30minute": (1_800, 200),
    "60minute": (3_600, 400),
    "day": (DAY, 2_000),
}


def token_asked(request: web.Request) -> list[str | int]:
    """Returns the token in the path."""
    return [int(request.match_info["token"])]


def history(instruments: Instruments) -> Answer:
    """Returns what answers a call for candles of one of the instruments."""

    async def answer(request: web.Request, _entry: Entry) -> object:
        token, interval = int(request.match_info["token"]), request.match_info["interval"]
        if token not in instruments.by_token:
            raise InputError(f"Expected the token of an instrument, got {token}.")
        if interval not in _INTERVALS:
            raise InputError(f"Expected one of {', '.join(_INTERVALS)}, got {interval!r}.")
        length, days = _INTERVALS[interval]
        first, last = (_time_of(request, name) for name in ("from", "to"))
        if last < first or last - first > days * DAY:
            raise InputError(f"Expected `to` within {days} days after `from`.")
        now = int(time.time())
        # A candle is of a day's nth minutes, so that the first may begin after `from`.
        begin = first + (start_of_day(first) - first) % length
        return {
            "candles": [
                _candle(token, at, min(at + length, now + 1))
                for at in range(begin, min(last, now) + 1, length)
            ]
        }

    return answer


def _candle(token: int, first: int, end: int) -> list[str | float]:
    """A candle of the slices from `first` until before `end`."""
    lowest, highest = lowest_and_highest(token, first, end)
    prices = (paise(token, first), highest, lowest, paise(token, end - 1))
    started = f"{datetime.fromtimestamp(first, INDIA):%Y-%m-%dT%H:%M:%S%z}"
    return [started, *(price / 100 for price in prices), volume(token, first, end)]


def _time_of(request: web.Request, name: str) -> int:
    text = request.query.get(name, "")
    try:
        return int(datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=INDIA).timestamp())
    except ValueError:
        raise InputError(f"Expected yyyy-mm-dd hh:mm:ss for {name!r}, got {text!r}.") from None
