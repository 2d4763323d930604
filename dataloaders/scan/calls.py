"""Who calls a function, and with what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import libcst as cst

from .model import Branch, Frame, Handed, Loop, Place, RowOf, Scope
from .syntax import dotted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .lookups import Lookups
    from .model import Argument, Site
    from .names import Names

_APPLYING: Final = frozenset({"map", "imap", "imap_unordered"})
_HANDING: Final = frozenset({"submit", "run_in_executor", "apply_async", "to_thread"})
_OF_ROWS: Final = frozenset({"apply", "map", "applymap", "transform", "progress_apply"})
"""Methods of data frames and their columns."""

_ORDERING: Final = frozenset(
    {"builtins.sorted", "builtins.min", "builtins.max", "itertools.groupby"}
)
_MAX_DEPTH: Final = 8


class Calls:
    """The calls of the functions that were read.

    Args:
        names: The modules that were read.
        lookups: Tells what names stand for.
        scopes: All scopes.
    """

    def __init__(self, names: Names, lookups: Lookups, scopes: Iterable[Scope]) -> None:
        self._names = names
        self._lookups = lookups
        self._scopes = list(scopes)
        self._by_node = {id(scope.node): scope for scope in self._scopes}
        self._methods: dict[str, list[Scope]] = {}
        for scope in self._scopes:
            if scope.is_method:
                self._methods.setdefault(scope.name, []).append(scope)
        self._frames: dict[int, list[Frame]] | None = None
        self._handed: list[Handed] = []

    def of(self, function: Scope) -> list[Frame]:
        """Returns a frame for each call of a function."""
        return self._index().get(id(function), [])

    def all_handed(self) -> list[Handed]:
        """Returns the functions of others that are handed to `map`, a pool, and their like."""
        self._index()
        return self._handed

    def frame_for(
        self, function: Scope, node: cst.Call, place: Place, outer: Frame | None
    ) -> Frame:
        """Returns the frame of one call."""
        return Frame(function, _bound(function, node.args, node.func), place, outer)

    def _index(self) -> dict[int, list[Frame]]:
        if self._frames is None:
            self._frames = {}
            for scope in self._scopes:
                for site in scope.calls:
                    for frame in self._frames_of(site):
                        self._frames.setdefault(id(frame.function), []).append(frame)
        return self._frames

    def _frames_of(self, site: Site) -> Iterator[Frame]:
        node, place = site.node, site.place
        for function in self.callees(node.func, place):
            arguments = _bound(function, node.args, node.func)
            yield Frame(function, arguments, place, awaited=site.awaited)
        yield from self._handed_over(site, node.args)

    def _handed_over(  # noqa: C901 - one for each kind of call
        self, site: Site, args: Sequence[cst.Arg]
    ) -> Iterator[Frame]:
        """Yields the frames of functions that a call is given."""
        node = site.node
        name = handed_by(node)
        called = self._names.qualified(node.func, site.place)
        if name in _HANDING:
            first = 1 if name == "run_in_executor" else 0
            if len(args) > first:
                yield from self._given(site, args[first].value, args[first + 1 :])
        elif called == "threading.Thread":
            named = {arg.keyword.value: arg.value for arg in args if arg.keyword is not None}
            if "target" in named:
                yield from self._given(site, named["target"], _elements(named.get("args")))
        elif name in _APPLYING | {"filter"} and len(args) > 1:
            yield from self._applied(site, args[0].value, [arg.value for arg in args[1:]])
        elif called == "itertools.starmap" and len(args) == 2:  # noqa: PLR2004 - as it takes
            yield from self._applied(site, args[0].value, [args[1].value], is_star=True)
        elif called == "functools.reduce" and len(args) > 1:
            yield from self._applied(site, args[0].value, [args[1].value], skips=1)
        elif args and called in _ORDERING:
            for arg in args[1:]:
                if arg.keyword is None or arg.keyword.value == "key":
                    yield from self._applied(site, arg.value, [args[0].value])
        elif isinstance(node.func, cst.Attribute) and args:
            yield from self._by_method(site, node.func, args)

    def _by_method(
        self, site: Site, func: cst.Attribute, args: Sequence[cst.Arg]
    ) -> Iterator[Frame]:
        """Yields the frames of a function that a method calls for each of its object's rows."""
        named = {arg.keyword.value: arg for arg in args if arg.keyword is not None}
        if func.attr.value == "sort" and "key" in named:
            yield from self._applied(site, named["key"].value, [func.value], kind="sort")
        elif func.attr.value in _OF_ROWS and len(args) == len(named) + 1:
            more = _elements(named["args"].value) if "args" in named else []
            names = [named[name] for name in named.keys() - {"args", "axis", "na_action"}]
            yield from self._applied(
                site, args[0].value, [func.value], kind="apply", more=(*more, *names)
            )

    def _given(
        self, site: Site, function: cst.BaseExpression, args: Sequence[cst.Arg]
    ) -> Iterator[Frame]:
        """Yields the frame of a function that is handed over with its arguments."""
        called = next(self.callees(function, site.place), None)
        if called is not None:
            arguments = _bound(called, args, function)
            yield Frame(called, arguments, site.place, awaited=True, by=site.node)
        elif not any(arg.star for arg in args):
            self._hand(site, function, site.place, [], args)

    def _applied(
        self,
        site: Site,
        function: cst.BaseExpression,
        rows: list[cst.BaseExpression],
        *,
        kind: str = "map",
        is_star: bool = False,
        skips: int = 0,
        more: Sequence[cst.Arg] = (),
    ) -> Iterator[Frame]:
        """Yields the frame of a function that is called for each of some rows."""
        given: tuple[cst.Arg, ...] = ()
        if isinstance(function, cst.Call) and (dotted(function.func) or "").endswith("partial"):
            if not function.args:
                return
            given = tuple(function.args[1:])
            function = function.args[0].value
        is_lazy = kind == "map" and not isinstance(site.node.func, cst.Attribute)
        loop = Loop(kind, site.node, rows[0], site.place, is_lazy=is_lazy)
        place = Place(
            site.place.scope, Branch(site.place.branch, site.node, "body", loop), site.place.index
        )
        values: list[Argument] = [RowOf(loop, each) for each in rows]
        called = next(self.callees(function, site.place), None)
        if called is None:
            if is_star:
                values = [RowOf(loop, rows[0], (number,)) for number in (0, 1)]
            self._hand(site, function, place, values, (*given, *more))
            return
        arguments = dict(_bound(called, (*given, *more), function))
        left = [each for each in called.parameters if each not in arguments]
        if left and left[0] == called.parameters[0]:
            left = left[_skips(called, function) :]
        left = left[skips:]
        if is_star:
            values = [RowOf(loop, rows[0], (number,)) for number in range(len(left))]
        yield Frame(
            called,
            {**arguments, **dict(zip(left, values, strict=False))},
            place,
            awaited=not called.is_async,
            by=site.node,
        )

    def _hand(
        self,
        site: Site,
        function: cst.BaseExpression,
        place: Place,
        values: list[Argument],
        args: Iterable[cst.Arg],
    ) -> None:
        """Notes a function of others, which may be a lookup."""
        plain = list(values)
        named: dict[str, Argument] = {}
        for arg in args:
            if arg.keyword is None:
                plain.append(arg.value)
            else:
                named[arg.keyword.value] = arg.value
        self._handed.append(Handed(site.node, function, place, plain, named))

    # -- what is called

    def callees(self, func: cst.BaseExpression, place: Place) -> Iterator[Scope]:
        """Yields the functions that may be called, as far as they were read."""
        func, place = self._names.aliased(func, place)
        if isinstance(func, cst.Lambda):
            found = self._by_node.get(id(func))
            if found is not None:
                yield found
            return
        found = self._function_of(self._names.qualified(func, place))
        if found is not None:
            yield found
        elif isinstance(func, cst.Attribute):
            yield from self._methods_of(func, place)
        elif isinstance(func, cst.Name):
            owner = self._lookups.class_of(func, place)
            if isinstance(owner, Scope) and owner.kind == "class":
                found = self._function_of(self._names.member(owner, "__call__"))
                if found is not None:
                    yield found

    def _function_of(self, found: str | Scope | None) -> Scope | None:
        if not isinstance(found, Scope):
            return None
        if found.kind == "class":
            of_class = self._names.member(found, "__init__")
            return self._function_of(of_class or self._names.member(found, "__post_init__"))
        return found if found.kind == "function" else None

    def _methods_of(self, func: cst.Attribute, place: Place) -> Iterator[Scope]:
        name = func.attr.value
        owner = self._lookups.owner_of(func, place)
        if isinstance(owner, Scope) and owner.kind == "class":
            found = self._function_of(self._names.member(owner, name))
            if found is not None:
                yield found
            for method in self._methods.get(name, ()):
                if method is not found and method.outer and self._is_below(method.outer, owner):
                    yield method
        elif owner is None and len(self._methods.get(name, ())) == 1 and name not in _OF_BUILTINS:
            yield self._methods[name][0]

    def _is_below(self, scope: Scope, owner: Scope, depth: int = _MAX_DEPTH) -> bool:
        """Whether a class is derived from another."""
        return depth > 0 and any(
            base is owner or (isinstance(base, Scope) and self._is_below(base, owner, depth - 1))
            for base in self._names.bases(scope)
        )


