"""The changed line: what announces a loop's keys before it runs."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import libcst as cst

from .model import RowOf
from .names import Reaching, scope_of
from .syntax import arguments, children, index_of, is_literal, loaded_names, root_of, text_of
from .values import argument_of, changed_before, overwritten, overwritten_by_calls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .calls import Calls
    from .effects import Effects
    from .lookups import Lookup, Lookups
    from .model import Argument, Binding, Branch, Frame, Loop, Place, Scope
    from .rows import RowKinds, Rows

_ROW: Final = "row__"
_ROW_NAMES: Final = ("row", "item", "each", "one", "element")
_OF_LOADERS: Final = frozenset({"current", "loader"})
_ATOMS: Final = (cst.Name, cst.Attribute, cst.Subscript, cst.Call, cst.Tuple, cst.List, cst.Dict)
_MAX_DEPTH: Final = 24


class RefusedError(Exception):
    """Why a loop is not to be changed without looking at it."""


@dataclass(frozen=True)
class Announcement:
    """What is put around the rows of a loop.

    Attributes:
        rows: The rows.
        before: The text before them.
        after: The text after them.
        keys: The parts of a row's key, as code; the text may say the same in several ways.
    """

    rows: cst.BaseExpression
    before: str
    after: str
    keys: tuple[str, ...]


class Mender:
    """Finds the announcement that helps a lookup.

    Args:
        lookups: Tells what names stand for.
        kinds: Tells what loops go over.
        effects: Tells what may be done early.
        calls: Tells what functions are called.
    """

    def __init__(self, lookups: Lookups, kinds: RowKinds, effects: Effects, calls: Calls) -> None:
        self._lookups = lookups
        self._calls = calls
        self._kinds = kinds
        self._effects = effects

    def announcement(self, lookup: Lookup, loop: Loop, frame: Frame | None) -> Announcement:
        """Returns what to put around the rows of a loop.

        Raises:
            RefusedError: It may change what the loop does, or nothing would come of it.
        """
        if lookup.loader is None:
            raise RefusedError("needs a loader of its own (a TableLoader, or a DataLoader)")
        if loop.rows is None:
            raise RefusedError("what a while loop is about to ask for is known to itself alone")
        if loop.kind in {"apply", "sort"}:
            raise RefusedError("announce them before, with expect")
        if loop.kind == "async for":
            raise RefusedError("its rows come one at a time; collect them first, or use get_many")
        if loop.place.scope.kind == "class":
            raise RefusedError("it stands in the body of a class")
        if lookup.parts is None:
            raise RefusedError("the arguments are behind stars")
        rendering = _Rendering(self._effects, self._calls, loop)
        site = lookup.site
        parts = [rendering.part(part, site.place, frame) for part in lookup.parts]
        if not any(_has_row(part) for part in parts):
            raise RefusedError("the key is the same in each round, or not of the row")
        rows, way = _innermost(loop, rendering.ways, self._lookups)
        certain = frame is None and _is_certain(site.place, loop)
        asker = self._asker(lookup, loop, frame)
        parts = [_without(part, way) for part in parts]
        fields = _fields(parts, lookup, loop, way, by_name=certain)
        keys = tuple(map(_code, parts))
        found = Announcement(rows, f"{asker}.over(", f", {fields})", keys)
        if isinstance(rows, cst.Tuple) and not rows.lpar:
            found = Announcement(rows, f"{asker}.over((", f"), {fields})", keys)
        self._check_rows(self._kinds.of(rows, loop.place, None), found, loop)
        return found

    def _check_rows(self, kind: Rows, found: Announcement, loop: Loop) -> None:
        rows = found.rows
        if kind.is_held:
            return
        text = _one_line(loop.place.scope.source.code(rows))
        if not kind.is_finite:
            raise RefusedError(
                f"`{text}` may have effects or no end when it is read before the loop; "
                f"if it is a list, go over `{found.before}{text}{found.after}`"
            )
        if loop.is_lazy:
            raise RefusedError(f"`{text}` is read only as far as somebody asks for")
        if loop.exits:
            raise RefusedError(f"`{text}` is not read to its end ({min(loop.exits)})")
        if kind.is_made and self._effects.changes_rows(loop):
            raise RefusedError(f"the loop changes its rows, by which `{text}` may choose them")
        name = self._effects.interferes(rows, loop)
        if name is not None:
            raise RefusedError(f"the loop uses `{name}`, which `{text}` is made of")

    # -- who announces

    def _asker(self, lookup: Lookup, loop: Loop, frame: Frame | None) -> str:
        if lookup.is_function:
            return self._function_at(lookup, loop)
        self._check_asker(lookup, loop, frame)
        rendering = _Rendering(self._effects, self._calls, loop, loaders=True)
        rendered = rendering.part(lookup.asker, lookup.site.place, frame)
        if _has_row(rendered):
            raise RefusedError("each row has a loader of its own")
        return _one_line(_code(rendered))

    @staticmethod
    def _check_asker(lookup: Lookup, loop: Loop, frame: Frame | None) -> None:
        """Refuses a loader that is asked on a condition: without it there may be none."""
        place = lookup.site.place
        if frame is None:
            names = {name.value for name in loaded_names(lookup.asker)}
            conditions = list(_conditions(place, loop))
            tested = {name.value for branch in conditions for name in loaded_names(_tested(branch))}
            is_doubtful = bool(names & tested) or (
                bool(conditions) and not isinstance(lookup.asker, cst.Name | cst.Attribute)
            )
        else:
            is_doubtful = next(place.branches(), None) is not None or any(
                at.index < place.index for _, at in place.scope.function.returns
            )
        if is_doubtful:
            text = _one_line(_code(lookup.asker))
            raise RefusedError(f"`{text}` is asked on a condition, and without it may not be there")

    def _function_at(self, lookup: Lookup, loop: Loop) -> str:
        """Returns what the function, or one of the same loader, is called where the loop stands."""
        root = root_of(lookup.asker)
        if root is None:
            raise RefusedError("the function is the result of another call")
        scope = scope_of(root, lookup.site.place)
        if scope is not None and scope_of(root, loop.place) is scope:
            known = Reaching(root, loop.place).bindings
            if known and not Reaching(root, loop.place).carried:
                return loop.place.scope.source.code(lookup.asker)
        module = loop.place.scope.module
        for name, bindings in module.bindings.items():
            if bindings[-1].kind == "import" and scope_of(name, loop.place) is module:
                found = self._lookups.function(cst.Name(name), loop.place)
                if (
                    found is not None
                    and found[0] == lookup.loader
                    and found[2] == lookup.unmigrated
                ):
                    return name
        raise RefusedError(
            f"the loop is in a module that does not import {_code(lookup.asker)}; "
            "import it there, and announce its rows"
        )


class _Rendering:
    """Writes expressions of a loop's body, or of a function that it calls, in terms of its row."""

    def __init__(
        self, effects: Effects, calls: Calls, loop: Loop, *, loaders: bool = False
    ) -> None:
        self._effects = effects
        self._calls = calls
        self._loop = loop
        self._loaders = loaders
        self._depth = 0
        self.ways: list[tuple[int, ...]] = []

    def part(self, value: Argument, place: Place, frame: Frame | None) -> cst.BaseExpression:
        """Returns an expression of `_ROW` and of what is known before the loop."""
        if isinstance(value, RowOf):
            return self._row(value)
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise RefusedError("the key is made in too many steps")
        try:
            self._check(value, place)
            replaced = self._overwritten(value, place, frame)
            replaced |= {
                id(name): self._name(name, place, frame)
                for name in loaded_names(value)
                if not is_literal(name)
            }
        finally:
            self._depth -= 1
        found = value.visit(_Replacing(replaced))
        assert isinstance(found, cst.BaseExpression)  # noqa: S101 - no node is removed
        return found

    def _row(self, value: RowOf) -> cst.BaseExpression:
        if value.loop is not self._loop:
            raise RefusedError("the key is made in another loop")
        if value.rows is not self._loop.rows:
            raise RefusedError("its parts come from several lists; use get_many, or zip them first")
        self.ways.append(value.way)
        return _item_at(cst.Name(_ROW), value.way)

    def _check(self, node: cst.BaseExpression, place: Place) -> None:
        text = _one_line(place.scope.source.code(node))
        if _has_inner_names(node):
            raise RefusedError(f"`{text}` is better made by hand")
        if not self._loaders and not self._effects.is_harmless(node, place):
            raise RefusedError(f"`{text}` may have effects, so it is not to be called early")
        if self._loaders and not _is_way_to_loader(node):
            raise RefusedError(f"`{text}` is made anew in each round")

    def _overwritten(
        self, node: cst.BaseExpression, place: Place, frame: Frame | None
    ) -> dict[int, cst.BaseExpression]:
        """Returns what the loop has put in the place of fields before it asks."""
        found: dict[int, cst.BaseExpression] = {}
        around = {id(branch) for branch in place.branches()}
        fields = _fields_in(node)
        parts = {id(name) for each in fields for name in loaded_names(each)}
        for name in loaded_names(node):
            if id(name) not in parts and changed_before(name.value, place):
                raise RefusedError(f"the loop changes `{name.value}` before it asks")
        for each in fields:
            changes = overwritten(each, place)
            by_others = next(overwritten_by_calls(each, place, self._calls), None)
            if not changes and by_others is None:
                continue
            change = changes[0] if len(changes) == 1 and by_others is None else None
            if (
                change is None
                or change.value is None
                or any(id(branch) not in around for branch in change.place.branches())
            ):
                raise RefusedError(f"the loop overwrites `{_code(each)}` before it asks")
            found[id(each)] = self.part(change.value, change.place, frame)
        return found

    def _name(self, node: cst.Name, place: Place, frame: Frame | None) -> cst.BaseExpression:
        name, loop = node.value, self._loop
        scope = scope_of(name, place)
        if scope is None or scope.kind == "module":
            if scope_of(name, loop.place) is not scope:
                raise RefusedError(f"`{name}` is not known where the loop stands")
            return node
        given = argument_of(name, place, frame)
        if given is not None:
            return self.part(given[0], given[1].place, given[1].outer)
        reaching = Reaching(name, place)
        if any(binding.place.is_inside(loop) for binding in reaching.carried):
            raise RefusedError(f"`{name}` is left from an earlier round of the loop")
        inside = [each for each in reaching.bindings if self._is_inside(each)]
        if not inside:
            if scope_of(name, loop.place) is not scope or not reaching.bindings:
                raise RefusedError(f"`{name}` is not known where the loop stands")
            return node
        binding = inside[0]
        if binding.loop is not None:
            return self._loop_name(node, binding)
        if not reaching.is_certain or binding.kind != "value" or binding.value is None:
            raise RefusedError(f"`{name}` has several values")
        return _item_at(self.part(binding.value, binding.place, frame), binding.way)

    def _loop_name(self, node: cst.Name, binding: Binding) -> cst.BaseExpression:
        if binding.loop is self._loop:
            self.ways.append(binding.way)
            return _item_at(cst.Name(_ROW), binding.way)
        if binding.loop is not None and self._loop.place.is_inside(binding.loop):
            return node
        raise RefusedError(f"`{node.value}` changes in another loop; use get_many")

    def _is_inside(self, binding: Binding) -> bool:
        """Whether a variable gets its value in the loop, or in what the loop calls."""
        own: list[Scope] = []
        scope: Scope | None = self._loop.place.scope
        while scope is not None:
            own.append(scope)
            scope = scope.outer
        if binding.place.scope not in own and binding.place.scope.function not in own:
            return True
        return (
            binding.place.is_inside(self._loop)
            or binding.loop is self._loop
            or binding.loop is not None
        )


