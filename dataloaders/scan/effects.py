"""What may be done early, and once more: what has no effects but its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import libcst as cst

from .model import Loop, Place, Scope
from .names import Reaching, annotated_names, scope_of
from .syntax import children, dotted, index_of, is_literal, loaded_names, root_of, text_of
from .values import OF_TEXT, PLAIN_METHODS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .lookups import Lookups

_METHODS: Final = (PLAIN_METHODS - {"replace"}) | {
    *("startswith", "endswith", "format", "encode", "decode", "isdigit", "isdecimal", "isalpha"),
    *("isalnum", "isupper", "islower", "casefold", "swapcase", "ljust", "rjust", "center"),
    *("isoformat", "strftime", "date", "splitlines", "copy"),
}
# What goes over its argument is not among them: that may be an iterator, which ends by it.
_FUNCTIONS: Final = frozenset(
    {
        *("str", "int", "float", "bool", "len", "abs", "round", "repr", "isinstance", "ord", "chr"),
        *("divmod", "format", "hash", "type", "range"),
    }
)
_OF_LIBRARIES: Final = frozenset(
    {
        *("json.loads", "datetime.datetime.strptime", "datetime.datetime.fromisoformat"),
        *(
            "datetime.date.fromisoformat",
            "datetime.datetime.fromtimestamp",
            "re.match",
            "re.search",
            "re.fullmatch",
            "re.split",
            "re.findall",
            "math.floor",
        ),
        *("math.ceil", "math.trunc", "decimal.Decimal"),
    }
)
_CHANGING: Final = frozenset(
    {
        *(".append", ".extend", ".insert", ".pop", ".popleft", ".popitem", ".remove", ".clear"),
        *(".update", ".add", ".discard", ".setdefault", ".sort", ".reverse", ".appendleft"),
        *(".extendleft", ".put", ".send", ".write"),
    }
)
_NEVER: Final = (
    *(cst.Await, cst.Yield, cst.NamedExpr, cst.Lambda, cst.With, cst.Import, cst.ImportFrom),
    *(cst.Del, cst.Global, cst.Nonlocal, cst.FunctionDef, cst.ClassDef, cst.While, cst.Try),
    *(cst.TryStar, cst.Match),
)
_PLAIN_CLASSES: Final = (None, "builtins.dict", "builtins.str", "builtins.list", "builtins.tuple")
_MAPPINGS: Final = frozenset({"dict", "Dict", "Mapping", "MutableMapping"})
_LAST: Final = 1 << 60


class Effects:
    """Tells what has none.

    Args:
        lookups: Tells what names stand for.
        scopes: All scopes that were read.
    """

    def __init__(self, lookups: Lookups, scopes: Iterable[Scope]) -> None:
        self._lookups = lookups
        self._scopes = list(scopes)
        self._functions: dict[int, bool] = {}
        self._changed: dict[int, set[str]] = {}

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
        if isinstance(node, cst.Subscript) and not self._is_plain_item(node, place):
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

    def is_steady(self, node: cst.CSTNode, place: Place) -> bool:
        """Whether nothing changes what an expression, or a function's body, reads from outside."""
        own = place.scope.function
        for name in loaded_names(node):
            scope = scope_of(name.value, place)
            if scope is None or scope is own or scope.kind == "comprehension":
                continue
            kinds = {binding.kind for binding in scope.bindings[name.value]}
            if kinds <= {"import", "function", "class"}:
                continue
            if len(scope.bindings[name.value]) > 1 or self._is_changed(name.value, scope.module):
                return False
        return True

    def _scopes_in(self, module: Scope) -> Iterator[Scope]:
        return (scope for scope in self._scopes if scope.module is module)

    def _is_changed(self, name: str, module: Scope) -> bool:
        known = self._changed.get(id(module))
        if known is None:
            self._changed[id(module)] = known = {
                change.root
                for scope in self._scopes_in(module)
                for change in scope.changes
                if change.way in _CHANGING or not change.way.startswith(".")
            }
        return name in known

    def _is_plain_item(self, node: cst.Subscript, place: Place) -> bool:
        """Whether a subscript only reads; that of a defaultdict adds what it lacks."""
        index = index_of(node)
        if index is None or is_literal(index) or not isinstance(node.value, cst.Name):
            return True
        return self._lookups.class_of(node.value, place) in _PLAIN_CLASSES

    # -- calls

    def _is_harmless_call(self, node: cst.Call, place: Place) -> bool:
        func = node.func
        if isinstance(func, cst.Attribute) and self._lookups.qualified(func, place) is None:
            if isinstance(func.value, cst.Name) and func.value.value == "self":
                found = self._lookups.own_method(func, place)
                others = (each for each in self._scopes if each.is_method and each is not found)
                return self._is_harmless_function(found) and all(
                    each.name != func.attr.value for each in others
                )
            method, count = func.attr.value, len(node.args)
            if method in _METHODS or (method == "replace" and count == OF_TEXT):
                return self._is_plain_value(func.value, place)
            if method == "get" and count in {1, 2}:
                name = text_of(node.args[0].value)
                if name is not None and name.isidentifier():
                    return self._is_plain_value(func.value, place)
                return self._is_dict(func.value, place)
        return self._may_be_called(func, place)

    def _is_plain_value(self, node: cst.BaseExpression, place: Place) -> bool:
        """Whether an expression is a variable's, of no class or module with ways of its own."""
        root = root_of(node)
        if root is None:
            return True  # a literal, or what another call gives
        if root in {"self", "cls"} or self._lookups.qualified(cst.Name(root), place) is not None:
            return False
        return self._lookups.class_of(node, place) in _PLAIN_CLASSES

    def _is_dict(self, node: cst.BaseExpression, place: Place) -> bool:
        """Whether an expression is a dictionary that stands in the code, or is called one."""
        if isinstance(node, cst.Name):
            bindings = Reaching(node.value, place).bindings
        elif isinstance(node, cst.Attribute) and root_of(node) == "self":
            owner = self._lookups.owner_of(node, place)
            if not isinstance(owner, Scope) or owner.kind != "class":
                return False
            bindings = owner.bindings.get(node.attr.value, [])
        else:
            return False
        return bool(bindings) and all(
            isinstance(binding.value, cst.Dict | cst.DictComp)
            or any(
                (dotted(each) or "").rpartition(".")[2] in _MAPPINGS
                for each in annotated_names(binding.annotation)
            )
            for binding in bindings
        )

    def _may_be_called(self, func: cst.BaseExpression, place: Place) -> bool:
        found = self._lookups.qualified(func, place)
        if isinstance(found, str):
            module, _, name = found.rpartition(".")
            return (module == "builtins" and name in _FUNCTIONS) or found in _OF_LIBRARIES
        return self._is_harmless_function(found)

    def _is_harmless_function(self, found: Scope | None) -> bool:
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
        if yields and not self.is_steady(node.body, last):
            return False
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

    @staticmethod
    def changes_rows(loop: Loop) -> bool:
        """Whether a loop's body changes the rows that it goes over."""
        own = {binding.name for binding in loop.names}
        return any(
            change.root in own
            and change.place.is_inside(loop)
            and (change.way in _CHANGING or not change.way.startswith("."))
            for change in loop.place.scope.function.changes
        )
