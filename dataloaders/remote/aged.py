"""Values that are good for a short time, and how old each is."""

from __future__ import annotations

import time
from typing import Generic, TypeVar

V = TypeVar("V")


class Aged(Generic[V]):
    """A value, and when the source was asked for it.

    Attributes:
        value: The value.
        asked_at: When its call was sent, by `time.monotonic()`: it is as of then or later.
    """

    __slots__ = ("asked_at", "value")

    def __init__(self, value: V, asked_at: float) -> None:
        self.value = value
        self.asked_at = asked_at

    @property
    def age(self) -> float:
        """How old it is by now at most, in seconds."""
        return time.monotonic() - self.asked_at

    def __repr__(self) -> str:
        return f"Aged({self.value!r}, age={self.age:.3f})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Aged):
            return NotImplemented
        return self.asked_at == other.asked_at and bool(self.value == other.value)

    def __hash__(self) -> int:
        return hash((self.value, self.asked_at))
