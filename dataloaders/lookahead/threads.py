"""The stacks of other threads, for a worker of a pool that was handed one row of many.

A worker's own frames hold its row and nothing else; the rows beside it are in the variables of the
thread that handed it over. That they are meant is known by identity: the very object that the
worker has is among them, so no other request's rows are taken for this one's.

Green threads are listed nowhere. But one that has handed work over either waits for it, and what it
waits with (a future's condition, the lock in that) knows it; or it is about to run again, and the
hub that will run it knows it. Both are reached through the garbage collector, which tells what an
object refers to without any code of that object's.
"""

from __future__ import annotations

import gc
import sys
from _thread import get_ident
from collections import deque
from contextvars import ContextVar
from itertools import chain, islice
from types import BuiltinMethodType, MethodType
from typing import TYPE_CHECKING, Any, Final
from weakref import ReferenceType, ref

from .frames import module_of, variables_of
from .libraries import GREEN, WAITING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType

MAX_THREADS: Final = 64
"""Other threads of each kind that are looked at, at most."""

MAX_STEPS: Final = 400
"""Objects that are passed on each of the two ways to green threads, at most."""

ENDS: Final = 8
"""Items of one container among them, at most, from either end: what is next, and what is last."""

_SPAWNERS: Final = 3  # green threads that were started by each other
_CONTAINERS: Final = frozenset({list, tuple, dict, deque, set})
_METHODS: Final = frozenset({BuiltinMethodType, MethodType})


def _nobody() -> FrameType | None:
    return None


_starter: ContextVar[Callable[[], FrameType | None]] = ContextVar(
    "dataloaders.starter", default=_nobody
)


def note_starter() -> None:
    """Takes note, in this context, that this thread hands over what is going to run in it."""
    module = sys.modules.get("greenlet")
    current = None if module is None else module.getcurrent()
    if current is None or current.parent is None:
        thread = get_ident()
        _starter.set(lambda: sys._current_frames().get(thread))  # noqa: SLF001 - documented, for such uses
    else:
        green = ref(current)
        _starter.set(lambda: getattr(green(), "gr_frame", None))


def starters_stack() -> Iterator[FrameType]:
    """Yields the innermost frame of the thread that has handed this work over, if it said so."""
    frame = _starter.get()()
    waiting = None if frame is None else _where_it_waits(frame)
    if waiting is not None:
        yield waiting


def other_stacks(own: FrameType) -> Iterator[FrameType]:
    """Yields the innermost frame of each other thread, green ones first.

    Args:
        own: A frame of this thread.
    """
    module = sys.modules.get("greenlet")
    if module is not None and module.getcurrent().parent is not None:
        stacks = map(_where_it_waits, _green_stacks(own, module))
        yield from islice(filter(None, stacks), MAX_THREADS)
    for frame in islice(sys._current_frames().values(), MAX_THREADS):  # noqa: SLF001 - documented, for such uses
        if not any(each is own for each in _outwards(frame)):
            yield frame


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _where_it_waits(stack: FrameType) -> FrameType | None:
    """Returns the innermost frame that is not the hub's: at that, a stack would seem to end."""
    return next((each for each in _outwards(stack) if not _is_of(GREEN, each)), None)


def _is_of(packages: frozenset[str], frame: FrameType) -> bool:
    return module_of(frame).partition(".")[0] in packages


def _green_stacks(own: FrameType, greenlets: Any) -> Iterator[FrameType]:  # noqa: ANN401 - the module, which need not be there
    """Yields the innermost frames of suspended green threads."""
    current = greenlets.getcurrent()
    yield from _spawners_of(current)
    seen = {id(current)}
    own_variables = chain.from_iterable(map(_held_by, _outwards(own)))
    for start in (own_variables, [current.parent]):
        for each in _reached(start, greenlets.greenlet, seen):
            frame = each.gr_frame  # None if it runs, in another thread, or is over
            if frame is not None:
                yield frame


def _reached(start: Iterable[Any], greenlet: type, seen: set[int]) -> Iterator[Any]:
    """Yields the green threads that something leads to, by way of what threads wait with."""
    level = deque(start)
    for _ in range(MAX_STEPS):
        if not level:
            return
        value = level.popleft()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, greenlet):
            green: Any = value
            yield green
            # Another worker has in its variables what this one's starter may wait for.
            for frame in _outwards(green.gr_frame):
                level.extend(_held_by(frame))
        if type(value) is ReferenceType:
            value = value()
        for each in gc.get_referents(value):
            inner = _flat(each) if type(each) in _CONTAINERS else (each,)
            level.extend(found for found in inner if _leads_on(found))


def _flat(container: Any) -> Iterator[Any]:  # noqa: ANN401 - a builtin one
    """Yields what is in a container, or in one in it."""
    for each in _ends_of(container):
        if type(each) in _CONTAINERS:
            yield from _ends_of(each)
        else:
            yield each


def _ends_of(container: Any) -> list[Any]:  # noqa: ANN401 - a builtin one
    items = gc.get_referents(container)
    return items if len(items) <= 2 * ENDS else items[:ENDS] + items[-ENDS:]


def _leads_on(value: object) -> bool:
    cls = type(value)
    if cls in _METHODS or cls is ReferenceType:
        return True
    module = type.__getattribute__(cls, "__module__")  # past what its metaclass makes of it
    return type(module) is str and module.partition(".")[0] in WAITING


def _held_by(frame: FrameType) -> list[Any]:
    """Returns the variables of a frame of what runs work, or waits for it."""
    if not _is_of(WAITING, frame):
        return []
    return [value for value in variables_of(frame).values() if _leads_on(value)]


def _spawners_of(current: Any) -> Iterator[FrameType]:  # noqa: ANN401 - a greenlet
    """Yields the frames of the green threads that started one, which gevent keeps note of."""
    for _ in range(_SPAWNERS):
        spawner = getattr(current, "spawning_greenlet", None)
        current = spawner() if callable(spawner) else None
        frame = getattr(current, "gr_frame", None)
        if frame is None:
            return
        yield frame
