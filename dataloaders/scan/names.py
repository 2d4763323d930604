"""What names stand for: the bindings that reach a place, and what is imported from where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import libcst as cst

from .model import Scope
from .syntax import dotted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .model import Binding, Branch, Place
    from .source import Source

_MAX_PARTS: Final = 12
_MAX_STEPS: Final = 8
_DEFINING: Final = frozenset({"import", "function", "class"})


def scope_of(name: str, place: Place) -> Scope | None:
    """Returns the scope whose variable a name is at a place; None if it is a builtin's."""
    scope: Scope | None = place.scope
    first = True
    while scope is not None:
        # What a class binds, the functions in it do not see.
        if name in scope.bindings and (first or scope.kind != "class"):
            return scope
        first = False
        scope = scope.outer
    return None


class Reaching:
    """The bindings that a name may have at a place.

    Attributes:
        bindings: Those before it, the latest first.
        carried: Those that an earlier round of a loop has made.
        is_certain: Whether the first of them holds in any case.
    """

    def __init__(self, name: str, place: Place) -> None:
        self.bindings: list[Binding] = []
        self.carried: list[Binding] = []
        self.is_certain = False
        scope = scope_of(name, place)
        if scope is None:
            return
        every = scope.bindings[name]
        if scope.kind in {"module", "class"} and place.scope.function is not scope:
            self.bindings = list(reversed(every))  # a function runs when all of it has
            self.is_certain = len(every) == 1
            return
        here = _seen_from(scope, place)
        last = self._before(every, here)
        for loop in here.loops():
            if last is not None and (last.place.is_inside(loop) or last.loop is loop):
                break
            later = [each for each in every if each.place.is_inside(loop) and each.loop is not loop]
            self.carried += [each for each in later if each not in self.carried]
        self.is_certain = last is not None and len(self.bindings) == 1 and not self.carried

    def _before(self, every: list[Binding], here: Place) -> Binding | None:
        """Notes what a name may be bound to; returns the last that holds in any case."""
        around = {id(branch): branch for branch in here.branches()}
        for binding in reversed(every):
            if binding.place.index >= here.index or _excludes(binding.place, around.values()):
                continue
            self.bindings.append(binding)
            is_whole = binding.kind != "more"
            if is_whole and all(id(branch) in around for branch in binding.place.branches()):
                return binding
        return None


def _seen_from(scope: Scope, place: Place) -> Place:
    """Returns the place in a function of what stands in a function defined in it."""
    while place.scope.function is not scope.function and place.scope.function.defined is not None:
        place = place.scope.function.defined
    return place


def _excludes(place: Place, around: Iterable[Branch]) -> bool:
    """Whether a binding is in the other arm of something that a place is in."""
    arms = {id(branch.node): branch.arm for branch in around}
    return any(
        {branch.arm, arms.get(id(branch.node))} == {"then", "else"} for branch in place.branches()
    )


