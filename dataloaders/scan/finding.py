"""What a scan says: one lookup in a loop, and what is to be done about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

SEEN: Final = "seen"
ONE_LINE: Final = "one line"
BY_HAND: Final = "by hand"


@dataclass(frozen=True, order=True)
class Finding:
    """A lookup that a loop comes to.

    Attributes:
        path: The file of the lookup.
        line: Its line.
        function: The function that it is in; "" for a module's own code.
        text: The lookup as it is written.
        loop_path: The file of the loop.
        loop_line: Its line.
        verdict: SEEN, ONE_LINE or BY_HAND.
        reason: Why.
        changed: The loop's line, with its changes; None if it needs none, or a look.
        unmigrated: The module that the lookup function comes from, where its import is to be
            changed first.
    """

    path: Path
    line: int
    function: str
    text: str
    loop_path: Path
    loop_line: int
    verdict: str
    reason: str
    changed: str | None = None
    unmigrated: str | None = None


@dataclass(frozen=True)
class MendedLine:
    """The line of a loop whose lookups can be announced.

    Attributes:
        path: The loop's file.
        line: The number of the line.
        before: The line as it is.
        after: The line that announces.
    """

    path: Path
    line: int
    before: str
    after: str
