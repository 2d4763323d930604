"""Who asks: the place in the application's code, and the loop that it stands in."""

from __future__ import annotations

import linecache
import sys
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from dataloaders.lookahead.frames import (
    APPLICATION,
    SERVER,
    first_frame_outside,
    module_of,
    owner_of,
)
from dataloaders.lookahead.loops import in_loop, is_in_loop

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
        try:
            return linecache.getline(self.file, self.line).strip()
        except ValueError:  # no file can have that name
            return ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"


class Caller(NamedTuple):
    """Who asked, as told by the frames above a lookup.

    Attributes:
        spots: The application's, the nearest first; of a function that calls itself, only where it
            was in the innermost of these calls.
        height: How many of them lead up to the nearest loop, the one that stands in it included;
            0 without a loop.
        again: Where such a function calls itself; None if none does.
        works: Whether it does this as one of many pieces of work, as a pool's thread does.
    """

    spots: tuple[Spot, ...]
    height: int = 0
    again: Spot | None = None
    works: bool = False

    @property
    def place(self) -> Place | None:
        """Where the lookup is; None outside of any code but this library's."""
        return place_at(self.spots[0]) if self.spots else None

    @property
    def loop(self) -> Place | None:
        """The line within the loop, or of the call to itself, if that is not the very place."""
        if self.height:
            return place_at(self.spots[self.height - 1]) if self.height > 1 else None
        return None if self.again is None else place_at(self.again)

    @property
    def in_loop(self) -> bool:
        """Whether a loop is seen, or a function that calls itself."""
        return bool(self.height or self.again)

    @property
    def within_loop(self) -> tuple[Spot, ...]:
        """Its spots up to the loop."""
        return self.spots[: self.height or None]


def spot_of_caller() -> Spot | None:
    """Returns the nearest spot outside this library, above who calls."""
    frame = first_frame_outside(sys._getframe(2))  # noqa: SLF001 - the way to one's callers
    return None if frame is None else (frame.f_code, frame.f_lasti)


def caller() -> Caller:  # noqa: C901 - a call for each frame would cost as much as the rest
    """Returns who asks just now."""
    frame = nearest = first_frame_outside(sys._getframe(1))  # noqa: SLF001 - the way to one's callers
    spots: list[Spot] = []
    codes: set[int] = set()
    again: Spot | None = None
    height = 0
    # Each batch comes here, so what can be done without a call is done without one.
    for _ in range(MAX_FRAMES):
        if frame is None or len(spots) == MAX_SPOTS:
            break
        whose = owner_of(module_of(frame))
        if whose is APPLICATION:
            code = frame.f_code
            place = (id(code), frame.f_lasti)
            if place[0] in codes and not _wraps(code):
                cut = _cut(spots, code)
                codes = {id(each[0]) for each in spots}
                if height > len(spots):  # a loop that is part of how it comes back to itself
                    again, height = again or cut[height - len(spots) - 1], 0
                again = again or (code, place[1])
            else:
                codes.add(place[0])
                spots.append((code, place[1]))
                if not (height or again):
                    loops = in_loop.get(place)
                    if is_in_loop(place, frame) if loops is None else loops:
                        height = len(spots)
        elif whose is SERVER:
            break
        elif module_of(frame) in _POOLS:
            return Caller(tuple(spots), height, again, works=not (height or again))
        frame = frame.f_back
    if not spots and nearest is not None:
        spots.append((nearest.f_code, nearest.f_lasti))
    return Caller(tuple(spots), height, again)


def _cut(spots: list[Spot], code: CodeType) -> list[Spot]:
    """Takes what was passed since a function was met, which is met again; returns it."""
    since = next(index for index, each in enumerate(spots) if each[0] is code) + 1
    cut = spots[since:]
    del spots[since:]
    return cut


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
