"""All that is known of an instrument at a time; quotes and packets show parts of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from .prices import STEP, lowest_and_highest, paise, start_of_day, volume

_LEVELS: Final = range(1, 6)


@dataclass(frozen=True, slots=True)
class Level:
    """What waits in the order book at one price, which is in paise."""

    quantity: int
    price: int
    orders: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An instrument in a slice of time.

    Attributes:
        token: The instrument.
        at: The slice, in Unix seconds.
        last: The price, in paise, as are all the others.
        opened: The first price of the day.
        highest: The highest one so far.
        lowest: The lowest one so far.
        closed: The last price of the day before.
        volume: How many units were traded in the day.
        bids: What buyers offer, the best first.
        offers: What sellers ask for, the best first.
    """

    token: int
    at: int
    last: int
    opened: int
    highest: int
    lowest: int
    closed: int
    volume: int
    bids: tuple[Level, ...]
    offers: tuple[Level, ...]

    @classmethod
    def of(cls, token: int, at: int) -> Self:
        """Returns what is known of an instrument in the slice `at`."""
        last, morning = paise(token, at), start_of_day(at)
        lowest, highest = lowest_and_highest(token, morning, at + 1)
        return cls(
            token=token,
            at=at,
            last=last,
            opened=paise(token, morning),
            highest=highest,
            lowest=lowest,
            closed=paise(token, morning - 1),
            volume=volume(token, morning, at + 1),
            bids=tuple(Level(10 * n, last - STEP * n, n) for n in _LEVELS),
            offers=tuple(Level(20 * n, last + STEP * n, n) for n in _LEVELS),
        )

    @property
    def wanted(self) -> int:
        """How many units buyers wait for."""
        return sum(level.quantity for level in self.bids)

    @property
    def offered(self) -> int:
        """How many units sellers wait with."""
        return sum(level.quantity for level in self.offers)
