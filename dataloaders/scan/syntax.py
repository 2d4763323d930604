"""What is asked of syntax trees everywhere."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Final

import libcst as cst

if TYPE_CHECKING:
    from collections.abc import Iterator

# Of no meaning, and by far the most nodes of a tree.
_SILENT: Final = (
    *("whitespace", "comma", "lpar", "rpar", "lines", "lbracket", "rbracket", "lbrace", "rbrace"),
    *("header", "footer", "semicolon", "newline", "indent", "equal", "dot", "operator", "colon"),
)


@cache
def _fields_of(cls: type) -> tuple[str, ...]:
    return tuple(
        each.name for each in fields(cls) if not any(name in each.name for name in _SILENT)
    )


def children(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Yields the nodes directly inside one, in their order, but for blanks and signs."""
    for name in _fields_of(type(node)):
        value = getattr(node, name)
        if isinstance(value, cst.CSTNode):
            yield value
        elif isinstance(value, list | tuple):
            for each in value:
                if isinstance(each, cst.CSTNode):
                    yield each


def loaded_names(node: cst.CSTNode) -> Iterator[cst.Name]:
    """Yields the names in an expression that stand for variables."""
    if isinstance(node, cst.Name):
        yield node
    elif isinstance(node, cst.Attribute | cst.Arg):
        yield from loaded_names(node.value)
    else:
        for child in children(node):
            yield from loaded_names(child)


def dotted(node: cst.CSTNode) -> str | None:
    """Returns `a.b.c` as text, or None for anything else."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute):
        base = dotted(node.value)
        return None if base is None else f"{base}.{node.attr.value}"
    return None


def root_of(node: cst.CSTNode) -> str | None:
    """Returns the variable that `a.b["c"][0]` begins with, or None."""
    while isinstance(node, cst.Attribute | cst.Subscript):
        node = node.value
    return node.value if isinstance(node, cst.Name) else None


def text_of(node: cst.CSTNode) -> str | None:
    """Returns the text that a literal stands for, or None."""
    if isinstance(node, cst.SimpleString | cst.ConcatenatedString):
        value = node.evaluated_value
        return value if isinstance(value, str) else None
    return None


def is_literal(node: cst.CSTNode) -> bool:
    """Whether an expression is a number, a text, or a name such as None."""
    if isinstance(node, cst.UnaryOperation):
        return is_literal(node.expression)
    if isinstance(node, cst.Name):
        return node.value in {"None", "True", "False"}
    return isinstance(node, cst.BaseNumber | cst.SimpleString | cst.ConcatenatedString)


def index_of(node: cst.Subscript) -> cst.BaseExpression | None:
    """Returns the one index of a subscript, or None for a slice or several."""
    if len(node.slice) == 1 and isinstance(node.slice[0].slice, cst.Index):
        return node.slice[0].slice.value
    return None


def is_slice(node: cst.Subscript) -> bool:
    """Whether a subscript cuts a piece out."""
    return len(node.slice) == 1 and isinstance(node.slice[0].slice, cst.Slice)


def has_step(node: cst.Subscript) -> bool:
    """Whether a slice leaves some out, or turns round."""
    piece = node.slice[0].slice
    return isinstance(piece, cst.Slice) and piece.step is not None


def arguments(
    call: cst.Call,
) -> tuple[list[cst.BaseExpression], dict[str, cst.BaseExpression]] | None:
    """Returns a call's arguments, those without and with a name; None where stars hide some."""
    if any(arg.star for arg in call.args):
        return None
    plain = [arg.value for arg in call.args if arg.keyword is None]
    named = {arg.keyword.value: arg.value for arg in call.args if arg.keyword is not None}
    return plain, named