class Names:
    """The modules that were read, by what imports may call them."""

    def __init__(self) -> None:
        self._modules: dict[str, list[Scope]] = {}
        self._on_the_way: set[int] = set()
        self._starred: dict[tuple[int, str], str | Scope | None] = {}

    def add(self, module: Scope) -> None:
        """Takes in a module under every name that its path allows for."""
        self._starred.clear()
        *folders, name = module.source.parts[1:]
        stem = name.removesuffix(".py")
        parts = folders if stem == "__init__" else [*folders, stem]
        for start in range(max(0, len(parts) - _MAX_PARTS), len(parts)):
            self._modules.setdefault(".".join(parts[start:]), []).append(module)

    def module(self, name: str, near: Source) -> Scope | None:
        """Returns the module of a name; of several, the one nearest to the file that asks."""
        found = self._modules.get(name, ())
        if len(found) < 2:  # noqa: PLR2004 - several
            return next(iter(found), None)
        return max(found, key=lambda each: _in_common(each.source.parts, near.parts))

    def qualified(self, node: cst.BaseExpression, place: Place) -> str | Scope | None:
        """Returns what a name, or an attribute of one, stands for.

        Returns:
            The function, class or module if that was read; else what it is called where it comes
            from, with dots; None for a variable.
        """
        node, place = self.aliased(node, place)
        if isinstance(node, cst.Name):
            return self._of_name(node.value, place)
        if not isinstance(node, cst.Attribute):
            return None
        base = self.qualified(node.value, place)
        if isinstance(base, str):
            return self._followed(f"{base}.{node.attr.value}", place.scope.module)
        if base is not None and base.kind in {"module", "class"}:
            return self.member(base, node.attr.value)
        return None

    @staticmethod
    def aliased(node: cst.BaseExpression, place: Place) -> tuple[cst.BaseExpression, Place]:
        """Returns what a variable is another name of, if of one thing, and where it got that."""
        for _ in range(_MAX_STEPS):
            if not isinstance(node, cst.Name):
                break
            scope = scope_of(node.value, place)
            bindings = [] if scope is None else scope.bindings[node.value]
            value = bindings[-1].value if bindings else None
            if not (
                isinstance(value, cst.Name | cst.Attribute | cst.Lambda)
                and bindings[-1].kind == "value"
                and not bindings[-1].way
                and all(each.kind in _DEFINING for each in bindings[:-1])
            ):
                break
            node, place = value, bindings[-1].place
        return node, place

    def _of_name(self, name: str, place: Place) -> str | Scope | None:
        scope = scope_of(name, place)
        if scope is None:
            return self._of_stars(name, place.scope.module) or f"builtins.{name}"
        bindings = scope.bindings[name]
        if any(each.kind not in _DEFINING for each in bindings):
            return None
        target = bindings[-1].target
        if isinstance(target, str):
            return self._imported(target, bindings[-1].place.scope.module)
        return target

    def _of_stars(self, name: str, module: Scope) -> str | Scope | None:
        """Returns what a name stands for that comes from one of the modules imported whole."""
        known = (id(module), name)
        if module.stars and known not in self._starred:
            self._starred[known] = None  # modules may import each other
            for each in module.stars:
                found = self._imported(each, module)
                if isinstance(found, Scope) and self._starred[known] is None:
                    self._starred[known] = self.member(found, name)
        return self._starred.get(known)

    def member(self, scope: Scope, name: str, steps: int = _MAX_STEPS) -> str | Scope | None:
        """Returns what a name stands for in a module or class that was read."""
        bindings = scope.bindings.get(name)
        if not bindings:
            if scope.kind == "module":
                return self._of_stars(name, scope)
            return self._inherited(scope, name, steps)
        binding = bindings[-1]
        if isinstance(binding.target, str) and steps:
            return self._imported(binding.target, scope.module, steps - 1)
        value = binding.value if binding.kind == "value" else None
        if isinstance(value, cst.Name | cst.Attribute) and id(binding) not in self._on_the_way:
            self._on_the_way.add(id(binding))  # modules may take names from each other
            try:
                return self.qualified(value, binding.place)
            finally:
                self._on_the_way.remove(id(binding))
        return binding.target

    def bases(self, scope: Scope) -> Iterator[str | Scope]:
        """Yields the classes that a class is derived from, its own bases first."""
        if isinstance(scope.node, cst.ClassDef) and scope.defined is not None:
            for base in scope.node.bases:
                node = base.value.value if isinstance(base.value, cst.Subscript) else base.value
                found = self.qualified(node, scope.defined)
                if found is not None:
                    yield found

    def _inherited(self, scope: Scope, name: str, steps: int) -> str | Scope | None:
        if not steps:
            return None
        for base in self.bases(scope):
            if isinstance(base, Scope) and base is not scope:
                found = self.member(base, name, steps - 1)
                if found is not None:
                    return found
        return None

    def _imported(self, target: str, module: Scope, steps: int = _MAX_STEPS) -> str | Scope | None:
        if not target.startswith("."):
            return self._followed(target, module, steps)
        name = target.lstrip(".")
        folder = list(module.source.parts[1:])
        folder = folder[: len(folder) - (len(target) - len(name))][-_MAX_PARTS + 1 :]
        return self._followed(".".join([*folder, name]), module, steps)

    def _followed(self, name: str, asking: Scope, steps: int = _MAX_STEPS) -> str | Scope | None:
        near = asking.source
        whole = self.module(name, near)
        if whole is not None and whole is not asking:
            return whole
        module, _, member = name.rpartition(".")
        found = self.module(module, near) if module else None
        if found is None or found is asking or not steps:
            return name
        return self.member(found, member, steps - 1) or name


def _in_common(one: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    for ours, theirs in zip(one, other, strict=False):
        if ours != theirs:
            break
        count += 1
    return count


def last_name(found: str | Scope | None) -> str:
    """Returns what something is called, without where it comes from."""
    if isinstance(found, Scope):
        return found.name
    return (found or "").rpartition(".")[2]


def annotated_names(node: cst.CSTNode | None) -> Iterator[cst.BaseExpression]:
    """Yields the types that an annotation names: those of a union, or in quotes."""
    if isinstance(node, cst.BinaryOperation):
        yield from annotated_names(node.left)
        yield from annotated_names(node.right)
    elif isinstance(node, cst.Subscript):
        name = dotted(node.value) or ""
        if name.rpartition(".")[2] in {"Optional", "Union", "Annotated", "ClassVar", "Final"}:
            for element in node.slice:
                if isinstance(element.slice, cst.Index):
                    yield from annotated_names(element.slice.value)
        else:
            yield node.value
    elif isinstance(node, cst.SimpleString):
        try:
            yield from annotated_names(cst.parse_expression(str(node.evaluated_value)))
        except cst.ParserSyntaxError:
            return
    elif isinstance(node, cst.Name | cst.Attribute):
        yield node
