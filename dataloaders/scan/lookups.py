"""Which calls are lookups of one key, and what asks for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import libcst as cst

from .model import Scope, Site
from .names import Reaching, annotated_names, last_name, scope_of
from .syntax import arguments, dotted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .model import Argument, Binding, Changed, Handed, Place
    from .names import Names

    Given: TypeAlias = "tuple[list[cst.BaseExpression], dict[str, cst.BaseExpression]]"

FUNCTIONS: Final = {
    "get_token": ("SymbolLoader", "symbol"),
    "get_br_symbol": ("SymbolLoader", "symbol"),
    "get_brexchange": ("SymbolLoader", "symbol"),
    "get_symbol_info": ("SymbolLoader", "symbol"),
    "get_symbol": ("TokenLoader", "token"),
    "get_oa_symbol": ("BrokerSymbolLoader", "brsymbol"),
}
"""Of each function the loader that it asks, and the name of its first argument."""

METHODS: Final = frozenset({"get", "load", "require", "load_required"})
"""The methods of loaders that ask for one key."""

_OF_SYMBOLS: Final = frozenset({"SymbolLoader", "TokenLoader", "BrokerSymbolLoader"})
_OF_TABLES: Final = frozenset({"TableLoader", "GroupedTableLoader"}) | _OF_SYMBOLS
_LOADERS: Final = frozenset({"DataLoader", "RemoteLoader"}) | _OF_TABLES
_OWN: Final = frozenset({"dataloaders", "flask_dataloaders"})
_OF_MASTER: Final = {
    "symbols": "SymbolLoader",
    "broker_symbols": "BrokerSymbolLoader",
    "tokens": "TokenLoader",
}
_MAX_DEPTH: Final = 6


@dataclass(frozen=True)
class Loader:
    """A loader class.

    Attributes:
        name: What it is called.
        looks_ahead: Whether it finds the keys of a loop by itself.
        by_first_part: Whether the first part of a key is enough for that.

    """

    name: str
    looks_ahead: bool
    by_first_part: bool


@dataclass(eq=False)
class Lookup:
    """One call that asks for one key.

    Attributes:
        site: The call.
        parts: The parts of its key; None if they are not to be seen.
        loader: What is asked; None if that is no loader.
        asker: What announces for it: the function itself, or the loader.
        unmigrated: The module that the function is imported from, where that is not this library.
        is_tuple: Whether the key is a tuple of its parts.
        is_handed: Whether the function is handed over by the call, and not called.
    """

    site: Site
    parts: tuple[Argument, ...] | None
    loader: Loader | None
    asker: cst.BaseExpression
    unmigrated: str | None = None
    is_tuple: bool = True
    is_handed: bool = False

    @property
    def telling_parts(self) -> tuple[Argument, ...]:
        """The parts of its key by which look-ahead would find the others, or what they are in."""
        parts = self.parts
        if parts is None:
            parts = tuple(arg.value for arg in self.site.node.args)
        return parts[:1] if self.loader is not None and self.loader.by_first_part else parts

    @property
    def is_function(self) -> bool:
        """Whether it is one of the functions of `dataloaders.symbols`."""
        return self.loader is not None and self.asker is not _receiver(self.site.node)


class Lookups:
    """Finds lookups.

    Args:
        names: The modules that were read.
        own: Names of an application's own lookup functions and methods.
    """

    def __init__(self, names: Names, own: Iterable[str] = ()) -> None:
        self._names = names
        self._own = tuple(own)

    def lookup(self, site: Site) -> Lookup | None:
        """Returns what a call looks up, or None."""
        return self._of_function(site) or self._of_loader(site) or self._of_name(site)

    def handed(self, handed: Handed) -> Lookup | None:
        """Returns what a function looks up that is handed to `map`, or to a pool."""
        found = self.function(handed.function, handed.place)
        if found is None:
            return None
        loader, first, unmigrated = found
        parts = _parts_by_name(first, handed.plain, handed.named, is_ours=unmigrated is None)
        if parts is None:
            return None
        site = Site(handed.by, handed.place, awaited=True)
        return Lookup(site, parts, loader, handed.function, unmigrated, is_handed=True)

    def qualified(self, node: cst.BaseExpression, place: Place) -> str | Scope | None:
        """Returns what a name stands for; see `Names.qualified`."""
        return self._names.qualified(node, place)

    def announces(self, func: cst.Attribute, place: Place) -> bool:
        """Whether a method is `over` of a lookup function, or of a loader."""
        return func.attr.value == "over" and self.asked(func.value, place) is not None

    def asked(self, node: cst.BaseExpression, place: Place) -> Loader | None:
        """Returns the loader that a lookup function asks, or that an expression stands for."""
        function = self.function(node, place)
        return self.loader(node, place) if function is None else function[0]

    # -- functions

    def function(
        self, node: cst.BaseExpression, place: Place
    ) -> tuple[Loader, str, str | None] | None:
        """Returns of a lookup function its loader, first argument, and module if not ours."""
        if (
            isinstance(node, cst.Attribute)
            and node.attr.value in FUNCTIONS
            and self._is_master(node.value, place)
        ):
            return _of_symbols(node.attr.value, None)
        alias, at = self._names.aliased(node, place)
        if not isinstance(alias, cst.Name | cst.Attribute):
            return None
        node, place = alias, at
        found = self._names.qualified(node, place)
        module, _, name = _as_imported(node, place).rpartition(".")
        if isinstance(found, Scope):
            is_function = found.kind == "function" and not found.is_method
            return _of_symbols(name, module) if is_function else None
        if found is None or found.startswith("builtins."):
            return None
        if _is_own(found) and not _has_substitute(node, place):
            return _of_symbols(last_name(found), None)
        return _of_symbols(name, module)

    def _of_function(self, site: Site) -> Lookup | None:
        asker, bound = self._partial(site.node.func, site.place)
        found = self.function(asker, site.place)
        if found is None:
            return None
        loader, first, unmigrated = found
        given = arguments(site.node)
        parts: tuple[Argument, ...] | None = None
        if given is not None and bound is not None:
            parts = _parts_by_name(
                first, [*bound[0], *given[0]], bound[1] | given[1], is_ours=unmigrated is None
            )
            if parts is None:
                return None
        return Lookup(site, parts, loader, asker, unmigrated)

    def _partial(
        self, func: cst.BaseExpression, place: Place
    ) -> tuple[cst.BaseExpression, Given | None]:
        """Returns the function that a call means, and what `partial` has given it before."""
        bindings = Reaching(func.value, place).bindings if isinstance(func, cst.Name) else []
        made = bindings[0].value if len(bindings) == 1 and bindings[0].kind == "value" else None
        if (
            not isinstance(made, cst.Call)
            or not made.args
            or self._names.qualified(made.func, bindings[0].place) != "functools.partial"
        ):
            return func, ([], {})
        given = arguments(made)
        return made.args[0].value, None if given is None else (given[0][1:], given[1])

    def _is_master(self, node: cst.BaseExpression, place: Place) -> bool:
        found = self.class_of(node, place)
        return last_name(found) == "SymbolMaster"

    # -- loaders

    def _of_loader(self, site: Site) -> Lookup | None:
        func = site.node.func
        if not isinstance(func, cst.Attribute) or func.attr.value not in METHODS:
            return None
        given = arguments(site.node)
        if given is None or len(given[0]) + len(given[1]) != 1 or set(given[1]) - {"key"}:
            return None
        loader = self.loader(func.value, site.place)
        if loader is None:
            return None
        key = next(iter((*given[0], *given[1].values())))
        is_tuple = isinstance(key, cst.Tuple)
        return Lookup(site, parts_of(key), loader, func.value, is_tuple=is_tuple)

    def loader(self, node: cst.BaseExpression, place: Place) -> Loader | None:
        """Returns the class of a loader that an expression stands for, or None."""
        if isinstance(node, cst.Attribute) and node.attr.value in _OF_MASTER:
            base = node.value
            if (dotted(base) or "").rpartition(".")[2] == "master" or self._is_master(base, place):
                return Loader(_OF_MASTER[node.attr.value], looks_ahead=True, by_first_part=True)
        found = self.class_of(node, place)
        return None if found is None else self._as_loader(found)

    def class_of(
        self, node: cst.BaseExpression, place: Place, depth: int = _MAX_DEPTH
    ) -> str | Scope | None:
        """Returns the class of what an expression stands for, as far as that is plain to see."""
        if depth <= 0:
            return None
        if isinstance(node, cst.Await):
            return self.class_of(node.expression, place, depth)
        if isinstance(node, cst.Call):
            return self._class_of_call(node, place)
        if isinstance(node, cst.Name):
            for binding in Reaching(node.value, place).bindings:
                return self._class_of_binding(binding, depth - 1)
        if isinstance(node, cst.Attribute):
            return self._class_of_attribute(node, place, depth - 1)
        return None

    def owner_of(
        self, node: cst.Attribute, place: Place, depth: int = _MAX_DEPTH
    ) -> str | Scope | None:
        """Returns the class of what an attribute is an attribute of."""
        if isinstance(node.value, cst.Name) and node.value.value in {"self", "cls"}:
            return class_around(place)
        if isinstance(node.value, cst.Call) and dotted(node.value.func) == "super":
            around = class_around(place)
            return next(iter(self._names.bases(around)), None) if around is not None else None
        return self.class_of(node.value, place, depth)

    def own_method(self, func: cst.Attribute, place: Place) -> Scope | None:
        """Returns the method of `self` that is called, if that was read."""
        owner = self.owner_of(func, place)
        if not isinstance(owner, Scope) or owner.kind != "class":
            return None
        found = self._names.member(owner, func.attr.value)
        return found if isinstance(found, Scope) else None

    def _class_of_binding(self, binding: Binding, depth: int) -> str | Scope | None:
        typed = self._annotated(binding.annotation, binding.place)
        if typed is not None:
            return typed
        if binding.kind == "import" and isinstance(binding.target, str):
            return self._class_of_import(binding.target, binding.place, depth)
        if binding.value is None or binding.way or binding.kind == "parameter":
            return None
        return self.class_of(binding.value, binding.place, depth)

    def _annotated(self, annotation: cst.BaseExpression | None, place: Place) -> str | Scope | None:
        for each in annotated_names(annotation):
            if dotted(each) != "None":
                return self._names.qualified(each, place)
        return None

    def _class_of_call(self, call: cst.Call, place: Place) -> str | Scope | None:
        func = call.func
        if isinstance(func, cst.Attribute):
            if func.attr.value == "current" and not call.args:
                found = self._names.qualified(func.value, place)
                name = last_name(found)
                return found if self._as_loader(found) or not name.endswith("Loader") else name
            if func.attr.value == "loader" and len(call.args) == 1:
                return self._names.qualified(call.args[0].value, place)
        return self._names.qualified(func, place)

    def _class_of_import(self, target: str, place: Place, depth: int) -> str | Scope | None:
        """Returns the class of a variable of another module."""
        module, _, name = target.rpartition(".")
        found = self._names.module(module.lstrip("."), place.scope.source)
        if found is None or found is place.scope.module or name not in found.bindings:
            return None
        return self._class_of_binding(found.bindings[name][-1], depth - 1) if depth > 0 else None

    def _class_of_attribute(
        self, node: cst.Attribute, place: Place, depth: int
    ) -> str | Scope | None:
        owner = self.owner_of(node, place, depth)
        if not isinstance(owner, Scope) or owner.kind != "class" or depth <= 0:
            return None
        for binding in owner.bindings.get(node.attr.value, ()):
            if isinstance(binding.target, Scope):
                returns = getattr(binding.target.node, "returns", None)  # a property's
                return self._annotated(returns and returns.annotation, binding.place)
            return self._class_of_binding(binding, depth)
        for change in set_by_methods(owner, node.attr.value):
            if change.value is not None:
                return self.class_of(change.value, change.place, depth)
        return None

    def _as_loader(self, found: str | Scope | None, depth: int = _MAX_DEPTH) -> Loader | None:
        """Returns what is known of a loader class, or None if it is none."""
        if isinstance(found, str):
            name = last_name(found)
            if name in _LOADERS and (
                found == name or found.partition(".")[0] in {*_OWN, "aiodataloader"}
            ):
                return Loader(name, name in _OF_TABLES, name in _OF_SYMBOLS)
            # A class that was not read: what it is, its name tells, but not what it may do.
            if found == name and name.endswith("Loader"):
                return Loader(name, looks_ahead=False, by_first_part=False)
            return None
        if found is None or found.kind != "class" or depth == 0:
            return None
        for base in self._names.bases(found):
            known = self._as_loader(base, depth - 1)
            if known is not None:
                ahead = _class_setting(found, "lookahead")
                looks = known.looks_ahead if ahead is None else ahead == "on"
                return Loader(found.name, looks, known.by_first_part)
        return None

    # -- an application's own

    def _of_name(self, site: Site) -> Lookup | None:
        called = dotted(site.node.func)
        if called is None and isinstance(site.node.func, cst.Attribute):
            called = f"?.{site.node.func.attr.value}"
        if called is None or not any(f".{called}".endswith(f".{name}") for name in self._own):
            return None
        given = arguments(site.node)
        parts = None if given is None else (*given[0], *given[1].values())
        return Lookup(site, parts, None, site.node.func)


def _parts_by_name(
    first: str, plain: Sequence[Argument], named: Mapping[str, Argument], *, is_ours: bool
) -> tuple[Argument, ...] | None:
    """Returns a symbol and its exchange, in this order; None if other arguments are given."""
    by_name = dict(zip((first, "exchange"), plain, strict=False)) | dict(named)
    if len(plain) + len(named) != 2:  # noqa: PLR2004 - a symbol and its exchange
        return None
    if set(by_name) == {first, "exchange"}:
        return by_name[first], by_name["exchange"]
    return None if is_ours else tuple(by_name.values())


def _of_symbols(name: str, module: str | None) -> tuple[Loader, str, str | None] | None:
    if name not in FUNCTIONS:
        return None
    loader, first = FUNCTIONS[name]
    return Loader(loader, looks_ahead=True, by_first_part=True), first, module


def _as_imported(node: cst.BaseExpression, place: Place) -> str:
    """Returns what a function is called where it is imported from; "" if it is not imported."""
    if isinstance(node, cst.Attribute):
        return f"{dotted(node.value) or ''}.{node.attr.value}"
    imported = _imports_of(node, place)
    # Of several, the one that there is something to be said of.
    return next((each for each in imported if not _is_own(each)), (*imported, "")[0])


def _imports_of(node: cst.BaseExpression, place: Place) -> list[str]:
    scope = scope_of(node.value, place) if isinstance(node, cst.Name) else None
    if scope is None or not isinstance(node, cst.Name):
        return []
    return [str(each.target) for each in scope.bindings[node.value] if each.kind == "import"]


def _has_substitute(node: cst.BaseExpression, place: Place) -> bool:
    """Whether another module's function takes the place of ours, where ours cannot be imported."""
    imported = _imports_of(node, place)
    return len(imported) > 1 and not all(map(_is_own, imported))


