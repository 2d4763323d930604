"""What a file is read into: scopes, what they bind, calls, and the loops around them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    import libcst as cst

    from .source import Source


@dataclass(eq=False, repr=False)
class Loop:
    """A loop.

    Attributes:
        kind: "for", "async for", "while", "comprehension", "map", "apply" for a method of the
            rows that does as `map`, or "sort" for `list.sort`.
        node: The statement, the clause, or the call of `map`.
        rows: What it goes over; None for a while loop.
        place: Where it stands.
        is_lazy: Whether somebody else decides how far it runs, as with a generator's.
        exits: Ways to leave it before its end: "break", "return", "raise", "yield".
        jumps: The places after which the rest of it may be left out.
        names: The variables that it binds each time.
    """

    kind: str
    node: cst.CSTNode
    rows: cst.BaseExpression | None
    place: Place
    is_lazy: bool = False
    exits: set[str] = field(default_factory=set)
    jumps: list[Place] = field(default_factory=list)
    names: list[Binding] = field(default_factory=list)


@dataclass(eq=False, repr=False)
class Branch:
    """A part of a function that may be left out, or is repeated."""

    outer: Branch | None
    node: cst.CSTNode
    arm: str
    loop: Loop | None = None


@dataclass(eq=False, repr=False)
class Place:
    """Where something stands: its scope, what it is inside of, and what came before it."""

    scope: Scope
    branch: Branch | None
    index: int

    def branches(self) -> Iterator[Branch]:
        """Yields what it is inside of, the innermost first."""
        branch = self.branch
        while branch is not None:
            yield branch
            branch = branch.outer

    def loops(self) -> Iterator[Loop]:
        """Yields the loops around it, the innermost first."""
        for branch in self.branches():
            if branch.loop is not None:
                yield branch.loop

    def is_inside(self, loop: Loop) -> bool:
        """Whether it is in the body of a loop."""
        return any(each is loop for each in self.loops())


@dataclass(eq=False, repr=False)
class Scope:
    """A module, class, function, lambda or comprehension.

    Attributes:
        kind: Which of them: "module", "class", "function", "lambda" or "comprehension".
        node: Its node.
        name: What it is called.
        source: The file that it is in.
        outer: The scope around it.
        defined: Where it stands; None for a module.
        bindings: By name, in their order.
        parameters: Their names, but for those that take any number of arguments.
        returns: What it returns, and where.
        calls: The calls in it.
        sites: The same by their nodes' ids.
        changes: What is changed in it beyond its variables.
        writes_outside: Whether it binds global or outer variables.
        stars: The modules that it imports everything from.
    """

    kind: str
    node: cst.CSTNode
    name: str
    source: Source
    outer: Scope | None
    defined: Place | None
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    parameters: list[str] = field(default_factory=list)
    is_generator: bool = False
    is_async: bool = False
    is_method: bool = False
    returns: list[tuple[cst.BaseExpression, Place]] = field(default_factory=list)
    calls: list[Site] = field(default_factory=list)
    sites: dict[int, Site] = field(default_factory=dict)
    changes: list[Changed] = field(default_factory=list)
    writes_outside: bool = False
    stars: list[str] = field(default_factory=list)

    @property
    def function(self) -> Scope:
        """The function, lambda, class or module that it belongs to: itself, if it is one."""
        scope = self
        while scope.kind == "comprehension" and scope.outer is not None:
            scope = scope.outer
        return scope

    @property
    def module(self) -> Scope:
        """The module that it is in."""
        scope = self
        while scope.outer is not None:
            scope = scope.outer
        return scope


@dataclass(eq=False, repr=False)
class Binding:
    """That a name stands for something from here on.

    Attributes:
        kind: "value", "loop", "parameter", "import", "function", "class", "more" (`+=`) or "other".
        value: The expression that it has the value of.
        way: The indices that lead to it in that, where that was unpacked.
        loop: The loop whose row, or part of it, it is.
        annotation: Its type.
        target: What is imported, with dots, or the scope that is defined.
    """

    name: str
    kind: str
    place: Place
    value: cst.BaseExpression | None = None
    way: tuple[int, ...] = ()
    loop: Loop | None = None
    annotation: cst.BaseExpression | None = None
    target: str | Scope | None = None


@dataclass(eq=False, repr=False)
class Changed:
    """That what a variable leads to is changed: an item, an attribute, or by a method.

    Attributes:
        root: The variable.
        way: What is assigned to, as written; or the method's name with a dot before it.
        value: What it becomes, where that is known.
    """

    root: str
    way: str
    place: Place
    value: cst.BaseExpression | None = None


@dataclass(eq=False, repr=False)
class Site:
    """A call."""

    node: cst.Call
    place: Place
    awaited: bool


@dataclass(frozen=True)
class RowOf:
    """Stands for the row that `map` hands to a function: the argument that comes from one list.

    Attributes:
        loop: The call of `map`.
        rows: The list.
        way: The index that leads to the argument in a row, as with `starmap`.
    """

    loop: Loop
    rows: cst.BaseExpression
    way: tuple[int, ...] = ()


Argument: TypeAlias = "cst.BaseExpression | RowOf"


@dataclass(eq=False, repr=False)
class Frame:
    """One call on the way from a loop to a lookup: what its parameters stand for.

    Attributes:
        function: What is called.
        arguments: By parameter; those that are not known are left out.
        place: Where the call stands.
        outer: The frame of the caller; None for the one with the loop.
        awaited: Whether the caller waits for it before it goes on.
        by: The call that hands the function over, where it is not called here.
    """

    function: Scope
    arguments: dict[str, Argument]
    place: Place
    outer: Frame | None = None
    awaited: bool = False
    by: cst.Call | None = None


@dataclass(eq=False, repr=False)
class Handed:
    """A function that is not of the code's own, and the call that hands it over with arguments.

    Attributes:
        by: The call.
        function: What is handed over.
        place: Where it is called.
        plain: Its arguments without names.
        named: Those with one.
    """

    by: cst.Call
    function: cst.BaseExpression
    place: Place
    plain: list[Argument]
    named: dict[str, Argument]
