"""Reads a file's tree into scopes, bindings, calls and loops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import libcst as cst

from .lookups import FUNCTIONS
from .model import Binding, Branch, Changed, Loop, Place, Scope, Site
from .syntax import children, dotted, root_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .source import Source

_RUNNING: Final = frozenset({"run", "run_until_complete"})

_Statement = cst.BaseStatement | cst.BaseSmallStatement


def read(source: Source) -> list[Scope]:
    """Returns a file's scopes, that of the module first."""
    reader = _Reader(source)
    reader.body(source.tree.body, reader.module, None)
    return reader.scopes


class _Reader:
    def __init__(self, source: Source) -> None:
        self.module = Scope("module", source.tree, "", source, None, None)
        self.scopes = [self.module]
        self._source = source
        self._count = 0

    # -- what there is

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _place(self, scope: Scope, branch: Branch | None) -> Place:
        return Place(scope, branch, self._next())

    def _scope(self, kind: str, node: cst.CSTNode, name: str, at: Place) -> Scope:
        scope = Scope(kind, node, name, self._source, at.scope, at)
        self.scopes.append(scope)
        return scope

    def _bind(self, binding: Binding) -> None:
        binding.place.scope.bindings.setdefault(binding.name, []).append(binding)
        if binding.loop is not None:
            binding.loop.names.append(binding)

    # -- statements

    def body(self, nodes: Sequence[Any], scope: Scope, branch: Branch | None) -> None:
        for node in nodes:
            self.visit(node, scope, branch)

    def visit(self, node: cst.CSTNode, scope: Scope, branch: Branch | None) -> None:
        handler = _HANDLERS.get(type(node))
        if handler is not None:
            handler(self, node, scope, branch)
        else:
            for child in children(node):
                self.visit(child, scope, branch)

    def block(
        self,
        suite: cst.BaseSuite,
        scope: Scope,
        branch: Branch | None,
        arm: str,
        loop: Any = None,  # noqa: ANN401 - a Loop, if it is one's body
    ) -> None:
        self.body(suite.body, scope, Branch(branch, suite, arm, loop))

    def function(self, node: cst.FunctionDef, scope: Scope, branch: Branch | None) -> None:
        for decorator in node.decorators:
            self.visit(decorator.decorator, scope, branch)
        place = self._place(scope, branch)
        inner = self._scope("function", node, node.name.value, place)
        inner.is_async = node.asynchronous is not None
        inner.is_method = scope.kind == "class" and not any(
            dotted(each.decorator) == "staticmethod" for each in node.decorators
        )
        self._parameters(node.params, inner, scope, branch)
        self._bind(Binding(node.name.value, "function", place, target=inner))
        self.body(node.body.body, inner, None)

    def _parameters(
        self, node: cst.Parameters, inner: Scope, scope: Scope, branch: Branch | None
    ) -> None:
        plain = [*node.posonly_params, *node.params]
        starred = [each for each in (node.star_arg, node.star_kwarg) if isinstance(each, cst.Param)]
        for parameter in (*plain, *node.kwonly_params, *starred):
            if parameter.default is not None:
                self.visit(parameter.default, scope, branch)
            typed = parameter.annotation
            annotation = None if typed is None else typed.annotation
            kind = "other" if parameter in starred else "parameter"
            place = self._place(inner, None)
            binding = Binding(parameter.name.value, kind, place, annotation=annotation)
            if kind == "parameter":
                binding.value = parameter.default
            self._bind(binding)
        inner.parameters = [each.name.value for each in (*plain, *node.kwonly_params)]

    def lambda_(self, node: cst.Lambda, scope: Scope, branch: Branch | None) -> None:
        inner = self._scope("lambda", node, "<lambda>", self._place(scope, branch))
        self._parameters(node.params, inner, scope, branch)
        self.visit(node.body, inner, None)
        inner.returns.append((node.body, self._place(inner, None)))

    def class_(self, node: cst.ClassDef, scope: Scope, branch: Branch | None) -> None:
        for each in (*node.decorators, *node.bases, *node.keywords):
            self.visit(each, scope, branch)
        place = self._place(scope, branch)
        inner = self._scope("class", node, node.name.value, place)
        self._bind(Binding(node.name.value, "class", place, target=inner))
        self.body(node.body.body, inner, None)

    def for_(self, node: cst.For, scope: Scope, branch: Branch | None) -> None:
        self.visit(node.iter, scope, branch)
        kind = "for" if node.asynchronous is None else "async for"
        loop = Loop(kind, node, node.iter, self._place(scope, branch))
        inner = Branch(branch, node.body, "body", loop)
        self._bind_loop(node.target, loop, scope, inner)
        self.body(node.body.body, scope, inner)
        if node.orelse is not None:
            self.block(node.orelse.body, scope, branch, "else")

    def while_(self, node: cst.While, scope: Scope, branch: Branch | None) -> None:
        loop = Loop("while", node, None, self._place(scope, branch))
        inner = Branch(branch, node.body, "body", loop)
        self.visit(node.test, scope, inner)
        self.body(node.body.body, scope, inner)
        if node.orelse is not None:
            self.block(node.orelse.body, scope, branch, "else")

    def if_(self, node: cst.If, scope: Scope, branch: Branch | None) -> None:
        self.visit(node.test, scope, branch)
        self.body(node.body.body, scope, Branch(branch, node, "then"))
        if isinstance(node.orelse, cst.If):
            self.visit(node.orelse, scope, Branch(branch, node, "else"))
        elif node.orelse is not None:
            self.body(node.orelse.body.body, scope, Branch(branch, node, "else"))

    def try_(self, node: cst.Try | cst.TryStar, scope: Scope, branch: Branch | None) -> None:
        self.body(node.body.body, scope, Branch(branch, node, "try"))
        for handler in node.handlers:
            inner = Branch(branch, handler, "except")
            if handler.type is not None:
                self.visit(handler.type, scope, inner)
            if handler.name is not None:
                self._bind_target(handler.name.name, None, scope, inner)
            self.body(handler.body.body, scope, inner)
        if node.orelse is not None:
            self.body(node.orelse.body.body, scope, Branch(branch, node, "try"))
        if node.finalbody is not None:
            self.body(node.finalbody.body.body, scope, branch)

    def with_(self, node: cst.With, scope: Scope, branch: Branch | None) -> None:
        for item in node.items:
            self.visit(item.item, scope, branch)
            if item.asname is not None:
                self._bind_with(item, scope, branch)
        self.body(node.body.body, scope, branch)

    def _bind_with(self, item: cst.WithItem, scope: Scope, branch: Branch | None) -> None:
        """Binds a name to what a context manager gives, which is most often itself."""
        target = item.asname and item.asname.name
        if isinstance(target, cst.Name):
            place = self._place(scope, branch)
            self._bind(Binding(target.value, "with", place, item.item))
        elif target is not None:
            self._bind_target(target, None, scope, branch)

    def match(self, node: cst.Match, scope: Scope, branch: Branch | None) -> None:
        self.visit(node.subject, scope, branch)
        for case in node.cases:
            inner = Branch(branch, case, "case")
            self._bind_pattern(case.pattern, scope, inner)
            if case.guard is not None:
                self.visit(case.guard, scope, inner)
            self.body(case.body.body, scope, inner)

    def _bind_pattern(self, node: cst.CSTNode, scope: Scope, branch: Branch) -> None:
        for name in ("name", "rest"):
            bound = getattr(node, name, None)
            if isinstance(bound, cst.Name):
                self._bind(Binding(bound.value, "other", self._place(scope, branch)))
        for child in children(node):
            self._bind_pattern(child, scope, branch)

    # -- what binds and changes

    def assign(self, node: cst.Assign, scope: Scope, branch: Branch | None) -> None:
        self.visit(node.value, scope, branch)
        for target in node.targets:
            self._bind_target(target.target, node.value, scope, branch)

    def annotated(self, node: cst.AnnAssign, scope: Scope, branch: Branch | None) -> None:
        if node.value is not None:
            self.visit(node.value, scope, branch)
        annotation = node.annotation.annotation
        if isinstance(node.target, cst.Name):
            kind = "value" if node.value is not None else "other"
            place = self._place(scope, branch)
            self._bind(Binding(node.target.value, kind, place, node.value, annotation=annotation))
        else:
            self._bind_target(node.target, node.value, scope, branch)

    def augmented(self, node: cst.AugAssign, scope: Scope, branch: Branch | None) -> None:
        self.visit(node.value, scope, branch)
        place = self._place(scope, branch)
        if isinstance(node.target, cst.Name):
            self._bind(Binding(node.target.value, "more", place, node.value))
            self._change(node.target.value, "+=", place)
        else:
            self._bind_target(node.target, None, scope, branch)

    def named(self, node: cst.NamedExpr, scope: Scope, branch: Branch | None) -> None:
        self.visit(node.value, scope, branch)
        self._bind_target(node.target, node.value, scope.function, branch)

    def import_(self, node: cst.Import, scope: Scope, branch: Branch | None) -> None:
        for alias in node.names:
            whole = dotted(alias.name) or ""
            name = alias.evaluated_alias
            target = whole if name else whole.partition(".")[0]
            place = self._place(scope, branch)
            self._bind(Binding(name or target, "import", place, target=target))

    def import_from(self, node: cst.ImportFrom, scope: Scope, branch: Branch | None) -> None:
        module = "." * len(node.relative) + (dotted(node.module) or "" if node.module else "")
        if isinstance(node.names, cst.ImportStar):
            scope.module.stars.append(module)
            for name in FUNCTIONS:  # where it was not read, no others are of interest
                place = self._place(scope, branch)
                self._bind(Binding(name, "import", place, target=f"{module}.{name}"))
            return
        for alias in node.names:
            name = alias.evaluated_name
            target = f"{module}{'' if module.endswith('.') else '.'}{name}"
            place = self._place(scope, branch)
            bound = alias.evaluated_alias or name
            self._bind(Binding(bound, "import", place, target=target))

    def delete(self, node: cst.Del, scope: Scope, branch: Branch | None) -> None:
        self._bind_target(node.target, None, scope, branch)

    def outside(self, node: cst.Global | cst.Nonlocal, scope: Scope, branch: Branch | None) -> None:
        scope.function.writes_outside = True
        for item in node.names:
            self._bind(Binding(item.name.value, "other", self._place(scope, branch)))

    def _bind_target(
        self,
        target: cst.CSTNode,
        value: cst.BaseExpression | None,
        scope: Scope,
        branch: Branch | None,
        *,
        way: tuple[int, ...] = (),
        at: int = 0,
    ) -> None:
        if isinstance(target, cst.Name):
            kind = "other" if value is None else "value"
            place = Place(scope, branch, at or self._next())
            self._bind(Binding(target.value, kind, place, value, way))
        elif isinstance(target, cst.Tuple | cst.List):
            parts = _matching(target, value) if not way else None
            at = at or self._next()  # `a, b = b, a` reads both before it binds one
            for number, element in enumerate(target.elements):
                if isinstance(element, cst.StarredElement):
                    self._bind_target(element.value, None, scope, branch)
                elif parts is not None:
                    self._bind_target(element.value, parts[number], scope, branch, at=at)
                else:
                    inner = (*way, number)
                    self._bind_target(element.value, value, scope, branch, way=inner, at=at)
        elif isinstance(target, cst.Attribute | cst.Subscript):
            for child in children(target):
                self.visit(child, scope, branch)
            root = root_of(target)
            place = self._place(scope, branch)
            written = self._source.code(target)
            scope.function.changes.append(
                Changed(root or "", written, place, None if way else value)
            )

    def _change(self, root: str, way: str, place: Place) -> None:
        place.scope.function.changes.append(Changed(root, way, place))

    def _bind_loop(
        self,
        target: cst.CSTNode,
        loop: Loop,
        scope: Scope,
        branch: Branch,
        way: tuple[int, ...] = (),
    ) -> None:
        place = self._place(scope, branch)
        if isinstance(target, cst.Name):
            self._bind(Binding(target.value, "loop", place, way=way, loop=loop))
        elif isinstance(target, cst.Tuple | cst.List):
            for number, element in enumerate(target.elements):
                if isinstance(element, cst.StarredElement):
                    self._bind_target(element.value, None, scope, branch)
                else:
                    self._bind_loop(element.value, loop, scope, branch, (*way, number))
        else:
            self._bind_target(target, None, scope, branch)

    # -- what leaves

    def leaving(self, node: Any, scope: Scope, branch: Branch | None) -> None:  # noqa: ANN401 - one of several statements
        for child in children(node):
            self.visit(child, scope, branch)
        place = self._place(scope, branch)
        kind = type(node).__name__.lower()
        if isinstance(node, cst.Return) and node.value is not None:
            scope.function.returns.append((node.value, place))
        for loop in place.loops():
            loop.jumps.append(place)
            if kind != "continue":
                loop.exits.add(kind)
            if kind in {"break", "continue"} and loop.kind != "comprehension":
                break

    def yield_(self, node: cst.Yield, scope: Scope, branch: Branch | None) -> None:
        for child in children(node):
            self.visit(child, scope, branch)
        scope.function.is_generator = True
        for loop in self._place(scope, branch).loops():
            loop.exits.add("yield")

    # -- expressions

    def call(
        self, node: cst.Call, scope: Scope, branch: Branch | None, *, awaited: bool = False
    ) -> None:
        runs = isinstance(node.func, cst.Attribute) and node.func.attr.value in _RUNNING
        for child in children(node):
            if runs and isinstance(child, cst.Arg) and isinstance(child.value, cst.Call):
                self.call(child.value, scope, branch, awaited=True)
            else:
                self.visit(child, scope, branch)
        place = self._place(scope, branch)
        site = scope.function.sites[id(node)] = Site(node, place, awaited)
        scope.function.calls.append(site)
        if isinstance(node.func, cst.Attribute):
            root = root_of(node.func.value)
            if root is not None:
                self._change(root, f".{node.func.attr.value}", place)

    def await_(self, node: cst.Await, scope: Scope, branch: Branch | None) -> None:
        if isinstance(node.expression, cst.Call):
            self.call(node.expression, scope, branch, awaited=True)
        else:
            self.visit(node.expression, scope, branch)

    def boolean(self, node: cst.BooleanOperation, scope: Scope, branch: Branch | None) -> None:
        self.visit(node.left, scope, branch)
        self.visit(node.right, scope, Branch(branch, node, "right"))

    def choice(self, node: cst.IfExp, scope: Scope, branch: Branch | None) -> None:
        self.visit(node.test, scope, branch)
        self.visit(node.body, scope, Branch(branch, node, "then"))
        self.visit(node.orelse, scope, Branch(branch, node, "else"))

    def comprehension(self, node: Any, scope: Scope, branch: Branch | None) -> None:  # noqa: ANN401 - one of four kinds
        inner = self._scope("comprehension", node, scope.name, self._place(scope, branch))
        clause: cst.CompFor | None = node.for_in
        here: Scope = scope
        around = branch
        while clause is not None:
            self.visit(clause.iter, here, around)
            kind = "comprehension" if clause.asynchronous is None else "async for"
            loop = Loop(kind, clause, clause.iter, self._place(here, around))
            loop.is_lazy = isinstance(node, cst.GeneratorExp)
            around = Branch(around, clause, "body", loop)
            here = inner
            self._bind_loop(clause.target, loop, inner, around)
            for condition in clause.ifs:
                self.visit(condition.test, inner, around)
                around = Branch(around, condition, "then")
            clause = clause.inner_for_in
        for part in ("key", "value", "elt"):
            element = getattr(node, part, None)
            if element is not None:
                self.visit(element, inner, around)


