"""Where a lookup stands: what its callers hold, and what else its rows may be found in."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Protocol

from .frames import (
    frame_at,
    global_containers,
    is_function,
    is_in_worker,
    readable_frames,
    variables_of,
)
from .loops import MAX_YOUNG, MAX_YOUNGEST, is_in_loop, iterated, place_of
from .origins import Root
from .reading import MAPPING, OPAQUE, items_of, kind_of, values_of
from .threads import other_stacks, starters_stack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import FrameType

GLANCE: Final = 3
"""Frames that are looked at for a lookup that may well be a single one."""

NEAREST: Final = 6
"""Frames that are looked at for the first lookup in a loop."""

MAX_HANDED_OVER: Final = 8
"""Items of a tuple that a worker was handed, among which its row may be."""


class Layer(NamedTuple):
    """What belongs together, the variables of a frame for example.

    Attributes:
        kind: As for `Root`.
        height: As for `Root`.
        values: Each with its name.
    """

    kind: str
    height: int
    values: Iterable[tuple[Any, Any]]


class Request(Protocol):
    """What a loader knows of the request that it works for."""

    shared: ClassVar[bool]

    def request_body(self) -> Any:  # noqa: ANN401 - whatever was sent
        """Returns the JSON of the request at hand if it was parsed already, or None."""

    def records_nearby(self) -> Iterable[tuple[str, list[Any]]]:
        """Yields what the scope's loaders have loaded, each by its loader's name."""


class Surroundings:
    """What can be seen from one lookup.

    Args:
        request: What the loader knows of the request.
        start: The frame that asks.
    """

    def __init__(self, request: Request, start: FrameType) -> None:
        self._request = request
        self._start = start
        self._frames = list(readable_frames(start))
        self._variables: dict[int, dict[str, Any]] = {}

    def are_a_loop(self) -> bool:
        """Whether the lookup stands in a loop."""
        return any(is_in_loop(place_of(frame), frame) for _, frame in self._frames[:NEAREST])

    @cached_property
    def is_worker(self) -> bool:
        """Whether this thread was started for its work alone."""
        return is_in_worker(self._start)

    def nearest(self, frames: int = GLANCE) -> Iterator[Layer]:
        """Yields the variables of the nearest callers.

        Those of a module are left out: they are many, and seldom a loop's.
        """
        for height, frame in self._frames[:frames]:
            if height == 0 or is_function(frame):
                yield Layer("local", height, self._variables_of(height, frame).items())

    def nearest_in_a_loop(self) -> Iterator[Layer]:
        """Yields the same, and what the loop goes over where no variable holds that."""
        yield from self.nearest(NEAREST)
        yield self._iterated(MAX_YOUNGEST)

    def whole(self) -> Iterator[Layer]:
        """Yields all that rows may be found in, the likeliest first."""
        for height, frame in self._frames:
            yield Layer("local", height, self._variables_of(height, frame).items())
        if self._request.shared and self.is_worker:
            yield from self.other_threads()
        body = self._request.request_body()
        if body is not None:
            yield Layer("body", 0, [(None, body)])
        yield self._iterated(MAX_YOUNG)
        for height, frame in self._frames:
            yield Layer("global", height, global_containers(frame).items())

    def other_threads(self) -> Iterator[Layer]:
        """Yields the variables of those that may have handed a row over to this thread."""
        stacks = other_stacks(self._start) if self._request.shared else starters_stack()
        for number, stack in enumerate(stacks):
            for height, frame in readable_frames(stack):
                variables = variables_of(frame, own_thread=False)
                # Two threads may well run the same function.
                named = [((number, name), value) for name, value in variables.items()]
                yield Layer("thread", height, named)

    def records(self) -> Iterator[tuple[Root, list[Any]]]:
        """Yields the records that the loaders nearby have loaded."""
        for name, records in self._request.records_nearby():
            yield Root("records", 0, name), records

    def handed_over(self) -> list[Any]:
        """Returns what is in the tuples that a worker was given: its arguments, a pair of a row."""
        if not self.is_worker:
            return []
        return [
            item
            for value in self._all_variables()
            if type(value) is tuple
            for item in value[:MAX_HANDED_OVER]
        ]

    def ids(self) -> set[int]:
        """Returns the ids of what the callers' variables hold."""
        return set(map(id, self._all_variables()))

    def values_at(self, root: Root) -> Iterable[Any]:
        """Returns what a root stands for here and now; nothing, if it is not there."""
        if root.kind == "loop":
            return self._looped_over()
        if root.kind == "thread":
            return ()
        if root.kind == "body":
            body = self._request.request_body()
            return () if body is None else (body,)
        if root.kind == "records":
            return [records for each, records in self.records() if each == root]
        frame = frame_at(self._start, root.height)
        if frame is None:
            return ()
        names = self._variables_of(root.height, frame) if root.kind == "local" else frame.f_globals
        return (names[root.name],) if root.name in names else ()

    def _iterated(self, most: int) -> Layer:
        return Layer("loop", 0, self._enumerated(most))

    def _enumerated(self, most: int) -> Iterator[tuple[int, Any]]:
        # A search looks at the kind of the layer to come, and may well not come to it.
        yield from enumerate(self._looped_over(most))

    def _looped_over(self, most: int = MAX_YOUNG) -> list[Any]:
        """Returns what young iterators go over that have just yielded one of the callers' objects.

        They may be another thread's: one that is at an equal text or number, or at a row that all
        threads have. So a loader that is not shared goes by rows alone, and leaves out what several
        loops have in common; and a worker, whose own loop is in the thread that handed it its row,
        does without.
        """
        if self._request.shared:
            return list(iterated(self.ids(), most))
        if self.is_worker:
            return []
        ids = {id(value) for value in self._all_variables() if kind_of(value) > OPAQUE}
        found = {id(each): each for each in iterated(ids, most)}
        own = {at: ids.intersection(map(id, _within(each))) for at, each in found.items()}
        times = Counter(chain.from_iterable(own.values()))
        return [each for at, each in found.items() if all(times[row] == 1 for row in own[at])]

    def _all_variables(self) -> Iterator[Any]:
        for height, frame in self._frames:
            yield from self._variables_of(height, frame).values()

    def _variables_of(self, height: int, frame: FrameType) -> dict[str, Any]:
        variables = self._variables.get(height)
        if variables is None:
            variables = self._variables[height] = variables_of(frame)
        return variables


def _within(container: Any) -> Iterable[Any]:  # noqa: ANN401 - a list, tuple, dictionary or queue
    return values_of(container) if kind_of(container) == MAPPING else items_of(container)
