"""One file: its text, its syntax tree, and where in the text a node stands."""

from __future__ import annotations

import io
import re
import tokenize
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst
from libcst.metadata import MetadataWrapper, WhitespaceInclusivePositionProvider

from dataloaders.errors import DataLoaderError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_BLANK = re.compile(r"[ \t\f]*")


class UnreadableError(DataLoaderError):
    """A file that is no Python, or in no encoding that it says it is in."""

    def __init__(self, path: Path, reason: object) -> None:
        self.path = path
        self.reason = " ".join(str(reason).split())
        super().__init__(f"{path} expected Python, but got: {self.reason}. It is left as it is.")


class Change(NamedTuple):
    """A piece of text in the place of a node, around the node's own text.

    Attributes:
        node: An expression.
        before: What comes before its text.
        after: What comes after it.
    """

    node: cst.CSTNode
    before: str
    after: str


class Source:
    """A file as it was read.

    Args:
        path: Where it is.
        raw: Its bytes.

    Attributes:
        raw: Its bytes.
        text: Its text.
        tree: Its syntax tree.
        parts: The parts of its path, without links.

    Raises:
        UnreadableError: It is no Python.
    """

    def __init__(self, path: Path, raw: bytes) -> None:
        self.path = path
        self.parts = path.resolve().parts
        self.raw = raw
        try:
            self._encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
            self.text = raw.decode(self._encoding)
            self.tree = cst.parse_module(self.text)
        except (cst.ParserSyntaxError, SyntaxError, ValueError, LookupError) as error:
            raise UnreadableError(path, getattr(error, "message", error)) from error
        except RecursionError as error:
            raise UnreadableError(path, "it is nested too deep") from error

    @cached_property
    def _lines(self) -> list[str]:
        return _LINE.findall(self.text)

    @cached_property
    def _positions(self) -> dict[cst.CSTNode, object]:
        wrapper = MetadataWrapper(self.tree, unsafe_skip_copy=True)
        return dict(wrapper.resolve(WhitespaceInclusivePositionProvider))

    def locate(self) -> None:
        """Finds out where all nodes are.

        Raises:
            RecursionError: They are nested too deep.
        """
        _ = self._positions

    def line_of(self, node: cst.CSTNode) -> int:
        """Returns the number of the line that an expression begins in."""
        return self._range(node).start.line

    def last_line_of(self, node: cst.CSTNode) -> int:
        """Returns the number of the line that an expression ends in."""
        return self._range(node).end.line

    def code(self, node: cst.CSTNode) -> str:
        """Returns a node as it is written."""
        return self.tree.code_for_node(node)

    def changed(self, changes: Iterable[Change]) -> str | None:
        """Returns the file's text with some changes; None if a node is not where it should be."""
        text = self.text
        starts = [0]
        for line in self._lines:
            starts.append(starts[-1] + len(line))
        spans = []
        for change in changes:
            span = self._span(change.node, starts)
            if span is None:
                return None
            spans.append((*span, change))
        for start, end, change in sorted(spans, key=lambda span: span[0], reverse=True):
            text = "".join((text[:start], change.before, text[start:end], change.after, text[end:]))
        return text

    def encoded(self, text: str | None) -> bytes | None:
        """Returns a text as the file's bytes; None if its encoding cannot say what it said."""
        if text is None or self.text.encode(self._encoding) != self.raw:
            return None
        try:
            return text.encode(self._encoding)
        except UnicodeError:
            return None

    def _range(self, node: cst.CSTNode) -> cst.metadata.CodeRange:
        return self._positions[node]  # type: ignore[return-value]  # what that provider gives

    def _span(self, node: cst.CSTNode, starts: list[int]) -> tuple[int, int] | None:
        place, code = self._range(node), self.code(node).split()
        for feeds in (False, True):
            start, end = (self._at(each, starts, feeds=feeds) for each in (place.start, place.end))
            if self.text[start:end].split() == code:  # the tree has no indentation of inner lines
                return start, end
        return None

    def _at(self, at: cst.metadata.CodePosition, starts: list[int], *, feeds: bool) -> int:
        # A form feed in the indentation is no column of the tree's.
        blank = _BLANK.match(self._lines[at.line - 1]) if feeds else None
        return starts[at.line - 1] + at.column + (blank[0].count("\f") if blank else 0)


def lines_of(text: str, first: int, last: int) -> str:
    """Returns some lines of a text, without the indentation of the first and the last one's end."""
    return "".join(_LINE.findall(text)[first - 1 : last]).strip()
