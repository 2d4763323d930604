"""Loops: whether a call stands in one, and what it goes over where no variable holds that.

`for row in fetch()["data"]` keeps the list on the interpreter's stack only. The loop's iterator
is a young object that the garbage collector knows, and an iterator tells where it is without
moving on. One that has just yielded an object which is a variable of the caller is its loop's.
"""

from __future__ import annotations

import dis
import gc
from collections import deque
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

# Every loop ends with one of them; the one without interrupt is an await's, or a handler's.
_JUMPS_BACK: Final = tuple(
    bytes([number])
    for name, number in dis.opmap.items()
    if "JUMP_BACKWARD" in name and not name.endswith("NO_INTERRUPT")
)
_OF_AWAIT: Final = frozenset(
    number for name, number in dis.opmap.items() if name in {"SEND", "END_SEND"}
)
_EXTENDED_ARG: Final = dis.opmap["EXTENDED_ARG"]

_REVERSED: Final[type] = type(reversed([]))
_OVER_SEQUENCES: Final[frozenset[type]] = frozenset({type(iter([])), type(iter(())), _REVERSED})
_OVER_OTHERS: Final[frozenset[type]] = frozenset(
    {
        type(iter({}.items())),
        type(iter({}.values())),
        type(iter({})),
        type(iter(deque())),
    }
)
MAX_YOUNG: Final = 1_500
"""Objects of a generation that are looked at, the youngest: a loop has begun just now."""

MAX_YOUNGEST: Final = 400
"""The same for a lookup that may well be a single one."""

_MAX_KNOWN: Final = 10_000
Place: TypeAlias = tuple[int, int]

in_loop: dict[Place, bool] = {}
"""What is known of places so far."""


def is_in_loop(place: Place, frame: FrameType) -> bool:
    """Whether the instruction that a frame is at stands inside a loop of its code.

    Of a code object only its id is kept. Should another one get it, a search is made that is
    longer or shorter than it should be, once.
    """
    known = in_loop.get(place)
    if known is None:
        if len(in_loop) >= _MAX_KNOWN:
            in_loop.clear()
        known = in_loop[place] = _stands_in_loop(frame)
    return known


def place_of(frame: FrameType) -> Place:
    """Returns what stands for the instruction that a frame is at."""
    return id(frame.f_code), frame.f_lasti


def _stands_in_loop(frame: FrameType) -> bool:
    code = frame.f_code.co_code
    operations, arguments = code[::2], code[1::2]  # each instruction, and each cache, has two bytes
    here = frame.f_lasti // 2
    for jump in _JUMPS_BACK:
        end = operations.find(jump, here)
        while end >= 0:
            distance, shift, before = arguments[end], 8, end - 1
            while operations[before] == _EXTENDED_ARG:
                distance += arguments[before] << shift
                shift, before = shift + 8, before - 1
            start = max(end - distance, 0)
            # An await is a loop of the interpreter's own. Some jumps have a cache behind them, from
            # whose end they count.
            if start <= here and _OF_AWAIT.isdisjoint(operations[start : start + 3]):
                return True
            end = operations.find(jump, end + 1)
    return False


def iterated(ids: set[int], most: int = MAX_YOUNG) -> Iterator[Any]:
    """Yields the containers of young iterators that have just yielded one of some objects.

    Args:
        ids: The ids of those objects.
        most: How many objects of each young generation are looked at, the youngest first.
    """
    # Where so many were made since the last collection, those of the next generation are older.
    for generation in (0,) if gc.get_count()[0] >= most else (0, 1):
        for each in gc.get_objects(generation=generation)[-most:]:
            kind = type(each)
            if kind in _OVER_SEQUENCES:
                items, last = _items_and_last(each)
                if type(items) not in {list, tuple}:
                    continue  # whose own code would run
                if 0 <= last < len(items) and id(items[last]) in ids:
                    yield items
            elif kind in _OVER_OTHERS:
                # They do not tell where they are.
                for container in gc.get_referents(each):
                    items = container.values() if type(container) is dict else container
                    if type(container) in {dict, deque} and not ids.isdisjoint(map(id, [*items])):
                        yield container


def _items_and_last(iterator: Any) -> tuple[Any, int]:  # noqa: ANN401 - one over a list or tuple
    """Returns what an iterator goes over, and the index of what it has yielded last."""
    _, arguments, *position = iterator.__reduce__()
    if not position:  # it is at its end
        return (), 0
    return arguments[0], position[0] + (1 if type(iterator) is _REVERSED else -1)
