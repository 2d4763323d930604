"""Who calls a function, and with what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import libcst as cst

from .model import Branch, Frame, Loop, Place, RowOf, Scope
from .syntax import dotted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .lookups import Lookups
    from .model import Argument, Site
    from .names import Names

_APPLYING: Final = frozenset({"map", "imap", "imap_unordered"})
_HANDING: Final = frozenset({"submit", "run_in_executor", "apply_async", "to_thread"})
_ORDERING: Final = frozenset({"builtins.sorted", "builtins.min", "builtins.max"})


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
        self._frames: dict[int, list[Frame]] | None = None
        self.handed: list[tuple[Site, list[Argument], Place]] = []

    def of(self, function: Scope) -> list[Frame]:
        """Returns a frame for each call of a function."""
        return self._index().get(id(function), [])

    def all_handed(self) -> list[tuple[Site, list[Argument], Place]]:
        """Returns the calls of `map` and its like with what they hand over, and where that is."""
        self._index()
        return self.handed

    def frame_for(
        self, function: Scope, node: cst.Call, place: Place, outer: Frame | None
    ) -> Frame:
        """Returns the frame of one call."""
        return Frame(
            function, _bound(function, node.args, skips=_skips(function, node.func)), place, outer
        )

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
        function = self._callee(node.func, place)
        if function is not None:
            yield Frame(
                function,
                _bound(function, node.args, skips=_skips(function, node.func)),
                place,
                awaited=site.awaited,
            )
        name = node.func.attr.value if isinstance(node.func, cst.Attribute) else dotted(node.func)
        if name in _HANDING and node.args:
            number = next(
                (at for at, arg in enumerate(node.args) if self._callee(arg.value, place)), None
            )
            if number is not None:
                handed = self._callee(node.args[number].value, place)
                if handed is not None:
                    yield Frame(
                        handed, _bound(handed, node.args[number + 1 :]), place, awaited=True
                    )
        elif name in _APPLYING | {"filter"} and len(node.args) > 1:
            yield from self._applied(site, node.args[0].value, [arg.value for arg in node.args[1:]])
        elif node.args and self._names.qualified(node.func, place) in _ORDERING:
            for arg in node.args[1:]:
                if arg.keyword is not None and arg.keyword.value == "key":
                    yield from self._applied(site, arg.value, [node.args[0].value])

    def _applied(
        self, site: Site, function: cst.BaseExpression, rows: list[cst.BaseExpression]
    ) -> Iterator[Frame]:
        """Yields the frame of a function that is called for each of some rows."""
        given: tuple[cst.Arg, ...] = ()
        if isinstance(function, cst.Call) and (dotted(function.func) or "").endswith("partial"):
            if not function.args:
                return
            given = tuple(function.args[1:])
            function = function.args[0].value
        loop = Loop(
            "map",
            site.node,
            rows[0],
            site.place,
            is_lazy=not isinstance(site.node.func, cst.Attribute),
        )
        place = Place(
            site.place.scope, Branch(site.place.branch, site.node, "body", loop), site.place.index
        )
        values: list[Argument] = [RowOf(loop, each) for each in rows]
        called = self._callee(function, site.place)
        if called is None:
            self.handed.append((site, values, place))
            return
        arguments = dict(_bound(called, given, skips=_skips(called, function)))
        left = [each for each in called.parameters if each not in arguments]
        left = left[_skips(called, function) :]
        yield Frame(
            called, {**arguments, **dict(zip(left, values, strict=False))}, place, awaited=True
        )

    def _callee(self, func: cst.BaseExpression, place: Place) -> Scope | None:
        if isinstance(func, cst.Lambda):
            return self._by_node.get(id(func))
        found = self._names.qualified(func, place)
        if found is None and isinstance(func, cst.Attribute):
            owner = self._lookups.owner_of(func, place)
            if isinstance(owner, Scope) and owner.kind == "class":
                found = self._names.member(owner, func.attr.value)
        if isinstance(found, Scope) and found.kind == "class":
            found = self._names.member(found, "__init__")
        return found if isinstance(found, Scope) and found.kind == "function" else None


def _skips(function: Scope, func: cst.BaseExpression) -> int:
    """Returns how many parameters are not among the arguments: `self`."""
    if not function.is_method:
        return 0
    is_class = function.name == "__init__" or isinstance(func, cst.Attribute)
    return 1 if is_class else 0


def _bound(function: Scope, args: Iterable[cst.Arg], *, skips: int = 0) -> dict[str, Argument]:
    """Returns the arguments of a call by parameter, as far as they are known."""
    found: dict[str, Argument] = {}
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
