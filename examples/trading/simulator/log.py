"""What was asked of the simulator."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field


@dataclass(slots=True)
class Entry:
    """One call, connection or message.

    Attributes:
        kind: `quote`, `history` or `order` for a call, `connection` for a WebSocket that was to be
            opened, `message` for what came over one.
        call: The path; a message's action.
        arrived: When, in seconds of `time.monotonic`, which is one clock for all processes.
        api_key: Whose it is; empty if it does not say.
        instruments: The names or tokens that it is about. Those of an order are in its body, which
            is not read of one that is refused.
        status: The HTTP status of the answer, and for messages 200 or 400; None before the answer,
            and where none is given.
        refused: Whether it exceeded a limit.
    """

    kind: str
    call: str
    arrived: float
    api_key: str = ""
    instruments: list[str | int] = field(default_factory=list)
    status: int | None = None
    refused: bool = False


class Log:
    """The entries so far, in the order of their arrival."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def enter(self, entry: Entry) -> Entry:
        """Adds an entry, which its maker completes later."""
        self._entries.append(entry)
        return entry

    def document(self) -> list[dict[str, object]]:
        """Returns the entries, to be sent."""
        return [asdict(entry) for entry in self._entries]

    def clear(self) -> None:
        """Forgets them; what counts towards a limit still does."""
        self._entries.clear()
