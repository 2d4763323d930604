"""Where a part of a key comes from: a field of a loop's row, plainly made or not, an answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeGuard

import libcst as cst

from .model import RowOf, Scope
from .names import Reaching, scope_of
from .syntax import children, dotted, has_step, index_of, is_literal, is_slice, root_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .calls import Calls
    from .effects import Effects
    from .lookups import Lookups
    from .model import Argument, Binding, Changed, Frame, Loop, Place

PLAIN_METHODS: Final = frozenset(
    {
        *("strip", "lstrip", "rstrip", "upper", "lower", "replace", "removeprefix", "removesuffix"),
        *("split", "rsplit", "partition", "rpartition", "zfill", "title", "capitalize"),
    }
)
"""Methods of texts that look-ahead recognises by what they make of a field."""

_PLAIN_FUNCTIONS: Final = frozenset(
    {
        *("builtins.str", "builtins.int", "builtins.float", "builtins.dict", "builtins.tuple"),
        *("copy.copy", "copy.deepcopy"),
    }
)
_POPS: Final = frozenset({"pop", "popleft", "popitem", "get_nowait"})
_POPPING: Final = frozenset({"builtins.next", "heapq.heappop"})
_MAX_WAIT: Final = 2
"""Arguments of `Queue.get`: whether it waits, and how long."""

OF_TEXT: Final = 2
"""Arguments of `str.replace`; that of a path has one, and moves a file."""

_MAX_DEPTH: Final = 24
_MAX_STEPS: Final = 2_000
_WHOLE: Final = (
    *(cst.BooleanOperation, cst.Tuple, cst.List, cst.Dict, cst.Await, cst.Element),
    *(cst.DictElement, cst.StarredDictElement, cst.FormattedStringExpression),
)


@dataclass(frozen=True)
class Trace:
    """What a value depends on.

    Attributes:
        is_plain: Whether look-ahead can follow it: it stands in a row, or is plainly made of what
            does.
        loops: The loops that it differs in from round to round.
        is_open: Whether it depends on a parameter, of which the caller knows more.
        is_answer: Whether it comes from the answer of a lookup.
        is_carried: Whether an earlier round of the loop has left it.
        is_indexed: Whether its row is found by a number that the loop counts up.
        is_fresh: Whether a call makes it in each round, nobody knows of what.
        is_around: Whether it has a field of the row in it, and other text around.
    """

    is_plain: bool = True
    loops: frozenset[Loop] = frozenset()
    is_open: bool = False
    is_answer: bool = False
    is_carried: bool = False
    is_indexed: bool = False
    is_fresh: bool = False
    is_around: bool = False

    def with_(self, other: Trace) -> Trace:
        """Returns what depends on both."""
        return Trace(
            self.is_plain and other.is_plain,
            self.loops | other.loops,
            self.is_open or other.is_open,
            self.is_answer or other.is_answer,
            self.is_carried or other.is_carried,
            self.is_indexed or other.is_indexed,
            self.is_fresh or other.is_fresh,
            self.is_around or other.is_around,
        )

    def computed(self) -> Trace:
        """Returns what something else is made of this."""
        return replace(self, is_plain=False)


FIXED: Final = Trace()


def argument_of(name: str, place: Place, frame: Frame | None) -> tuple[Argument, Frame] | None:
    """Returns what a parameter stands for, and the frame that says so."""
    scope = scope_of(name, place)
    while frame is not None:
        if frame.function is scope:
            given = frame.arguments.get(name)
            return None if given is None else (given, frame)
        frame = frame.outer
    return None


class Tracer:
    """Follows values to where they come from.

    Args:
        lookups: Tells lookups from other calls.
        effects: Tells which calls always give the same.
        calls: Tells what functions are called with.
    """

    def __init__(self, lookups: Lookups, effects: Effects, calls: Calls) -> None:
        self._lookups = lookups
        self._effects = effects
        self._calls = calls
        self._depth = 0
        self._left = _MAX_STEPS

    def trace(self, value: Argument, place: Place, frame: Frame | None) -> Trace:
        """Returns what a value depends on, at a place that was come to by way of a frame."""
        if isinstance(value, RowOf):
            return Trace(loops=frozenset({value.loop}))
        if self._depth == 0:
            self._left = _MAX_STEPS
        self._left -= 1
        if self._depth > _MAX_DEPTH or self._left < 0:
            return FIXED.computed()
        self._depth += 1
        try:
            return self._trace(value, place, frame)
        finally:
            self._depth -= 1

    def _trace(  # noqa: PLR0911 - one for each kind of expression
        self, node: cst.BaseExpression, place: Place, frame: Frame | None
    ) -> Trace:
        if is_literal(node):
            return FIXED
        if isinstance(node, cst.Name):
            return self._of_name(node.value, place, frame)
        if isinstance(node, cst.Attribute):
            return self._with_changes(node, self.trace(node.value, place, frame), place, frame)
        if isinstance(node, cst.Subscript):
            return self._of_subscript(node, place, frame)
        if isinstance(node, cst.Call):
            return self._of_call(node, place, frame)
        if isinstance(node, cst.IfExp):
            return self._all((node.body, node.orelse), place, frame)
        if isinstance(node, cst.NamedExpr):
            return self.trace(node.value, place, frame)
        found = self._all(children(node), place, frame)
        if isinstance(node, _WHOLE) or not found.loops:
            return found
        pieces = _pieces_of(node)
        if pieces is None or sum(bool(self.trace(each, place, frame).loops) for each in pieces) > 1:
            # Of several pieces of the row, each may be too short to be told in the key.
            return found.computed()
        return found if len(pieces) == 1 else replace(found, is_around=True)

    def _all(self, nodes: Iterable[object], place: Place, frame: Frame | None) -> Trace:
        found = FIXED
        for node in nodes:
            found = found.with_(self.trace(node, place, frame))  # type: ignore[arg-type]  # any node may be gone through
        return found

    # -- variables

    def _of_name(self, name: str, place: Place, frame: Frame | None) -> Trace:
        reaching = Reaching(name, place)
        found = FIXED
        for binding in reaching.bindings:
            found = found.with_(self._of_binding(binding, place, frame))
        for binding in reaching.carried:
            if binding not in reaching.bindings:
                found = found.with_(self._carried(binding))
        return found

    def _carried(self, binding: Binding) -> Trace:
        if binding.value is None or binding.kind == "more":
            return Trace(is_carried=True, is_plain=False)
        # Seen from where the loop begins, or it would be followed round and round.
        calls = {id(each) for each in _calls_in(binding.value)}
        is_answer = any(
            self._lookups.lookup(site) is not None
            for site in binding.place.scope.function.calls
            if id(site.node) in calls
        )
        return Trace(is_carried=True, is_answer=is_answer, is_plain=False)

    def _of_binding(self, binding: Binding, place: Place, frame: Frame | None) -> Trace:
        if binding.loop is not None:
            return Trace(loops=frozenset({binding.loop}))
        if binding.kind == "parameter":
            given = argument_of(binding.name, place, frame)
            if given is None:
                return Trace(is_open=True)
            argument, by = given
            return self.trace(argument, by.place, by.outer)
        if binding.value is None:
            return FIXED
        found = self.trace(binding.value, binding.place, frame)
        return found.computed() if binding.kind == "more" and found.loops else found

    # -- what stands in rows

    def _of_subscript(self, node: cst.Subscript, place: Place, frame: Frame | None) -> Trace:
        index = index_of(node)
        if index is not None and is_literal(index):
            return self._with_changes(
                node, self._item(node.value, index, place, frame), place, frame
            )
        base = self.trace(node.value, place, frame)
        if is_slice(node):
            return base.computed() if has_step(node) and base.loops else base
        inner = FIXED if index is None else self.trace(index, place, frame)
        found = base.with_(inner)
        if index is None or (not inner.loops and not inner.is_carried):
            return self._with_changes(node, found, place, frame)
        counter = self._counted(index, node.value, place)
        if counter is not None and not base.loops:
            return Trace(loops=frozenset({counter}), is_open=base.is_open, is_indexed=True)
        return found.computed()

    def _item(
        self, node: Argument, index: cst.BaseExpression, place: Place, frame: Frame | None
    ) -> Trace:
        """Returns what an item depends on: that one alone, where its dictionary is to be seen."""
        self._left -= 1
        if isinstance(node, RowOf) or self._left < 0:
            return self.trace(node, place, frame)
        if isinstance(node, cst.Dict):
            return self._of_display(node, index, place, frame)
        if isinstance(node, cst.Name):
            reaching = Reaching(node.value, place)
            given = argument_of(node.value, place, frame)
            if given is not None:
                return self._item(given[0], index, given[1].place, given[1].outer)
            binding = reaching.bindings[0] if reaching.is_certain else None
            if binding is not None and binding.kind == "value" and not binding.way:
                assert binding.value is not None  # noqa: S101 - of that kind
                return self._item(binding.value, index, binding.place, frame)
        if isinstance(node, cst.Call):
            called = self._lookups.qualified(node.func, place)
            if _may_be_gone_into(called):
                inner = self._calls.frame_for(called, node, place, frame)
                found = FIXED
                for value, at in called.returns:
                    found = found.with_(self._item(value, index, at, inner))
                return found
        return self.trace(node, place, frame)

    def _of_display(
        self, node: cst.Dict, index: cst.BaseExpression, place: Place, frame: Frame | None
    ) -> Trace:
        found = FIXED
        for element in reversed(node.elements):
            if isinstance(element, cst.StarredDictElement):
                found = found.with_(self._item(element.value, index, place, frame))
            elif isinstance(element, cst.DictElement) and element.key.deep_equals(index):
                return found.with_(self.trace(element.value, place, frame))
        return found

    def _counted(
        self, index: cst.BaseExpression, rows: cst.BaseExpression, place: Place
    ) -> Loop | None:
        """Returns the loop that counts an index of rows up, or goes over their keys."""
        if not isinstance(index, cst.Name):
            return None
        reaching = Reaching(index.value, place)
        for binding in (*reaching.bindings, *reaching.carried):
            loop = binding.loop
            if loop is not None and loop.rows is not None:
                numbers = _is_call_of("range", loop.rows) or (
                    binding.way == (0,) and _is_call_of("enumerate", loop.rows)
                )
                if numbers or loop.rows.deep_equals(rows):
                    return loop
            elif binding.kind == "more":
                for around in binding.place.loops():
                    if around.kind == "while":
                        return around
        return None

    def _with_changes(
        self, node: cst.BaseExpression, found: Trace, place: Place, frame: Frame | None
    ) -> Trace:
        """Adds what a field was overwritten with before this place."""
        for change in overwritten(node, place):
            if change.value is None:
                found = found.computed()
            else:
                found = found.with_(self.trace(change.value, change.place, frame))
        for change, inner in overwritten_by_calls(node, place, self._calls):
            if change.value is not None:
                under = replace(inner, outer=frame)
                found = found.with_(self.trace(change.value, change.place, under))
        return found

    # -- calls

    def _of_call(  # noqa: PLR0911 - one for each kind of function
        self, node: cst.Call, place: Place, frame: Frame | None
    ) -> Trace:
        given = [arg.value for arg in node.args]
        func = node.func
        arguments = self._all(given, place, frame)
        site = place.scope.function.sites.get(id(node))
        looked_up = None if site is None else self._lookups.lookup(site)
        if looked_up is not None:
            found = self._all(looked_up.telling_parts, place, frame)
            return found.with_(Trace(is_answer=True))
        if isinstance(func, cst.Attribute):
            return self._of_method(node, func, arguments, place, frame)
        called = self._lookups.qualified(func, place)
        if called in _PLAIN_FUNCTIONS and given:
            return arguments
        if called == "builtins.getattr" and len(given) > 1 and text_of(given[1]) is not None:
            return arguments
        if called in _POPPING and given:
            popped = self._taken_off(given[0], place)
            if popped is not None:
                return popped
        if _may_be_gone_into(called):
            inner = self._calls.frame_for(called, node, place, frame)
            found = FIXED
            for value, at in called.returns:
                found = found.with_(self.trace(value, at, inner))
            return found
        if self._is_fresh(node, place, frame):
            return replace(arguments, is_plain=False, is_fresh=True)
        return arguments.computed() if arguments.loops or arguments.is_open else arguments

    def _of_method(
        self,
        node: cst.Call,
        func: cst.Attribute,
        arguments: Trace,
        place: Place,
        frame: Frame | None,
    ) -> Trace:
        base = self.trace(func.value, place, frame)
        whole = base.with_(arguments)
        method = func.attr.value
        is_of_text = method != "replace" or len(node.args) == OF_TEXT
        if method in PLAIN_METHODS and is_of_text and not arguments.loops:
            return whole
        if method == "format" and text_of(func.value) is not None and len(node.args) == 1:
            return replace(arguments, is_around=bool(arguments.loops))
        is_field = bool(node.args) and text_of(node.args[0].value) is not None
        if method == "get" and is_field and (base.loops or base.is_answer):
            return whole
        if method in _POPS or (method == "get" and len(node.args) <= _MAX_WAIT and not is_field):
            popped = self._taken_off(func.value, place)
            if popped is not None:
                return popped
        if whole.loops:
            return whole.computed()
        return replace(whole, is_fresh=True) if self._is_fresh(node, place, frame) else whole

    def _is_fresh(self, node: cst.Call, place: Place, frame: Frame | None) -> bool:
        """Whether a call is made in each round of a loop, and may give something else each time."""
        is_inside = frame is not None or next(place.loops(), None) is not None
        return is_inside and not self._effects.is_harmless(node, place)

    @staticmethod
    def _taken_off(rows: cst.BaseExpression, place: Place) -> Trace | None:
        """Returns what a row depends on that is taken off others, in a loop until they are gone."""
        if not isinstance(rows, cst.Name | cst.Attribute):
            return None
        for loop in place.loops():
            if loop.kind == "while":
                return Trace(loops=frozenset({loop}))
        return None


def _may_be_gone_into(called: str | Scope | None) -> TypeGuard[Scope]:
    """Whether what a function returns is to be seen."""
    return (
        isinstance(called, Scope)
        and called.kind == "function"
        and not called.is_generator
        and bool(called.returns)
    )


def overwritten(node: cst.BaseExpression, place: Place) -> list[Changed]:
    """Returns the assignments before a place, in the same loop, to a field as it is written."""
    root = root_of(node)
    if root is None:
        return []
    written = place.scope.source.code(node)
    return [change for change in changed_before(root, place) if change.way == written]


def changed_before(root: str, place: Place) -> list[Changed]:
    """Returns the assignments before a place, in the same loop, to fields of a variable."""
    loops = {id(loop) for loop in place.loops()}
    return [
        change
        for change in place.scope.function.changes
        if change.root == root
        and change.place.index < place.index
        and not change.way.startswith((".", "+="))
        and all(id(loop) in loops for loop in change.place.loops())
    ]


def overwritten_by_calls(
    node: cst.BaseExpression, place: Place, calls: Calls
) -> Iterator[tuple[Changed, Frame]]:
    """Yields the assignments to a field by functions that the same loop calls before a place."""
    root, function = root_of(node), place.scope.function
    loops = {id(loop) for loop in place.loops()}
    written = function.source.code(node)
    for site in function.calls:
        if (
            site.place.index >= place.index
            or not loops
            or {id(loop) for loop in site.place.loops()} != loops
            or root not in {dotted(arg.value) for arg in site.node.args}
        ):
            continue
        for called in calls.callees(site.node.func, site.place):
            inner = calls.frame_for(called, site.node, site.place, None)
            for change in called.changes:
                given = inner.arguments.get(change.root)
                is_root = isinstance(given, cst.Name) and given.value == root
                if is_root and change.way == f"{change.root}{written.removeprefix(root or '')}":
                    yield change, inner


def _pieces_of(node: cst.CSTNode) -> list[Any] | None:
    """Returns what a text is put together of; None if it is made otherwise."""
    if isinstance(node, cst.FormattedString):
        formatted = [e for e in node.parts if isinstance(e, cst.FormattedStringExpression)]
        is_plain = all(each.format_spec is None and each.conversion is None for each in formatted)
        return list(node.parts) if is_plain else None
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Add):
        return [each for side in (node.left, node.right) for each in _pieces_of(side) or [side]]
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Modulo):
        return [node.left, node.right] if text_of(node.left) is not None else None
    return None


def _calls_in(node: cst.CSTNode) -> Iterable[cst.Call]:
    if isinstance(node, cst.Call):
        yield node
    for child in children(node):
        yield from _calls_in(child)


def _is_call_of(name: str, node: cst.BaseExpression) -> bool:
    return (
        isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value == name
    )
