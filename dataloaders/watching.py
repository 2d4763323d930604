"""What the core tells whoever watches it; by default nobody does, and nothing is told.

`dataloaders.observe` has those who watch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from .batch import Batch
    from .loader import DataLoader
    from .stats import Stats


class ScopeWatch(Protocol):
    """Watches one scope."""

    @property
    def stats(self) -> Stats:
        """What was counted so far, of all its loaders."""

    def watch(self, loader: DataLoader[Any, Any]) -> LoaderWatch:
        """Begins to watch a loader of the scope."""

    def ended(self) -> None:
        """Takes note that the scope is over; what still happens in it comes too late."""


class LoaderWatch(Protocol):
    """Watches one loader of a scope.

    Attributes:
        lookups: Keys that callers have asked for so far.
        wants_each: Whether it has to be told of each; or who has the answer may count instead.
    """

    lookups: int
    wants_each: bool

    @property
    def stats(self) -> Stats:
        """What was counted so far."""

    def asked(self, cache_keys: Sequence[Hashable], keys: Sequence[Any]) -> None:
        """Takes note of what a caller asks for just now, and counts it."""

    def found_in_process(self) -> None:
        """Takes note that the tier in this process had the answer to a lookup."""

    def collecting(self, cause: str) -> BatchWatch:
        """Takes note, on the caller's stack, of a batch that is opened for a key.

        Args:
            cause: What is going to send it: "tick" (the event loop's turn is over), "at once"
                (nobody is ahead), "turn" (the batch before it has ended), "nested" (a batch
                function asks), "alone" (the loader does not collect), or "in step" (a tick, too,
                but it is opened for a caller whose answer is known, and who asks for no key).
        """


class BatchWatch(Protocol):
    """Watches one batch; several threads may tell it something at once."""

    def began(self, batch: Batch) -> None:
        """Takes note, in the context of the batch function, that the batch is sent.

        Raises:
            NPlusOneError: It must not be: too many such were sent from this place.
        """

    def source_asked(self) -> None:
        """Takes note that its loader's source is asked: the batch function is called."""

    def ended(self, batch: Batch) -> None:
        """Takes note that it has answers; if it has none, it goes back to where it came from."""

    def kept(self, tier: str, keys: int) -> None:
        """Takes note that a tier had the answers to some of its keys."""

    def called(self, source: str, keys: int, seconds: float, *, is_first: bool) -> None:
        """Takes note of a call that a remote source has made, for this batch and perhaps others.

        Args:
            source: The name of the source.
            keys: How many keys it asked for, whoever wants them.
            seconds: What that took.
            is_first: Whether this is the one of these batches to count it.
        """

    def stated(
        self,
        statement: str,
        parameters: Any,  # noqa: ANN401 - the driver's parameters
        rows: int | None,
        seconds: float,
        *,
        system: str,
    ) -> None:
        """Takes note of a statement that was run for it.

        Args:
            statement: Its text, as the driver was given it.
            parameters: As the driver was given them.
            rows: How many came back; None if it failed.
            seconds: What that took.
            system: The kind of database, as SQLAlchemy calls it.
        """