_OF_BUILTINS: Final = frozenset(
    name for kind in (str, bytes, list, dict, set, int, float) for name in dir(kind)
)


def handed_by(call: cst.Call) -> str:
    """Returns the name by which a call hands a function over, to a thread for instance."""
    return call.func.attr.value if isinstance(call.func, cst.Attribute) else dotted(call.func) or ""


def _elements(node: cst.BaseExpression | None) -> list[cst.Arg]:
    """Returns the elements of a tuple or list as arguments."""
    if not isinstance(node, cst.Tuple | cst.List):
        return []
    return [
        cst.Arg(each.value, star="*" if isinstance(each, cst.StarredElement) else "")
        for each in node.elements
    ]


def _skips(function: Scope, func: cst.BaseExpression) -> int:
    """Returns how many parameters are not among the arguments: `self`."""
    if not function.is_method:
        return 0
    is_class = function.name in _SPECIAL or isinstance(func, cst.Attribute)
    return 1 if is_class else 0


_SPECIAL: Final = frozenset({"__init__", "__post_init__", "__call__"})


def _bound(  # noqa: C901 - one for each kind of argument
    function: Scope, args: Iterable[cst.Arg], func: cst.BaseExpression
) -> dict[str, Argument]:
    """Returns the arguments of a call by parameter, as far as they are known."""
    if function.name == "__post_init__":
        return {}
    skips = _skips(function, func)
    found: dict[str, Argument] = {}
    if isinstance(func, cst.Attribute) and function.name not in _SPECIAL:
        found.update(dict.fromkeys(function.parameters[:skips], func.value))
    parameters = function.parameters[skips:]
    at = 0
    for arg in args:
        if arg.star == "**":
            for name in parameters:
                if name not in found:
                    found[name] = _item(arg.value, cst.SimpleString(f'"{name}"'))
        elif arg.star == "*":
            for number, name in enumerate(parameters[at:]):
                found[name] = _item(arg.value, cst.Integer(str(number)))
            at = len(parameters)
        elif arg.keyword is not None:
            found[arg.keyword.value] = arg.value
        elif at < len(parameters):
            found[parameters[at]] = arg.value
            at += 1
    return found


def _item(value: cst.BaseExpression, index: cst.BaseExpression) -> cst.Subscript:
    return cst.Subscript(value, [cst.SubscriptElement(cst.Index(index))])
