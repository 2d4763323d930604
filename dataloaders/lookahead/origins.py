"""Where keys come from: which rows, and which of their fields are which part of the key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dataloaders.batch import MISSING

from .paths import Path, expand, read_all
from .reading import PLAIN_TYPES
from .transforms import IDENTITY, Transform, apply, text_of, then, worth_trying

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


MAX_TRANSFORMS: Final = 8
"""Transformations of one field that are remembered for one place."""


MAX_ROWS_AT_HAND: Final = 4
"""Rows of one container that are variables, at most: a loop is at one."""


class Root(NamedTuple):
    """Where a path starts.

    Attributes:
        kind: "local": a variable of a caller; "global": one that its code names; "thread": one of
            another thread; "loop": what a loop goes over, though no variable holds it; "body": the
            request's JSON; "records": what a loader has loaded.
        height: For variables, how many frames above the lookup.
        name: The variable's, or the loader's.
    """

    kind: str
    height: int = 0
    name: Any = None


@dataclass(frozen=True, slots=True)
class Source:
    """Where a part of the key stands in a row, and what may have been made of it."""

    path: Path
    transforms: tuple[Transform, ...]

    def values(self, rows: Sequence[Any]) -> list[list[Any]]:
        """Returns, for each transformation, what it makes of each row's field."""
        fields = read_all(rows, self.path)
        if self.transforms == (IDENTITY,):
            return [fields]
        return [[apply(each, field) for field in fields] for each in self.transforms]


@dataclass(frozen=True, slots=True)
class Template:
    """How a part of the key is put together of several fields of a row.

    Attributes:
        pieces: In their order: a text, or the path of a field.
    """

    pieces: tuple[str | Path, ...]

    def values(self, rows: Sequence[Any]) -> list[list[Any]]:
        """Returns, in a list, what it makes of each row."""
        columns = [
            [piece] * len(rows) if isinstance(piece, str) else map(text_of, read_all(rows, piece))
            for piece in self.pieces
        ]
        return [[_joined(texts) for texts in zip(*columns, strict=True)]]


def _joined(texts: tuple[str | None, ...]) -> Any:  # noqa: ANN401 - a text, or MISSING
    return MISSING if None in texts else "".join(map(str, texts))


ABSENT: Final = object()
"""Stands for what a loop may ask for where a row has no key: None, or an empty text."""

AS_IT_IS: Final = Source((), (IDENTITY,))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the rows are, and what of them the key's parts are.

    Attributes:
        root: Where the way to the rows starts.
        rows: The path from there.
        sources: Where in a row each part of the key is; None for one that was not found.
        departed: Whether the row at hand has been taken away from the others.
    """

    root: Root
    rows: Path
    sources: tuple[Source | Template | None, ...]
    departed: bool = False

    def with_transforms(self, transforms: tuple[Transform, ...]) -> Origin | None:
        """Returns the same origin with other transformations for the first part of the key."""
        first, *rest = self.sources
        if not isinstance(first, Source):
            return None
        return replace(self, sources=(replace(first, transforms=transforms), *rest))

    def with_more(self, transforms: Iterable[Transform]) -> Origin | None:
        """Returns the same origin with more transformations, if any of them is new to it."""
        first = self.sources[0]
        known = first.transforms if isinstance(first, Source) else ()
        more = tuple(transform for transform in transforms if transform not in known)
        return self.with_transforms((known + more)[-MAX_TRANSFORMS:]) if more else None

    def merged_with(self, other: Origin) -> Origin | None:
        """Returns one origin for two that differ in the transformations of the first part only."""
        first, second = self.sources[0], other.sources[0]
        if not (isinstance(first, Source) and isinstance(second, Source)):
            return None
        if (self.root, self.rows, first.path) != (other.root, other.rows, second.path):
            return None
        return self.with_more(second.transforms)

    def on_trial(self, siblings: list[tuple[Any, ...]], part: object) -> list[Origin]:
        """Returns the same origin with what other rows' fields may need, one by one.

        Args:
            siblings: What it has led to.
            part: The first part of the key that is asked for.
        """
        first = self.sources[0]
        if not isinstance(first, Source):
            return []
        tried = worth_trying([sibling[0] for sibling in siblings], part)
        more = [then(first.transforms[0], transform) for transform in tried]
        origins = [self.with_transforms((transform,)) for transform in more if transform]
        return [origin for origin in origins if origin is not None]

    def first_fields(self, value: Any, ids: set[int]) -> list[Any]:  # noqa: ANN401 - what the root stands for
        """Returns what the first part is made of, in those rows that are variables.

        Args:
            value: What the root stands for here and now.
            ids: The ids of what the variables hold.
        """
        first = self.sources[0]
        if not isinstance(first, Source):
            return []
        rows = [row for row in expand(value, self.rows) if id(row) in ids]
        return read_all(rows[:MAX_ROWS_AT_HAND], first.path)

    def siblings(self, value: Any, parts: tuple[Any, ...]) -> list[tuple[Any, ...]]:  # noqa: ANN401 - what the root stands for
        """Returns the parts of every row's key, MISSING where they are not known.

        Where several transformations fit, a row has as many keys. The last of them is ABSENT if
        there are rows that have none.

        Args:
            value: What the root stands for here and now.
            parts: Those of the key that is asked for. Only what is plain or of their types can be
                a part of another; nobody knows what anything else does when it is cast or hashed.
        """
        rows = expand(value, self.rows)
        nothing = [MISSING] * len(rows)
        columns = [[nothing] if source is None else source.values(rows) for source in self.sources]
        kinds = PLAIN_TYPES | {type(MISSING), *map(type, parts)}
        rest = [_of_kinds(kinds, variants[0]) for variants in columns[1:]]
        siblings = [
            sibling
            for first in columns[0]
            for sibling in zip(_of_kinds(kinds, first), *rest, strict=True)
            if sibling[0] is not MISSING
        ]
        if len(siblings) < len(rows) * len(columns[0]) or any(not each[0] for each in siblings):
            siblings.append((ABSENT, *parts[1:]))
        return siblings


def _of_kinds(kinds: frozenset[type], values: list[Any]) -> list[Any]:
    """Returns values with MISSING in the place of those of other types."""
    if kinds.issuperset(map(type, values)):
        return values
    return [value if type(value) in kinds else MISSING for value in values]
