"""What a caller of a feed waits for."""

from __future__ import annotations

from collections.abc import Hashable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Generic, TypeVar

from .wishes import Listener

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

C = TypeVar("C", bound=Hashable)
K = TypeVar("K", bound=Hashable)


class Call(Generic[C, K]):
    """One call of `subscribe` that waits for its answers.

    Attributes:
        client: Who has called.
        errors: For each key that was asked for, its error, if there is one already.
        deadline: Until when it waits for a connection.
        future: What the caller waits for.
    """

    __slots__ = ("client", "deadline", "errors", "future")

    def __init__(self, client: C, keys: Iterable[K], deadline: float) -> None:
        self.client = client
        self.errors: dict[K, Exception | None] = dict.fromkeys(keys)
        self.deadline = deadline
        self.future: Future[dict[K, Exception | None]] = Future()
        # From here on it cannot be cancelled: the wish would stay.
        self.future.set_running_or_notify_cancel()

    def listeners(self) -> Iterator[Listener[C, K]]:
        """Yields what it wants."""
        return (Listener(self.client, key) for key in self.errors)

    def is_refused(self) -> bool:
        """Whether there is nothing left to wait for."""
        return None not in self.errors.values()

    def answer(self, error: Exception | None = None) -> None:
        """Answers it; the error is that of all keys that have none of their own."""
        self.future.set_result({key: own or error for key, own in self.errors.items()})
