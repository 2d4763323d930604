"""What the running loops go over, where no variable holds it.

`for row in fetch()["data"]` keeps the list on the interpreter's stack only. The loop's iterator
is a young object that the garbage collector knows, and an iterator tells where it is without
moving on. One that has just yielded an object which is a variable of the caller is its loop's.
"""

from __future__ import annotations

import dis
import gc
from collections import deque
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_BACKWARD: Final = dis.opmap["JUMP_BACKWARD"]
_EXTENDED: Final = dis.opmap["EXTENDED_ARG"]

_LIST: Final = type(iter([]))
_OVER_SEQUENCES: Final = frozenset({_LIST, type(iter(())), type(reversed([]))})
_OVER_OTHERS: Final = frozenset(
    {
        type(iter({}.items())),
        type(iter({}.values())),
        type(iter({})),
        type(iter(deque())),
    }
)
MAX_YOUNG: Final = 10_000
"""Objects that are looked at, at most."""


def is_in_loop(frame: FrameType) -> bool:
    """Whether a frame is inside a `for` or `while` loop or a comprehension, by its code."""
    code = frame.f_code.co_code
    operations = code[::2]
    here = frame.f_lasti
    index = operations.find(_BACKWARD, here // 2)
    while index >= 0:
        distance = code[2 * index + 1]
        before, shift = index - 1, 8
        while before >= 0 and operations[before] == _EXTENDED:
            distance |= code[2 * before + 1] << shift
            before, shift = before - 1, shift + 8
        if 2 * (index + 1 - distance) <= here:
            return True
        index = operations.find(_BACKWARD, index + 1)
    return False


def iterated(ids: set[int]) -> Iterator[Any]:
    """Yields the containers of young iterators that have just yielded one of some objects."""
    for generation in (0, 1):
        young = gc.get_objects(generation=generation)
        for each in young[-MAX_YOUNG:]:
            kind = type(each)
            if kind in _OVER_SEQUENCES:
                state = each.__reduce__()
                items, position = (state[1][0], state[2]) if len(state) > 2 else ((), 0)  # noqa: PLR2004 - an exhausted one has no position
                last = position + 1 if kind is not _LIST and kind.__name__ == "list_reverseiterator" else position - 1
                if 0 <= last < len(items) and id(items[last]) in ids:
                    yield items
            elif kind in _OVER_OTHERS:
                for container in gc.get_referents(each):
                    if type(container) is dict and not ids.isdisjoint(
                        map(id, list(container.values()))
                    ):
                        yield container
                    elif type(container) is deque and not ids.isdisjoint(map(id, list(container))):
                        yield container
