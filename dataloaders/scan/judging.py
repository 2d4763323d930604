"""Which loops come to a lookup, and what is to be said of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Final

import libcst as cst

from .calls import Calls, handed_by
from .effects import Effects
from .finding import BY_HAND, ONE_LINE, SEEN
from .mending import Mender, RefusedError
from .names import Reaching, last_name
from .rows import RowKinds
from .syntax import arguments, loaded_names
from .values import FIXED, Trace, Tracer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .lookups import Lookup, Lookups
    from .mending import Announcement
    from .model import Frame, Loop, Place, Scope
    from .names import Names

MAX_CALLS: Final = 4
"""Calls between a loop and a lookup, at most."""

_MAX_WAYS: Final = 64
_ANNOUNCED: Final = "announced"
_OF_POOLS: Final = frozenset({"submit", "map", "imap", "imap_unordered", "apply_async", "Thread"})
_GROWING: Final = frozenset({".append", ".appendleft", ".extend", ".extendleft", ".put", ".insert"})


@dataclass(frozen=True)
class Case:
    """A lookup, a loop that comes to it, and what is to be said.

    Attributes:
        lookup: The lookup.
        loop: The loop.
        verdict: SEEN, ONE_LINE or BY_HAND.
        reason: Why.
        announcement: What would announce its keys, if that is safe.
        frame: By which calls the loop comes to it.
    """

    lookup: Lookup
    loop: Loop
    verdict: str
    reason: str
    announcement: Announcement | None
    frame: Frame | None = None


class Judge:
    """Judges the lookups of all modules that were read.

    Args:
        names: The modules.
        lookups: Tells what a lookup is.
        scopes: All scopes of the modules.
    """

    def __init__(self, names: Names, lookups: Lookups, scopes: Iterable[Scope]) -> None:
        self._lookups = lookups
        self._scopes = list(scopes)
        self._calls = Calls(names, lookups, self._scopes)
        effects = Effects(lookups, self._scopes)
        self._in_loops: dict[tuple[int, int], bool] = {}
        self._tracer = Tracer(lookups, effects, self._calls)
        self._kinds = RowKinds(lookups, self._calls, effects)
        self._mender = Mender(lookups, self._kinds, effects, self._calls)

    def cases(self) -> Iterator[Case]:
        """Yields each lookup with each loop that comes to it."""
        cases = list(self._each_alone())
        written: dict[int, set[str]] = {}
        for case in cases:
            if case.announcement is not None:
                written.setdefault(id(case.loop), set()).add(case.announcement.after)
        for case in cases:
            ours = tuple(written.get(id(case.loop), ()))
            if case.reason != _ANNOUNCED or case.announcement is not None or not ours:
                yield case
            else:  # what announces another lookup's keys does not announce those of this one
                yield self._judged(case.lookup, case.loop, case.frame, of_others=ours)

    def _each_alone(self) -> Iterator[Case]:
        called = (self._lookups.lookup(site) for scope in self._scopes for site in scope.calls)
        handed = (self._lookups.handed(each) for each in self._calls.all_handed())
        for lookup in (*called, *handed):
            if lookup is None:
                continue
            try:
                yield from list(self._cases_of(lookup))
            except RecursionError:
                for loop in islice(lookup.site.place.loops(), 1):
                    yield Case(lookup, loop, BY_HAND, "it is nested too deep to be followed", None)

    def _cases_of(self, lookup: Lookup) -> Iterator[Case]:
        place = lookup.site.place
        own = list(place.loops())
        trace = self._trace(lookup, None)
        if own and (trace.loops or not trace.is_open):
            yield self._judged(lookup, _pick(own, trace), None)
            return
        seen: set[int] = set()
        for frame in islice(self._ways_to(place.scope.function, MAX_CALLS), _MAX_WAYS):
            loops = [*own, *(loop for each in _frames(frame) for loop in each.place.loops())]
            loop = _pick(loops, self._trace(lookup, frame))
            if id(loop) not in seen:
                seen.add(id(loop))
                yield self._judged(lookup, loop, frame)
        if own and not seen:
            yield self._judged(lookup, own[0], None)

    def _ways_to(self, function: Scope, calls: int) -> Iterator[Frame]:
        """Yields the frames of a function under those of its callers, up to a loop."""
        for frame in self._calls.of(function):
            if next(frame.place.loops(), None) is not None:
                yield frame
            elif calls > 1 and self._is_in_a_loop(frame.place.scope.function, calls - 1):
                for outer in self._ways_to(frame.place.scope.function, calls - 1):
                    yield replace(frame, outer=outer)

    def _is_in_a_loop(self, function: Scope, calls: int) -> bool:
        """Whether a loop comes to a function, by so many calls at most."""
        known = self._in_loops.get((id(function), calls))
        if known is None:
            self._in_loops[id(function), calls] = known = any(
                next(frame.place.loops(), None) is not None
                or (calls > 1 and self._is_in_a_loop(frame.place.scope.function, calls - 1))
                for frame in self._calls.of(function)
            )
        return known

    def _trace(self, lookup: Lookup, frame: Frame | None) -> Trace:
        """Returns what the parts depend on by which look-ahead would find the others."""
        found = FIXED
        for part in lookup.telling_parts:
            found = found.with_(self._tracer.trace(part, lookup.site.place, frame))
        return found

    # -- verdicts

    def _judged(
        self,
        lookup: Lookup,
        loop: Loop,
        frame: Frame | None,
        *,
        of_others: tuple[str, ...] = (),
    ) -> Case:
        announcement, refusal = None, ""
        try:
            announcement = self._mender.announcement(lookup, loop, frame)
        except RefusedError as error:
            refusal = str(error)
        verdict, reason = self._verdict(lookup, loop, frame, of_others)
        if verdict == ONE_LINE and announcement is None:
            verdict, reason = BY_HAND, f"{reason}; {refusal}" if reason else refusal
        return Case(lookup, loop, verdict, reason, announcement, frame)

    def _verdict(  # noqa: PLR0911 - one for each thing to be said
        self, lookup: Lookup, loop: Loop, frame: Frame | None, of_others: tuple[str, ...]
    ) -> tuple[str, str]:
        if lookup.loader is None:
            return ONE_LINE, ""
        if self._is_announced(lookup, loop, of_others):
            return SEEN, _ANNOUNCED
        if _is_awaitable(lookup) and _is_left_running(lookup, frame):
            return SEEN, "its futures are one batch"
        trace = self._trace(lookup, frame)
        obstacle = _obstacle(trace, loop) or self._thread(lookup, loop, frame, trace)
        if obstacle is not None:
            return BY_HAND, obstacle
        if not trace.loops and trace.is_fresh:
            return BY_HAND, "its key may be another one each time; get_many where they are known"
        if not trace.loops and not trace.is_answer and not (trace.is_open and frame is not None):
            return SEEN, "the same key each time"
        if _is_left_running(lookup, frame):
            return ONE_LINE, "it runs when the loop is elsewhere"
        if lookup.loader.looks_ahead:
            return self._as_seen(trace, loop)
        if trace.is_answer:
            return BY_HAND, "its key is another lookup's answer; get_many for each of the two steps"
        return ONE_LINE, f"{lookup.loader.name} fetches what is announced"

    def _thread(self, lookup: Lookup, loop: Loop, frame: Frame | None, trace: Trace) -> str | None:
        """Returns why no announcement helps in a thread: most know nothing of the scope."""
        for call, place in _handing(lookup, frame):
            name = handed_by(call)
            if name == "run_in_executor":
                return (
                    "its thread does not know the scope; asyncio.to_thread with `over`, or get_many"
                )
            if name not in _OF_POOLS or not isinstance(call.func, cst.Attribute):
                continue
            pool = self._lookups.class_of(call.func.value, place)
            is_seen = trace.is_plain and self._as_seen(trace, loop)[0] == SEEN
            if last_name(pool) != "ScopeThreadPoolExecutor" and not is_seen:
                text = place.scope.source.code(call.func.value)
                return (
                    f"its key is computed, and `{text}` does not know what is announced; "
                    "ScopeThreadPoolExecutor does"
                )
        return None

    def _as_seen(self, trace: Trace, loop: Loop) -> tuple[str, str]:
        """Returns what look-ahead makes of a loop."""
        if not trace.is_plain:
            return ONE_LINE, "its key is computed"
        doubts = ["its fields are long enough to be told in the key"] if trace.is_around else []
        if loop.rows is not None and not trace.is_indexed:
            rows = self._kinds.of(loop.rows, loop.place, None)
            if not rows.is_seen:
                return ONE_LINE, "its rows come one at a time"
            doubts += [rows.doubt] if rows.doubt else []
        return SEEN, f"as long as {', and '.join(doubts)}" if doubts else ""

    def _is_announced(self, lookup: Lookup, loop: Loop, of_others: tuple[str, ...]) -> bool:
        """Whether the loop's rows, or keys before it, are announced to this loader."""
        announcing: list[tuple[cst.BaseExpression, Place]] = []
        left = [] if loop.rows is None else [_written_out(loop.rows, loop.place)]
        while left:
            node = left.pop()
            if not isinstance(node, cst.Call):
                continue
            if (
                isinstance(node.func, cst.Attribute)
                and node.func.attr.value == "over"
                and not loop.place.scope.source.code(node).endswith(of_others)
            ):
                announcing.append((node.func.value, loop.place))
            given = arguments(node)
            left += [] if given is None else given[0]
        function = loop.place.scope.function
        for site in function.calls:
            func = site.node.func
            if (
                isinstance(func, cst.Attribute)
                and func.attr.value == "expect"
                and site.place.index < loop.place.index
            ):
                announcing.append((func.value, site.place))
        return any(self._is_asked(lookup, node, place) for node, place in announcing)

    def _is_asked(self, lookup: Lookup, node: cst.BaseExpression, place: Place) -> bool:
        """Whether an expression stands for the loader of a lookup."""
        loader = self._lookups.asked(node, place)
        return (
            loader is not None and lookup.loader is not None and loader.name == lookup.loader.name
        )


