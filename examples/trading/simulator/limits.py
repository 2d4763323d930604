"""How often an account may call."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import Final, Literal

Kind = Literal["quote", "history", "order"]

WINDOW: Final = 1.0  # seconds
CALLS: Final[dict[Kind, int]] = {"quote": 1, "history": 3, "order": 10}


class Limits:
    """Counts what each account called, by kind, within any window of one second."""

    def __init__(self) -> None:
        self._taken: defaultdict[tuple[str, Kind], deque[float]] = defaultdict(deque)

    def admits(self, account: str, kind: Kind, arrived: float) -> bool:
        """Whether a call is within the limit; if it is, it is counted.

        Args:
            account: Whose call it is.
            kind: What is called.
            arrived: When, in seconds; no earlier than the call before.
        """
        taken = self._taken[account, kind]
        while taken and arrived - taken[0] >= WINDOW:
            taken.popleft()
        if len(taken) >= CALLS[kind]:
            return False
        taken.append(arrived)
        return True