def _is_own(module: str) -> bool:
    return module.partition(".")[0] in _OWN


def _receiver(call: cst.Call) -> cst.BaseExpression | None:
    return call.func.value if isinstance(call.func, cst.Attribute) else None


def class_around(place: Place) -> Scope | None:
    """Returns the class whose method a place is in, if it is in one."""
    scope: Scope | None = place.scope.function
    while scope is not None and scope.kind != "class":
        scope = scope.outer
    return scope


def set_by_methods(owner: Scope, name: str) -> Iterator[Changed]:
    """Yields the assignments to `self.name` in the methods of a class."""
    for bindings in owner.bindings.values():
        for binding in bindings:
            if isinstance(binding.target, Scope) and binding.target.kind == "function":
                for change in binding.target.changes:
                    if change.way == f"self.{name}":
                        yield change


def parts_of(key: Argument) -> tuple[Argument, ...]:
    """Returns the parts of a key."""
    if isinstance(key, cst.Tuple) and not any(
        isinstance(each, cst.StarredElement) for each in key.elements
    ):
        return tuple(each.value for each in key.elements)
    return (key,)


def _class_setting(scope: Scope, name: str) -> str | None:
    for binding in scope.bindings.get(name, ()):
        if isinstance(binding.value, cst.SimpleString):
            return str(binding.value.evaluated_value)
    return None