def _written_out(rows: cst.BaseExpression, place: Place) -> cst.BaseExpression:
    """Returns what a variable holds for certain, if rows are one."""
    if isinstance(rows, cst.Name):
        reaching = Reaching(rows.value, place)
        binding = reaching.bindings[0] if reaching.is_certain else None
        if binding is not None and binding.kind == "value" and not binding.way:
            return binding.value or rows
    return rows


def _frames(frame: Frame | None) -> Iterator[Frame]:
    while frame is not None:
        yield frame
        frame = frame.outer


def _pick(loops: list[Loop], trace: Trace) -> Loop:
    """Returns the innermost of some loops that a key differs in."""
    return next((loop for loop in loops if loop in trace.loops), loops[0])


def _is_awaitable(lookup: Lookup) -> bool:
    func = lookup.site.node.func
    method = func.attr.value if isinstance(func, cst.Attribute) else ""
    return not lookup.is_function and method in {"load", "load_required"}


def _is_left_running(lookup: Lookup, frame: Frame | None) -> bool:
    """Whether the loop goes on before the answer is there, as with `asyncio.gather`."""
    if _is_awaitable(lookup) and not lookup.site.awaited:
        return True
    if any(handed_by(call) == "to_thread" for call, _ in _handing(lookup, frame)):
        return True
    return any(each.function.is_async and not each.awaited for each in _frames(frame))