class _Replacing(cst.CSTTransformer):
    """Puts other expressions in the place of some names and fields."""

    def __init__(self, replaced: dict[int, cst.BaseExpression]) -> None:
        super().__init__()
        self._replaced = replaced

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:  # noqa: N802 - libcst's name
        return self._found(original_node, updated_node)

    def leave_Attribute(  # noqa: N802 - libcst's name
        self, original_node: cst.Attribute, updated_node: cst.Attribute
    ) -> cst.BaseExpression:
        return self._found(original_node, updated_node)

    def leave_Subscript(  # noqa: N802 - libcst's name
        self, original_node: cst.Subscript, updated_node: cst.Subscript
    ) -> cst.BaseExpression:
        return self._found(original_node, updated_node)

    def _found(
        self, original_node: cst.BaseExpression, updated_node: cst.BaseExpression
    ) -> cst.BaseExpression:
        found = self._replaced.get(id(original_node), updated_node)
        if isinstance(found, _ATOMS) or found.lpar or is_literal(found):
            return found
        return found.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])


def _is_way_to_loader(node: cst.BaseExpression) -> bool:
    if isinstance(node, cst.Call):
        func = node.func
        named = isinstance(func, cst.Attribute) and func.attr.value in _OF_LOADERS
        return named and all(
            _is_way_to_loader(each) for each in (func, *(a.value for a in node.args))
        )
    if isinstance(node, cst.Attribute):
        return _is_way_to_loader(node.value)
    return isinstance(node, cst.Name)


