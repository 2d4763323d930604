"""What a loop goes over: whether look-ahead can see it, and whether it may be read at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import libcst as cst

from .lookups import set_by_methods
from .model import RowOf, Scope
from .names import Reaching, annotated_names, last_name
from .syntax import arguments, dotted, index_of, is_literal, is_slice, text_of
from .values import argument_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .calls import Calls
    from .effects import Effects
    from .lookups import Lookups
    from .model import Binding, Frame, Place

_HELD_TYPES: Final = frozenset(
    {
        *("list", "tuple", "dict", "set", "frozenset", "deque", "OrderedDict", "defaultdict"),
        *("List", "Tuple", "Dict", "Set", "FrozenSet", "Deque", "Sequence", "MutableSequence"),
        *("Collection", "Mapping", "MutableMapping", "DataFrame", "KeysView", "ValuesView"),
        *("ItemsView", "DefaultDict"),
    }
)
_STREAM_TYPES: Final = frozenset(
    {"Iterator", "Generator", "AsyncIterator", "AsyncIterable", "AsyncGenerator", "IO", "TextIO"}
)
_HELD_METHODS: Final = frozenset(
    {
        *("items", "values", "keys", "split", "rsplit", "splitlines", "all", "fetchall"),
        *("fetchmany", "to_dict", "tolist", "json", "readlines", "copy", "most_common"),
    }
)
_HELD_FUNCTIONS: Final = frozenset(
    {
        *("builtins.list", "builtins.sorted", "builtins.tuple", "builtins.set", "builtins.dict"),
        *("builtins.frozenset", "collections.deque"),
    }
)
_OF_LISTS: Final = ("append", "sort", "extend", "insert", "reverse")
_LIBRARIES: Final = frozenset({"builtins", "collections", "itertools", "csv", "io"})
_OF_FRAMES: Final = frozenset({"iterrows", "itertuples"})
_OF_DATABASES: Final = frozenset({"cursor", "execute", "yield_per"})
_OVER_OTHERS: Final = frozenset(
    {
        *("builtins.enumerate", "builtins.zip", "builtins.reversed", "builtins.map"),
        *("builtins.filter", "builtins.iter", "itertools.islice", "itertools.chain"),
        "itertools.compress",
    }
)
_OF_FILES: Final = frozenset(
    {"csv.reader", "csv.DictReader", "builtins.open", "io.open", "io.StringIO", "io.TextIOWrapper"}
)
_MAX_DEPTH: Final = 8


@dataclass(frozen=True)
class Rows:
    """What is known of a loop's rows.

    Attributes:
        is_seen: Whether look-ahead finds them before the loop is over.
        is_finite: Whether they may be read to their end before the loop begins, so far as they
            themselves are concerned.
        is_held: Whether they are in a collection, which nothing happens to when it is gone over.
        doubt: What all this hangs on, if on anything.
        is_made: Whether code of the application's own makes them, or chooses among them, while the
            loop runs.
    """

    is_seen: bool
    is_finite: bool
    is_held: bool
    doubt: str = ""
    is_made: bool = False

    def with_(self, other: Rows) -> Rows:
        """Returns what may be either."""
        return Rows(
            self.is_seen and other.is_seen,
            self.is_finite and other.is_finite,
            self.is_held and other.is_held,
            self.doubt or other.doubt,
            self.is_made or other.is_made,
        )


HELD: Final = Rows(is_seen=True, is_finite=True, is_held=True)
STREAM: Final = Rows(is_seen=False, is_finite=False, is_held=False)


def _either(kinds: Iterable[Rows]) -> Rows | None:
    """Returns what may be any of some; None if there are none."""
    found: Rows | None = None
    for kind in kinds:
        found = kind if found is None else found.with_(kind)
    return found


def _unsure(text: str) -> Rows:
    return Rows(is_seen=True, is_finite=False, is_held=False, doubt=f"{text} is a list")


class RowKinds:
    """Tells what loops go over.

    Args:
        lookups: Tells what names stand for.
        calls: Knows who calls a function.
        effects: Tells what has effects.
    """

    def __init__(self, lookups: Lookups, calls: Calls, effects: Effects) -> None:
        self._lookups = lookups
        self._calls = calls
        self._effects = effects
        self._depth = 0

    def of(self, node: cst.BaseExpression, place: Place, frame: Frame | None) -> Rows:
        """Returns what is known of the rows that an expression has."""
        if self._depth >= _MAX_DEPTH:
            return self._of_something(node, place)
        self._depth += 1
        try:
            return self._of(node, place, frame)
        finally:
            self._depth -= 1

    def _of(  # noqa: PLR0911 - one for each kind of expression
        self, node: cst.BaseExpression, place: Place, frame: Frame | None
    ) -> Rows:
        if isinstance(node, cst.Name):
            return self._of_name(node, place, frame)
        if isinstance(node, cst.Attribute):
            return self._of_attribute(node, place)
        if isinstance(node, cst.Subscript):
            return self._of_subscript(node, place)
        if isinstance(node, cst.Call):
            return self._of_call(node, place, frame)
        if isinstance(node, cst.GeneratorExp):
            return self._of_generator(node, place, frame)
        if isinstance(node, cst.Await):
            return self.of(node.expression, place, frame)
        arms: tuple[cst.BaseExpression, ...] = ()
        if isinstance(node, cst.BooleanOperation | cst.BinaryOperation):
            arms = (node.left, node.right)
        elif isinstance(node, cst.IfExp):
            arms = (node.body, node.orelse)
        # Displays, comprehensions and texts have no arms.
        return _either(self.of(each, place, frame) for each in arms) or HELD

    def _of_subscript(self, node: cst.Subscript, place: Place) -> Rows:
        index = index_of(node)
        is_plain = isinstance(node.value, cst.Name) or (index is not None and is_literal(index))
        return HELD if is_slice(node) or is_plain else self._of_something(node, place)

    # -- variables

    def _of_name(self, node: cst.Name, place: Place, frame: Frame | None) -> Rows:
        bindings = Reaching(node.value, place).bindings
        kinds = (self._of_binding(binding, place, frame) for binding in bindings)
        return _either(kinds) or _unsure(node.value)

    def _of_binding(  # noqa: PLR0911 - one for each way to be bound
        self, binding: Binding, place: Place, frame: Frame | None
    ) -> Rows:
        found = _by_annotation(binding.annotation)
        if found is not None:
            return found
        if binding.kind == "more":
            return HELD
        if binding.kind == "parameter":
            given = argument_of(binding.name, place, frame)
            if given is None or isinstance(given[0], RowOf):
                return self._of_parameter(binding)
            return self.of(given[0], given[1].place, given[1].outer)
        loop = binding.loop
        if loop is not None and loop.rows is not None:
            # An element of something else; what a stream brings may be streams.
            is_held = self.of(loop.rows, loop.place, frame).is_held
            return HELD if is_held else _unsure(binding.name)
        if binding.value is None or binding.way:
            return _unsure(binding.name)
        return self.of(binding.value, binding.place, frame)

    def _of_parameter(self, binding: Binding) -> Rows:
        """Goes by how a parameter is used, or by what everybody hands over."""
        function = binding.place.scope
        if _is_used_as_a_list(binding.name, function):
            return HELD
        is_public = function.outer is not None and function.outer.kind in {"module", "class"}
        if is_public and not function.name.startswith("_"):
            return _unsure(binding.name)  # by others, too
        calls = self._calls.of(function)
        handed = [each for each in calls if binding.name in each.arguments]
        found = _either(self._of_argument(binding.name, each) for each in handed)
        if found is not None and len(handed) == len(calls) and (found.is_held or not found.is_seen):
            return found
        return _unsure(binding.name)

    def _of_argument(self, name: str, frame: Frame) -> Rows:
        argument = frame.arguments[name]
        return HELD if isinstance(argument, RowOf) else self.of(argument, frame.place, None)

    def _of_attribute(self, node: cst.Attribute, place: Place) -> Rows:
        owner: str | Scope | None = self._lookups.owner_of(node, place)
        if isinstance(node.value, cst.Name):
            bindings = Reaching(node.value.value, place).bindings
            if bindings and all(each.loop is not None for each in bindings):
                return HELD  # what a row has
        if isinstance(owner, Scope) and owner.kind == "class":
            for binding in owner.bindings.get(node.attr.value, ()):
                found = _by_annotation(binding.annotation)
                if found is not None:
                    return found
            kinds = [
                self.of(change.value, change.place, None)
                for change in set_by_methods(owner, node.attr.value)
                if change.value is not None
            ]
            if kinds and all(kind == HELD for kind in kinds):
                return HELD
        return self._of_something(node, place)

    # -- calls

    def _of_call(self, node: cst.Call, place: Place, frame: Frame | None) -> Rows:
        func = node.func
        given = arguments(node)
        plain = [] if given is None else given[0]
        called = self._lookups.qualified(func, place)
        found: Rows | None
        if isinstance(called, Scope):
            found = self._of_function(called, node, place, frame)
        elif called is not None and called.partition(".")[0] in _LIBRARIES:
            found = self._of_library(called, plain, place, frame)
        elif isinstance(func, cst.Attribute) and plain and self._lookups.announces(func, place):
            found = self.of(plain[0], place, frame)
        else:
            found = _by_method(func, plain)
        return found or self._of_something(node, place)

    def _of_library(
        self, called: str, plain: list[cst.BaseExpression], place: Place, frame: Frame | None
    ) -> Rows | None:
        """Returns what is known of what builtins and the standard library give."""
        if called in _HELD_FUNCTIONS:
            return HELD
        if called in _OVER_OTHERS and plain:
            return self._of_others(last_name(called), plain, place, frame)
        if called in _OF_FILES or called == "builtins.range":
            return Rows(is_seen=False, is_finite=True, is_held=called == "builtins.range")
        return STREAM if called.startswith("itertools.") else None

    def _of_others(
        self, name: str, plain: list[cst.BaseExpression], place: Place, frame: Frame | None
    ) -> Rows:
        """Returns what is known of the iterators that go over other rows."""
        is_applied = name in {"map", "filter"}
        if name in {"enumerate", "islice", "iter", "reversed"}:
            inner = plain[:1]
        else:
            inner = plain[is_applied:]
        kinds = [self.of(each, place, frame) for each in inner]
        found = _either(kinds)
        if found is None or (name == "iter" and len(plain) > 1):
            return STREAM
        found = replace(found, is_held=False, is_made=found.is_made or is_applied)
        if is_applied and not self._effects.is_harmless_function(plain[0], place):
            found = replace(found, is_finite=False)
        if name == "zip":  # those that are seen lead to the key's part that is theirs
            found = replace(found, is_seen=any(kind.is_seen for kind in kinds))
        return found

    def _of_generator(self, node: cst.GeneratorExp, place: Place, frame: Frame | None) -> Rows:
        clause = node.for_in
        source = self.of(clause.iter, place, frame)
        parts = (node.elt, *(each.test for each in clause.ifs))
        is_harmless = (
            clause.inner_for_in is None
            and all(self._effects.is_harmless(each, place) for each in parts)
            and all(self._effects.is_steady(each, place) for each in parts)
        )
        return replace(
            source, is_finite=source.is_finite and is_harmless, is_held=False, is_made=True
        )

    def _of_function(
        self, called: Scope, node: cst.Call, place: Place, frame: Frame | None
    ) -> Rows | None:
        """Returns what is known of what a function gives that was read."""
        if called.kind != "function":
            return None
        inner = self._calls.frame_for(called, node, place, frame)
        if called.is_generator:
            return self._of_generator_function(called, inner)
        if isinstance(called.node, cst.FunctionDef) and called.node.returns is not None:
            found = _by_annotation(called.node.returns.annotation)
            if found is not None:
                return found
        return _either(self.of(value, at, inner) for value, at in called.returns)

    def _of_generator_function(self, function: Scope, frame: Frame) -> Rows:
        sources = [
            self.of(loop.rows, loop.place, frame)
            for loop in self._effects.loops_of(function)
            if loop.rows is not None
        ]
        found = _either(sources)
        if found is None:
            return STREAM
        is_finite = found.is_finite and self._effects.is_harmless_generator(function)
        return replace(found, is_finite=is_finite, is_held=False, is_made=True)

    @staticmethod
    def _of_something(node: cst.BaseExpression, place: Place) -> Rows:
        return _unsure(" ".join(place.scope.source.code(node).split()))


def _by_annotation(annotation: cst.BaseExpression | None) -> Rows | None:
    names = [(dotted(each) or "").rpartition(".")[2] for each in annotated_names(annotation)]
    names = [name for name in names if name != "None"]
    if names and all(name in _HELD_TYPES for name in names):
        return HELD
    return STREAM if any(name in _STREAM_TYPES for name in names) else None


def _by_method(func: cst.BaseExpression, plain: list[cst.BaseExpression]) -> Rows | None:
    """Returns what methods give whose names are known everywhere."""
    if not isinstance(func, cst.Attribute):
        return None
    if func.attr.value in _OF_FRAMES:
        return Rows(is_seen=True, is_finite=True, is_held=False)
    if func.attr.value in _OF_DATABASES:
        return Rows(is_seen=False, is_finite=func.attr.value == "cursor", is_held=False)
    is_item = func.attr.value == "get" and bool(plain) and (text_of(plain[0]) or "").isidentifier()
    return HELD if is_item or func.attr.value in _HELD_METHODS else None


def _is_used_as_a_list(name: str, function: Scope) -> bool:
    """Whether a function does with a parameter what collections alone allow: `len(rows)`."""
    for site in function.calls:
        if any(branch.loop is None for branch in site.place.branches()):
            continue
        func, args = site.node.func, site.node.args
        if dotted(func) == "len" and len(args) == 1 and dotted(args[0].value) == name:
            return True
        if dotted(func) in {f"{name}.{method}" for method in _OF_LISTS}:
            return True
    return False
