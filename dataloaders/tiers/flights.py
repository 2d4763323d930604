"""Which keys are being fetched, so that nobody else in the process fetches them as well."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

Flight = Future[dict[Any, Any]]
"""Keys that are being fetched together; its result are their answers, as far as there are any."""


class Flights:
    """The keys of one shelf that are being fetched.

    Attributes:
        under_way: The flight of each key.
    """

    __slots__ = ("under_way",)

    def __init__(self) -> None:
        # Single operations on it are atomic, so threads need no lock.
        self.under_way: dict[Hashable, Flight] = {}

    def begin(self, keys: Iterable[Hashable]) -> tuple[Flight, list[Any], dict[Flight, list[Any]]]:
        """Starts a flight for the keys that are in none.

        Returns:
            The flight, its keys, and the keys of other flights. Whoever gets it has to end it.
        """
        flight: Flight = Future()
        own: list[Any] = []
        others: dict[Flight, list[Any]] = {}
        for key in keys:
            first = self.under_way.setdefault(key, flight)
            if first is flight:
                own.append(key)
            else:
                others.setdefault(first, []).append(key)
        return flight, own, others

    def end(self, flight: Flight, keys: Iterable[Hashable], answers: Mapping[Any, Any]) -> None:
        """Lets those know who wait; without an answer they have to fetch for themselves."""
        for key in keys:
            if self.under_way.get(key) is flight:
                self.under_way.pop(key, None)
        if not flight.done():
            flight.set_result(dict(answers))

    def forget(self, key: Hashable) -> None:
        """Has the answer to a key that is under way not be kept, nor be given to who asks now."""
        self.under_way.pop(key, None)

    def is_in(self, flight: Flight, key: Hashable) -> bool:
        """Whether a key is (still) in a flight."""
        return self.under_way.get(key) is flight
