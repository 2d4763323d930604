"""The frames of whoever asks: which of them are looked at, and what their local variables hold."""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from .libraries import BOTTOM, OWN, PASSED
from .loops import in_loop, is_in_loop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

MAX_FRAMES: Final = 40
"""Frames passed on the way up, at most."""

MAX_READ: Final = 12
"""Frames whose variables are read, at most."""

SITE_FRAMES: Final = 6
"""Frames that make up a call site, at most: a loop is often a few frames above the lookup."""

_OPTIMIZED: Final = 0x1  # inspect.CO_OPTIMIZED: the variables are no dictionary of the function's
_KEEPING_LOCALS: Final = frozenset({"locals", "vars", "eval", "exec"})
_WORKERS: Final = frozenset({"threading", "gevent.threadpool"})
_PROXIES: Final = sys.version_info >= (3, 13)  # https://peps.python.org/pep-0667/
_OWN_REFERENCES: Final = 3  # to a snapshot of locals: its frame's, ours, getrefcount's argument


_own_globals: set[int] = set()


def first_frame_outside(start: FrameType | None) -> FrameType | None:
    """Returns the nearest frame, from `start` up, that is not this library's."""
    while start is not None:
        # Modules of this library stay, and so do their dictionaries' ids.
        if id(start.f_globals) not in _own_globals:
            if owner_of(module_of(start)) is not _OWN:
                break
            _own_globals.add(id(start.f_globals))
        start = start.f_back
    return start


def module_of(frame: FrameType) -> str:
    """Returns the name of the module that a frame's code is from."""
    name = frame.f_globals.get("__name__")
    return name if type(name) is str else ""


def site_of(frame: FrameType | None) -> int:
    """Returns a number for the place that asks: the line and those of its callers, up to a loop.

    Two places may share a number, by chance; what is learned for a number is checked when used.
    """
    places = []
    for _ in range(SITE_FRAMES):
        if frame is None:
            break
        place = (id(frame.f_code), frame.f_lasti)
        places.append(place)
        known = in_loop.get(place)  # without a call: every lookup that looks around comes here
        if is_in_loop(place, frame) if known is None else known:
            break
        frame = frame.f_back
    return hash(tuple(places))


def readable_frames(start: FrameType | None) -> Iterator[tuple[int, FrameType]]:
    """Yields the frames that belong to the caller, from `start` up, each with its height."""
    tracer = sys.gettrace()
    tracing = getattr(tracer, "__code__", None)
    read = 0
    for height in range(MAX_FRAMES):
        if start is None or read == MAX_READ:
            return
        belongs_to = owner_of(module_of(start))
        if belongs_to is SERVER or start.f_code is tracing:
            return
        if belongs_to is APPLICATION:
            read += 1
            yield height, start
        start = start.f_back


APPLICATION: Final = "application"
_OWN: Final = "own"
_PASSED: Final = "passed"
SERVER: Final = "server"


@lru_cache(maxsize=10_000)
def owner_of(module: str) -> str:
    """Returns whose a module is, by its name."""
    package = module.partition(".")[0]
    if package in BOTTOM or module in BOTTOM:
        return SERVER
    if package in OWN:
        return _OWN
    return _PASSED if package in PASSED else APPLICATION


def is_function(frame: FrameType) -> bool:
    """Whether a frame is a function's, not a module's or a class body's."""
    return bool(frame.f_code.co_flags & _OPTIMIZED)


def is_in_worker(start: FrameType) -> bool:
    """Whether some code of the application, or of a library, has started this thread for its work.

    A server's thread that serves a request is none of these.
    """
    frame: FrameType | None = start
    while frame is not None:
        name = module_of(frame)
        if name in _WORKERS:
            return True
        if owner_of(name) is SERVER:
            return False
        frame = frame.f_back
    return False


def frame_at(start: FrameType, height: int) -> FrameType | None:
    """Returns the frame so many frames above `start`, if it may be read."""
    frame: FrameType | None = start
    for _ in range(height):
        if frame is None:
            return None
        frame = frame.f_back
    return frame


def variables_of(frame: FrameType, *, own_thread: bool = True) -> dict[str, Any]:
    """Returns a frame's local variables, without side effects on them.

    Before Python 3.13 a function's frame makes a snapshot and keeps it, and with it everything
    that the variables held, for as long as it runs. So it is emptied again; and a function that
    may have it in its hands, because its code names `locals` or its kin, is not looked into.
    """
    if not _PROXIES and _may_keep_locals(frame.f_code.co_names):
        return {}
    held = frame.f_locals
    if not is_function(frame):
        return held
    variables = dict(held)
    watched = sys.gettrace() or sys.getprofile()  # then variables are written back from there
    if not (_PROXIES or watched) and own_thread and sys.getrefcount(held) <= _OWN_REFERENCES:
        held.clear()
    return variables


def _may_keep_locals(names: tuple[str, ...]) -> bool:
    if _KEEPING_LOCALS.isdisjoint(names):
        return False
    # pytest writes `locals` into each function with an assert, and keeps nothing of it.
    kept = _KEEPING_LOCALS.intersection(names)
    return bool(kept - {"locals"} if "@py_builtins" in names else kept)


def global_containers(frame: FrameType) -> dict[str, Any]:
    """Returns the global variables that a frame's code names."""
    names = frame.f_globals
    return {name: names[name] for name in frame.f_code.co_names if name in names}
