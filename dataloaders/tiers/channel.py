"""What processes tell each other by that a table is about to change, and that it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Channel(Protocol):
    """Reaches every process that has listened.

    A writer calls `hold` before it commits and `moved` after that. A process that is held looks
    at the versions at each request, and says so before the writer goes on: so none of them serves
    what was replaced to a request that began after the commit.

    What a listener has missed while it was not connected, it makes up for by calling `on_hold`
    as soon as it is again.
    """

    def listen(self, on_hold: Callable[[], None], on_moved: Callable[[], None]) -> None:
        """Listens from now on, in a thread of its own; costs next to nothing to call again.

        Args:
            on_hold: Called before a writer is told that this process is held.
            on_moved: Called when something has changed, or may have.
        """

    @property
    def is_listening(self) -> bool:
        """Whether this process is connected, and so is told."""

    def hold(self) -> bool:
        """Holds all processes; returns whether all have said so within the time limit."""

    def moved(self) -> None:
        """Tells all processes that something has changed."""

    def close(self) -> None:
        """Ends listening in this process."""
