"""The stacks of other threads, for a worker of a pool that was handed one row of many.

A worker's own frames hold its row and nothing else; the rows beside it are in the variables of the
thread that handed it over. That they are meant is known by identity: the very object that the
worker has is among them, so no other request's rows are taken for this one's.
"""

from __future__ import annotations

import sys
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

MAX_THREADS: Final = 64
"""Other threads that are looked at, at most."""

_SPAWNERS: Final = 3  # green threads that were started by each other


def other_stacks(own: FrameType) -> Iterator[FrameType]:
    """Yields the innermost frame of each other thread, and of who started this green thread.

    Args:
        own: A frame of this thread.
    """
    yield from _starters()
    for frame in islice(sys._current_frames().values(), MAX_THREADS):  # noqa: SLF001 - documented, for such uses
        if not _is_part_of(own, frame):
            yield frame


def _is_part_of(own: FrameType, stack: FrameType) -> bool:
    frame: FrameType | None = stack
    while frame is not None:
        if frame is own:
            return True
        frame = frame.f_back
    return False


def _starters() -> Iterator[FrameType]:
    """Yields the frames of the green threads that started this one, which gevent keeps note of."""
    greenlet = sys.modules.get("greenlet")
    if greenlet is None:
        return
    current: Any = greenlet.getcurrent()
    for _ in range(_SPAWNERS):
        spawner = getattr(current, "spawning_greenlet", None)
        current = spawner() if callable(spawner) else None
        frame = getattr(current, "gr_frame", None)
        if frame is None:
            return
        yield frame
