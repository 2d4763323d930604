"""Who asks: the place in the application's code, and the loop that it stands in."""

from __future__ import annotations

import linecache
import sys
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from dataloaders.lookahead.frames import first_frame_outside, is_application
from dataloaders.lookahead.loops import is_in_loop, place_of

if TYPE_CHECKING:
    from types import CodeType, FrameType

MAX_FRAMES: Final = 12
"""Frames that one caller is told by, at most: a loop is often a few above the lookup."""

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
        try:
            return linecache.getline(self.file, self.line).strip()
        except ValueError:  # no file can have that name
            return ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"


class Caller(NamedTuple):
    """Who asked, as told by the frames above a lookup.

    Attributes:
        spots: The nearest first, up to a loop of the application's, if there is one.
        loops: Whether the last of them stands in it.
    """

    spots: tuple[Spot, ...]
    loops: bool

    @property
    def place(self) -> Place | None:
        """Where the lookup is; None outside of any code but this library's."""
        return place_at(self.spots[0]) if self.spots else None

    @property
    def loop(self) -> Place | None:
        """The line within the loop, if that is not the very place."""
        return place_at(self.spots[-1]) if self.loops and len(self.spots) > 1 else None


NOBODY: Final = Caller((), loops=False)


def spot_of_caller() -> Spot | None:
    """Returns the nearest spot outside this library."""
    frame = first_frame_outside(sys._getframe(1))  # noqa: SLF001 - the way to one's callers
    return None if frame is None else (frame.f_code, frame.f_lasti)


def caller() -> Caller:
    """Returns who asks just now."""
    frame = first_frame_outside(sys._getframe(1))  # noqa: SLF001 - the way to one's callers
    spots: list[Spot] = []
    nearest: Spot | None = None
    for _ in range(MAX_FRAMES):
        if frame is None:
            break
        spot = (frame.f_code, frame.f_lasti)
        if nearest is None:
            nearest = spot
        if is_application(frame):
            spots.append(spot)
            if _loops(frame):
                return Caller(tuple(spots), loops=True)
        frame = frame.f_back
    if spots:
        return Caller(tuple(spots), loops=False)
    return NOBODY if nearest is None else Caller((nearest,), loops=False)


def _loops(frame: FrameType) -> bool:
    return is_in_loop(place_of(frame), frame)


def place_at(spot: Spot) -> Place:
    """Returns the line of a spot."""
    code, offset = spot
    line = code.co_firstlineno
    for start, end, number in code.co_lines():
        if start <= offset < end and number is not None:
            line = number
            break
    return Place(code.co_filename, line, code.co_qualname)