def _handing(lookup: Lookup, frame: Frame | None) -> Iterator[tuple[cst.Call, Place]]:
    """Yields the calls on the way to a lookup that hand a function over."""
    if lookup.is_handed:
        yield lookup.site.node, lookup.site.place
    for each in _frames(frame):
        if each.by is not None:
            yield each.by, each.place


def _obstacle(trace: Trace, loop: Loop) -> str | None:
    """Returns why no announcement of rows helps, and what does."""
    if _is_in_other_processes(loop):
        return "other processes look it up; look it up before they are given work"
    if trace.is_carried:
        what = "an earlier answer" if trace.is_answer else "what an earlier round has left"
        return f"its key depends on {what}; expect or get_many where the next keys are known"
    if loop.kind == "sort":
        return "a list is empty while it is sorted; use sorted, or announce the keys with expect"
    if loop.kind == "while" and _grows(loop):
        return "the loop adds to what it goes over; expect each addition"
    if loop.kind == "async for":
        return "its rows come one at a time; collect them first, or use get_many"
    return None


def _is_in_other_processes(loop: Loop) -> bool:
    if loop.kind != "map" or not isinstance(loop.node, cst.Call):
        return False
    func = loop.node.func
    if not isinstance(func, cst.Attribute) or not isinstance(func.value, cst.Name):
        return False
    source = loop.place.scope.source
    bound = loop.place.scope.function.bindings.get(func.value.value, ())
    return any(each.value is not None and "Process" in source.code(each.value) for each in bound)


def _grows(loop: Loop) -> bool:
    """Whether a while loop adds to what its condition asks for."""
    if not isinstance(loop.node, cst.While):
        return False
    tested = {name.value for name in loaded_names(loop.node.test)}
    return any(
        change.root in tested and change.way in _GROWING and change.place.is_inside(loop)
        for change in loop.place.scope.function.changes
    )
