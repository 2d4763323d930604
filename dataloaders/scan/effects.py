"""What may be done early, and once more: what has no effects but its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import libcst as cst

from .model import Loop, Place, Scope
from .names import Reaching
from .syntax import children, dotted, loaded_names, root_of
from .values import PLAIN_METHODS

if TYPE_CHECKING:
    from .lookups import Lookups

_METHODS: Final = PLAIN_METHODS | {
    *("startswith", "endswith", "format", "join", "encode", "decode", "items", "values", "keys"),
    *("isdigit", "isdecimal", "isalpha", "isalnum", "isupper", "islower", "find", "rfind", "index"),
    *(
        "count",
        "casefold",
        "swapcase",
        "ljust",
        "rjust",
        "center",
        "isoformat",
        "strftime",
        "date",
        "splitlines",
    ),
}
_FUNCTIONS: Final = frozenset(
    {
        *("str", "int", "float", "bool", "len", "min", "max", "abs", "round", "repr", "tuple"),
        *("list", "dict", "set", "frozenset", "sorted", "isinstance", "ord", "chr", "divmod"),
        *("format", "sum", "any", "all", "range", "enumerate", "zip", "reversed", "hash", "type"),
    }
)
_MODULES: Final = frozenset({"re", "math", "decimal", "fractions", "operator", "string"})
_NEVER: Final = (
    *(cst.Await, cst.Yield, cst.NamedExpr, cst.Lambda, cst.With, cst.Import, cst.ImportFrom),
    *(cst.Del, cst.Global, cst.Nonlocal, cst.FunctionDef, cst.ClassDef, cst.While, cst.Try),
    *(cst.TryStar, cst.Match),
)
_LAST: Final = 1 << 60


class Effects:
    """Tells what has none.

    Args:
        lookups: Tells what names stand for.
    """

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups
        self._functions: dict[int, bool] = {}

    def is_harmless(self, node: cst.CSTNode, place: Place, *, yields: bool = False) -> bool:
        """Whether evaluating this has no effects; in doubt it has.

        Args:
            node: An expression, or a statement.
            place: Where it stands.
            yields: Whether it may yield, as the body of a generator does.
        """
        if isinstance(node, _NEVER) and not (yields and isinstance(node, cst.Yield)):
            return False
        if isinstance(node, cst.Call) and not self._is_harmless_call(node, place):
            return False
        if isinstance(node, cst.For) and node.asynchronous is not None:
            return False
        return all(self.is_harmless(child, place, yields=yields) for child in children(node))

    def is_harmless_function(self, node: cst.BaseExpression, place: Place) -> bool:
        """Whether what a function's name stands for has no effects when it is called."""
        if isinstance(node, cst.Lambda):
            return self.is_harmless(node.body, place)
        return self._may_be_called(node, place)

    def is_harmless_generator(self, function: Scope) -> bool:
        """Whether a generator does nothing but yield."""
        return self._is_harmless_body(function, yields=True)

    @staticmethod
    def loops_of(function: Scope) -> list[Loop]:
        """Returns the loops of a function, as they stand in it."""
        found: dict[int, Loop] = {}
        for bindings in function.bindings.values():
            for binding in bindings:
                if binding.loop is not None:
                    found[id(binding.loop)] = binding.loop
        return list(found.values())

    # -- calls

    def _is_harmless_call(self, node: cst.Call, place: Place) -> bool:
        func = node.func
        if isinstance(func, cst.Attribute):
            method = func.attr.value
            if method in _METHODS and not isinstance(self._lookups.qualified(func, place), Scope):
                return self._is_plain_value(func.value, place)
            if method == "get" and len(node.args) in {1, 2}:
                return self._is_plain_value(func.value, place)
        return self._may_be_called(func, place)

    def _is_plain_value(self, node: cst.BaseExpression, place: Place) -> bool:
        """Whether an expression is a variable's, of no class or module with ways of its own."""
        root = root_of(node)
        if root is None:
            return True  # a literal, or what another call gives
        if root in {"self", "cls"} or isinstance(
            self._lookups.qualified(cst.Name(root), place), str
        ):
            return False
        return self._lookups.class_of(node, place) in {None, "builtins.dict", "builtins.str"}

    def _may_be_called(self, func: cst.BaseExpression, place: Place) -> bool:
        found = self._lookups.qualified(func, place)
        if isinstance(found, str):
            module, _, name = found.rpartition(".")
            return (module == "builtins" and name in _FUNCTIONS) or module in _MODULES
        return (
            found is not None
            and found.kind == "function"
            and not found.is_async
            and not found.is_generator
            and self._is_harmless_body(found, yields=False)
        )

    def _is_harmless_body(self, function: Scope, *, yields: bool) -> bool:
        known = self._functions.get(id(function))
        if known is None:
            self._functions[id(function)] = False  # of a recursion nothing is known
            known = self._functions[id(function)] = self._judged(function, yields=yields)
        return known

    def _judged(self, function: Scope, *, yields: bool) -> bool:
        node = function.node
        if not isinstance(node, cst.FunctionDef) or function.writes_outside or function.is_async:
            return False
        decorators = {dotted(each.decorator) for each in node.decorators}
        if not decorators <= {"staticmethod", "cache", "functools.cache"}:
            return False
        for change in function.changes:
            own = change.root in function.bindings and change.way == "+="
            if not (own or change.way.startswith(".")):
                return False
        last = Place(function, None, _LAST)
        return self.is_harmless(node.body, last, yields=yields)

    # -- rows and what a loop does with them

    def interferes(self, rows: cst.BaseExpression, loop: Loop) -> str | None:
        """Returns a variable of the rows that the loop's body uses as well, or None."""
        function = loop.place.scope.function
        used = {name.value for name in loaded_names(rows)}
        for change in function.changes:
            if change.root in used and change.place.is_inside(loop):
                return change.root
        for site in function.calls:
            if site.place.is_inside(loop):
                for arg in site.node.args:
                    if isinstance(arg.value, cst.Name) and arg.value.value in used:
                        return arg.value.value
        for name in used:
            for binding in Reaching(name, loop.place).carried:
                if binding.place.is_inside(loop):
                    return name
        return None
