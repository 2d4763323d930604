"""Who asks: the place in the application's code, and the loop that it stands in."""

from __future__ import annotations

import linecache
import sys
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from dataloaders.lookahead.frames import (
    first_frame_outside,
    is_application,
    is_bottom,
    module_of,
)
from dataloaders.lookahead.loops import is_in_loop, place_of

if TYPE_CHECKING:
    from types import CodeType

MAX_FRAMES: Final = 500
"""Frames that are passed on the way up, at most: a function may call itself as often."""

MAX_SPOTS: Final = 12
"""Functions that one caller is told by, at most: a loop is often a few above the lookup."""

_POOLS: Final = frozenset(
    {"concurrent.futures.thread", "gevent.threadpool", "multiprocessing.pool"}
)

_ANY_ARGUMENTS: Final = 0x0C  # inspect.CO_VARARGS and CO_VARKEYWORDS

Spot: TypeAlias = "tuple[CodeType, int]"
"""A function's code, and the offset of the instruction in it: what costs least to take note of."""


class Place(NamedTuple):
    """A line of the application.

    Attributes:
        file: The name of the file, as Python has it.
        line: The number of the line.
        function: The qualified name of the function.
    """

    file: str
    line: int
    function: str

    @property
    def source(self) -> str:
        """The text of the line; empty if the file is not there."""
        return linecache.getline(self.file, self.line).strip()

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"


class Caller(NamedTuple):
    """Who asked, as told by the frames above a lookup.

    Attributes:
        spots: The nearest first, up to a loop of the application's, if there is one; of a function
            that calls itself, only where it was in the innermost of these calls.
        loops: Whether the last of them stands in it.
        again: Where such a function calls itself; None if none does.
        works: Whether a pool's thread does this, as one of many pieces of work.
    """

    spots: tuple[Spot, ...]
    loops: bool = False
    again: Spot | None = None
    works: bool = False

    @property
    def place(self) -> Place | None:
        """Where the lookup is; None outside of any code but this library's."""
        return place_at(self.spots[0]) if self.spots else None

    @property
    def loop(self) -> Place | None:
        """The line within the loop, or of the call to itself, if that is not the very place."""
        if self.again is not None:
            return place_at(self.again)
        return place_at(self.spots[-1]) if self.loops and len(self.spots) > 1 else None


def spot_of_caller() -> Spot | None:
    """Returns the nearest spot outside this library."""
    frame = first_frame_outside(sys._getframe(1))  # noqa: SLF001 - the way to one's callers
    return None if frame is None else (frame.f_code, frame.f_lasti)


def caller() -> Caller:
    """Returns who asks just now."""
    frame = nearest = first_frame_outside(sys._getframe(1))  # noqa: SLF001 - the way to one's callers
    spots: list[Spot] = []
    again: Spot | None = None
    for _ in range(MAX_FRAMES):
        if frame is None or len(spots) == MAX_SPOTS:
            break
        if is_application(frame):
            code = frame.f_code
            spot = (code, frame.f_lasti)
            known = next((index for index, each in enumerate(spots) if each[0] is code), None)
            if known is not None and not _wraps(code):
                again = again or spot
                del spots[known + 1 :]
            else:
                spots.append(spot)
                if is_in_loop(place_of(frame), frame):
                    # A function that calls itself is a loop too, and the nearer one.
                    return Caller(tuple(spots), loops=again is None, again=again)
        elif is_bottom(frame):
            break
        elif module_of(frame) in _POOLS:
            return Caller(tuple(spots), again=again, works=again is None)
        frame = frame.f_back
    if not spots and nearest is not None:
        spots.append((nearest.f_code, nearest.f_lasti))
    return Caller(tuple(spots), again=again)


def _wraps(code: CodeType) -> bool:
    """Whether a function is what decorators make: it stands for many others, and not for itself."""
    return bool(code.co_freevars) and code.co_flags & _ANY_ARGUMENTS == _ANY_ARGUMENTS


def place_at(spot: Spot) -> Place:
    """Returns the line of a spot."""
    code, offset = spot
    line = code.co_firstlineno
    for start, end, number in code.co_lines():
        if start <= offset < end and number is not None:
            line = number
            break
    return Place(code.co_filename, line, code.co_qualname)