def _has_inner_names(node: cst.CSTNode) -> bool:
    kinds = (cst.Lambda, cst.BaseComp, cst.NamedExpr, cst.Await)
    return isinstance(node, kinds) or any(_has_inner_names(each) for each in children(node))


def _fields_in(node: cst.CSTNode) -> list[cst.BaseExpression]:
    own = [node] if isinstance(node, cst.Attribute | cst.Subscript) else []
    return [*own, *(each for child in children(node) for each in _fields_in(child))]


def _has_row(node: cst.CSTNode) -> bool:
    return any(name.value == _ROW for name in loaded_names(node))


def _item(value: cst.BaseExpression, index: int) -> cst.Subscript:
    if not isinstance(value, _ATOMS):
        value = value.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    return cst.Subscript(value, [cst.SubscriptElement(cst.Index(cst.Integer(str(index))))])


def _item_at(value: cst.BaseExpression, way: tuple[int, ...]) -> cst.BaseExpression:
    for index in way:
        value = _item(value, index)
    return value


def _innermost(
    loop: Loop, ways: list[tuple[int, ...]], lookups: Lookups
) -> tuple[cst.BaseExpression, tuple[int, ...]]:
    """Returns the rows inside `enumerate`, `zip` and `reversed`, and the way to them."""
    rows = loop.rows
    assert rows is not None  # noqa: S101 - a loop without any is refused before
    way: tuple[int, ...] = ()
    while isinstance(rows, cst.Call) and (given := arguments(rows)) is not None and given[0]:
        called = lookups.qualified(rows.func, loop.place)
        depth = len(way)
        numbers = {each[depth] if len(each) > depth else None for each in ways}
        number = numbers.pop() if len(numbers) == 1 else None
        if called == "builtins.enumerate" and number == 1:
            rows, way = given[0][0], (*way, 1)
        elif called == "builtins.zip" and number is not None and number < len(given[0]):
            rows, way = given[0][number], (*way, number)
        else:
            break
    return rows, way