def _matching(target: Any, value: cst.CSTNode | None) -> list[cst.BaseExpression] | None:  # noqa: ANN401 - a Tuple or List
    """Returns the values of `a, b = 1, 2` one by one."""
    if not isinstance(value, cst.Tuple | cst.List) or len(value.elements) != len(target.elements):
        return None
    elements = [*value.elements, *target.elements]
    if any(isinstance(each, cst.StarredElement) for each in elements):
        return None
    return [each.value for each in value.elements]


def _none(_reader: _Reader, _node: Any, _scope: Scope, _branch: Branch | None) -> None:  # noqa: ANN401 - any node
    """For what holds nothing of interest."""


_HANDLERS: Final[dict[type, Callable[..., None]]] = {
    cst.FunctionDef: _Reader.function,
    cst.Lambda: _Reader.lambda_,
    cst.ClassDef: _Reader.class_,
    cst.For: _Reader.for_,
    cst.While: _Reader.while_,
    cst.If: _Reader.if_,
    cst.Try: _Reader.try_,
    cst.TryStar: _Reader.try_,
    cst.With: _Reader.with_,
    cst.Match: _Reader.match,
    cst.Assign: _Reader.assign,
    cst.AnnAssign: _Reader.annotated,
    cst.AugAssign: _Reader.augmented,
    cst.NamedExpr: _Reader.named,
    cst.Import: _Reader.import_,
    cst.ImportFrom: _Reader.import_from,
    cst.Del: _Reader.delete,
    cst.Global: _Reader.outside,
    cst.Nonlocal: _Reader.outside,
    cst.Return: _Reader.leaving,
    cst.Break: _Reader.leaving,
    cst.Continue: _Reader.leaving,
    cst.Raise: _Reader.leaving,
    cst.Yield: _Reader.yield_,
    cst.Call: _Reader.call,
    cst.Await: _Reader.await_,
    cst.BooleanOperation: _Reader.boolean,
    cst.IfExp: _Reader.choice,
    cst.ListComp: _Reader.comprehension,
    cst.SetComp: _Reader.comprehension,
    cst.DictComp: _Reader.comprehension,
    cst.GeneratorExp: _Reader.comprehension,
    cst.Name: _none,
    cst.SimpleString: _none,
    cst.Integer: _none,
}
