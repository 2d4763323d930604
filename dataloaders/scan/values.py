"""Where a part of a key comes from: a field of a loop's row, plainly made or not, an answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeGuard

import libcst as cst

from .model import RowOf, Scope
from .names import Reaching, scope_of
from .syntax import children, has_step, index_of, is_literal, is_slice, root_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable

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
_POPS: Final = frozenset({"pop", "popleft", "get_nowait"})
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
    """

    is_plain: bool = True
    loops: frozenset[Loop] = frozenset()
    is_open: bool = False
    is_answer: bool = False
    is_carried: bool = False
    is_indexed: bool = False
    is_fresh: bool = False

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
        # A text put together of several pieces is seen where they are long enough, so maybe not.
        is_whole = isinstance(node, _WHOLE) or (
            isinstance(node, cst.FormattedString) and len(node.parts) == 1
        )
        return found if is_whole or not found.loops else found.computed()

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
                if _is_range(loop.rows) or loop.rows.deep_equals(rows):
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
        return found

    # -- calls

    def _of_call(self, node: cst.Call, place: Place, frame: Frame | None) -> Trace:
        given = [arg.value for arg in node.args]
        func = node.func
        arguments = self._all(given, place, frame)
        site = place.scope.function.sites.get(id(node))
        looked_up = None if site is None else self._lookups.lookup(site)
        if looked_up is not None:
            asked = looked_up.telling_parts
            found = FIXED.computed() if asked is None else self._all(asked, place, frame)
            return found.with_(Trace(is_answer=True))
        if isinstance(func, cst.Attribute):
            return self._of_method(node, func, arguments, place, frame)
        called = self._lookups.qualified(func, place)
        if called in _PLAIN_FUNCTIONS and given:
            return arguments
        if _may_be_gone_into(called):
            inner = self._calls.frame_for(called, node, place, frame)
            found = FIXED
            for value, at in called.returns:
                found = found.with_(self.trace(value, at, inner))
            return found
        is_inside = frame is not None or next(place.loops(), None) is not None
        if is_inside and not self._effects.is_harmless(node, place):
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
        is_field = bool(node.args) and text_of(node.args[0].value) is not None
        if method == "get" and is_field and (base.loops or base.is_answer):
            return whole
        if method in _POPS:
            return self._popped(func, place, whole)
        return whole.computed() if whole.loops else whole

    def _popped(self, func: cst.Attribute, place: Place, found: Trace) -> Trace:
        """Returns what a row depends on that was taken off a list, in a loop until it is empty."""
        if not isinstance(func.value, cst.Name):
            return found
        for loop in place.loops():
            if loop.kind == "while":
                return Trace(loops=frozenset({loop}))
        return found


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
    function = place.scope.function
    loops = {id(loop) for loop in place.loops()}
    written = function.source.code(node)
    return [
        change
        for change in function.changes
        if change.root == root
        and change.place.index < place.index
        and change.way == written
        and all(id(loop) in loops for loop in change.place.loops())
    ]


def _calls_in(node: cst.CSTNode) -> Iterable[cst.Call]:
    if isinstance(node, cst.Call):
        yield node
    for child in children(node):
        yield from _calls_in(child)


def _is_range(node: cst.BaseExpression) -> bool:
    return (
        isinstance(node, cst.Call)
        and isinstance(node.func, cst.Name)
        and node.func.value == "range"
    )