def _is_certain(place: Place, loop: Loop) -> bool:
    """Whether each round comes to a place, so that a row without its key is an error anyway."""
    tried = any(branch.arm == "try" for branch in loop.place.branches())
    return not tried and not any(_conditions(place, loop))


def _conditions(place: Place, loop: Loop) -> Iterator[Branch]:
    """Yields what a round may be in without coming to a place."""
    earlier = [jump for jump in loop.jumps if jump.index < place.index]
    for each in (place, *earlier):
        for branch in each.branches():
            if branch.loop is loop:
                break
            yield branch


def _tested(branch: Branch) -> cst.CSTNode:
    """Returns what decides whether a branch is gone into."""
    node = branch.node
    return getattr(node, "left", None) or getattr(node, "test", None) or node


def _fields(
    parts: list[cst.BaseExpression],
    lookup: Lookup,
    loop: Loop,
    way: tuple[int, ...],
    *,
    by_name: bool,
) -> str:
    """Returns the arguments of `over` that follow the rows."""
    names = [_field(part) for part in parts]
    if by_name and all(names) and (lookup.is_function or len(parts) > 1 or not lookup.is_tuple):
        quote = '"'
        return ", ".join(f"{quote}{name}{quote}" for name in names)
    texts = [_one_line(_code(part)) for part in parts]
    body = f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"
    if len(texts) == 1 and not lookup.is_tuple:
        body = texts[0]
    target = next((each.name for each in loop.names if each.way == way), None)
    others = {each.name for each in loop.names if each.way != way}
    for name in (target, *_ROW_NAMES):
        if name is not None and name not in others and not re.search(rf"\b{name}\b", body):
            return f"lambda {name}: " + re.sub(rf"\b{_ROW}\b", name, body)
    raise RefusedError("there is no name left for its row")


def _without(node: cst.BaseExpression, way: tuple[int, ...]) -> cst.BaseExpression:
    """Returns an expression of a row in the place of one of what holds it under some indices."""
    whole = _item_at(cst.Name(_ROW), way)
    found = node.visit(_Unwrapping(whole)) if way else node
    assert isinstance(found, cst.BaseExpression)  # noqa: S101 - no node is removed
    return found


class _Unwrapping(cst.CSTTransformer):
    def __init__(self, whole: cst.BaseExpression) -> None:
        super().__init__()
        self._whole = whole

    def leave_Subscript(  # noqa: N802 - libcst's name
        self, original_node: cst.Subscript, updated_node: cst.Subscript
    ) -> cst.BaseExpression:
        return cst.Name(_ROW) if original_node.deep_equals(self._whole) else updated_node


def _field(node: cst.BaseExpression) -> str | None:
    """Returns `a.b` for `row["a"]["b"]` or `row.a.b`, or None."""
    names: list[str] = []
    while not isinstance(node, cst.Name):
        if isinstance(node, cst.Attribute):
            names.append(node.attr.value)
        elif isinstance(node, cst.Subscript):
            index = index_of(node)
            name = None if index is None else text_of(index)
            if not name or "." in name or '"' in name or "\\" in name or not name.isprintable():
                return None
            names.append(name)
        else:
            return None
        node = node.value
    return ".".join(reversed(names)) if names and node.value == _ROW else None


def _code(node: cst.CSTNode) -> str:
    return cst.Module([]).code_for_node(node)


def _one_line(text: str) -> str:
    """Returns an expression in one line."""
    if "\n" not in text and "\r" not in text and "#" not in text:
        return text
    try:
        return ast.unparse(ast.parse(f"({text})", mode="eval"))
    except SyntaxError:
        return " ".join(text.split())
