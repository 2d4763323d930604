"""Where keys come from: which rows, and which of their fields are which part of the key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from dataloaders.batch import MISSING

from .paths import Path, expand, read_all
from .reading import PLAIN_TYPES
from .transforms import IDENTITY, Transform, apply

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Root:
    """Where a path starts.

    Attributes:
        kind: "local": a variable of a caller; "global": one that its code names; "loop": what a
            loop goes over, though no variable holds it.
        height: For variables, how many frames above the lookup.
        name: The variable's.
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


AS_IT_IS: Final = Source((), (IDENTITY,))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the rows are, and what of them the key's parts are; None for a part not found."""

    root: Root
    rows: Path
    sources: tuple[Source | None, ...]

    def with_transforms(self, transforms: tuple[Transform, ...]) -> Origin:
        """Returns the same origin with other transformations for the first part of the key."""
        first, *rest = self.sources
        assert first is not None  # noqa: S101 - no origin is without
        return replace(self, sources=(replace(first, transforms=transforms), *rest))

    def siblings(self, value: Any, parts: tuple[Any, ...]) -> list[tuple[Any, ...]]:  # noqa: ANN401 - what the root stands for
        """Returns the parts of every row's key, MISSING where they are not known.

        Where several transformations fit, a row has as many keys.

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
        return [
            sibling
            for first in columns[0]
            for sibling in zip(_of_kinds(kinds, first), *rest, strict=True)
            if sibling[0] is not MISSING
        ]


def _of_kinds(kinds: frozenset[type], values: list[Any]) -> list[Any]:
    """Returns values with MISSING in the place of those of other types."""
    if kinds.issuperset(map(type, values)):
        return values
    return [value if type(value) in kinds else MISSING for value in values]
