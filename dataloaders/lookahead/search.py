"""Finds where a key came from: the row that holds its parts, and the rows beside it.

The row that a loop is at is usually a variable of one of the callers, and the very same object is
an item of some container that a variable leads to. So the containers within reach are gone
through, the nearest frames' first; where one holds a row that is a variable too, the key's parts
are looked for in that row. What cannot be found in this way (a copied row, a loop over an index)
is looked for row by row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dataloaders.batch import MISSING

from .paths import BEHIND, ITEMS, KEYS, VALUES, Path, expand, fields_of, plain_fields, read_all
from .reading import (
    INDIRECT,
    MAPPING,
    OPAQUE,
    PLAIN,
    SEQUENCE,
    behind,
    items_of,
    kind_of,
    values_of,
)
from .transforms import IDENTITY, Transform, apply, equal, fitting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAX_CONTAINERS: Final = 250
"""Containers that one search goes through."""

MAX_LEVELS: Final = 4
"""Containers inside each other on the way to the rows."""

MAX_LOOKED_AT: Final = 1_500
"""Values that one search compares with the key."""

MAX_ITEMS: Final = 5_000
"""Items of one container among which a variable's row is looked for."""

MAX_NESTING: Final = 3
"""Loops around each other that are seen through."""


@dataclass(frozen=True, slots=True)
class Root:
    """Where a path starts.

    Attributes:
        kind: "local": a variable of a caller; "global": one that its code names; "body": the
            request's; "records": what a loader of this scope has loaded.
        height: For variables, how many frames above the lookup.
        name: The variable's; for records, the loader's class.
    """

    kind: str
    height: int = 0
    name: Any = None


@dataclass(frozen=True, slots=True)
class Source:
    """Where a part of the key stands in a row, and what was made of it."""

    path: Path
    transforms: tuple[Transform, ...]

    def values(self, rows: Sequence[Any]) -> list[list[Any]]:
        """Returns, for each transformation, what it makes of each row's field."""
        fields = read_all(rows, self.path)
        if self.transforms == (IDENTITY,):
            return [fields]
        return [[apply(each, field) for field in fields] for each in self.transforms]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the rows are, and what of them the key's parts are; None for a part not found."""

    root: Root
    rows: Path
    sources: tuple[Source | None, ...]

    def siblings(self, value: Any) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - what the root stands for
        """Yields the parts of every row's key, MISSING where they are not known.

        Where several transformations fit, a row has as many keys.
        """
        rows = expand(value, self.rows)
        columns = [
            None if source is None else source.values(rows) for source in self.sources
        ]
        first = columns[0]
        if first is None:
            return
        rest = [MISSING_COLUMN if column is None else column[0] for column in columns[1:]]
        for variant in first:
            if not rest:
                yield from ((part,) for part in variant if part is not MISSING)
                continue
            for index, part in enumerate(variant):
                if part is not MISSING:
                    yield (part, *(column[index] for column in rest))


class _Missing:
    """A column of a part that no field has."""

    def __getitem__(self, index: int) -> object:
        return MISSING


MISSING_COLUMN: Final = _Missing()


@dataclass(slots=True)
class _Container:
    root: Root
    path: Path
    value: Any
    kind: int


class Search:
    """One search, for the origin of one key.

    Args:
        parts: The key's parts, as the caller gave them.
        roots: What to start from, the nearest first.
        key: The caller's own tuple of the parts, which is no row.
    """

    def __init__(
        self,
        parts: tuple[Any, ...],
        roots: Iterable[tuple[Root, Any]],
        key: object,
        *,
        held: Iterable[object] = (),
    ) -> None:
        self._parts = parts
        self._left = MAX_LOOKED_AT
        self._key = id(key)
        # Kept for as long as the search lasts, so that an id stands for one object.
        found = list(roots)
        self._roots = [(root, value) for root, value in found if kind_of(value) > OPAQUE]
        self._numbers = [value for _, value in found if type(value) is int]
        self._held = [*held]
        self._ids = {id(value) for _, value in self._roots} | {id(value) for value in self._held}
        self._ids.discard(self._key)
        self._containers = list(self._reachable())

    def origins(self) -> Iterator[Origin]:
        """Yields where the key may have come from, the likeliest first."""
        holding = list(self._holding_a_variable())
        for container, step, row in holding:
            origin = self._origin(container, step, row)
            if origin is not None:
                yield self._from_outermost(origin, container, holding)
        yield from self._among_plain_values()
        for container, step, row in holding:
            origin = self._origin(container, step, row, transformed=True)
            if origin is not None:
                yield self._from_outermost(origin, container, holding)
        for origin, container in self._row_by_row():
            yield self._from_outermost(origin, container, holding)

    def _reachable(self) -> Iterator[_Container]:
        """Yields the containers that the roots lead to, level by level."""
        seen = {self._key}
        level = [_Container(root, (), value, kind_of(value)) for root, value in self._roots]
        count = 0
        for depth in range(MAX_LEVELS):
            following: list[_Container] = []
            for container in level:
                if id(container.value) in seen:
                    continue
                seen.add(id(container.value))
                count += 1
                if count > MAX_CONTAINERS:
                    return
                yield container
                if depth < MAX_LEVELS - 1:
                    following.extend(self._inside(container))
            level = following

    def _inside(self, container: _Container) -> Iterator[_Container]:
        root, path = container.root, container.path
        if container.kind == INDIRECT:
            for value in behind(container.value):
                yield _Container(root, (*path, BEHIND), value, kind_of(value))
            return
        if container.kind == SEQUENCE and len(items_of(container.value)) > _FEW:
            return  # rows; if one of them leads further, it is a variable as well
        for step, value in fields_of(container.value):
            kind = kind_of(value)
            if kind > OPAQUE:
                yield _Container(root, (*path, step), value, kind)

    def _holding_a_variable(self) -> Iterator[tuple[_Container, Path, Any]]:
        """Yields the containers with an item that is a variable too, and that item."""
        for container in self._containers:
            if container.kind == SEQUENCE:
                items, step = items_of(container.value), ITEMS
            elif container.kind == MAPPING:
                items, step = values_of(container.value), VALUES
            else:
                continue
            if not _MIN_ROWS <= len(items) <= MAX_ITEMS or kind_of(items[0]) == PLAIN:
                continue
            if self._ids.isdisjoint(map(id, items)):
                continue
            row = next(item for item in items if id(item) in self._ids)
            yield container, (*container.path, step), row
            if container.kind == MAPPING and self._is_key_of(container.value):
                yield container, (*container.path, KEYS), self._parts[0]

    def _is_key_of(self, mapping: dict[Any, Any]) -> bool:
        part = self._parts[0]
        return kind_of(part) == PLAIN and dict.__contains__(mapping, part)

    def _origin(
        self, container: _Container, path: Path, row: object, *, transformed: bool = False
    ) -> Origin | None:
        """Returns the origin, if a row of a container has the key's first part."""
        fields = plain_fields(row)
        self._left -= len(fields)
        first = _source(fields, self._parts[0], transformed=transformed)
        if first is None:
            return None
        rest = tuple(
            _source(fields, part, transformed=False) or _source(fields, part, transformed=True)
            for part in self._parts[1:]
        )
        return Origin(container.root, path, (first, *rest))

    def _among_plain_values(self) -> Iterator[Origin]:
        """Yields origins where the rows are the parts themselves: a list of symbols."""
        part = self._parts[0]
        if kind_of(part) != PLAIN:
            return
        unknown = (None,) * (len(self._parts) - 1)
        for container in self._containers:
            if container.kind == MAPPING:
                if len(container.value) >= _MIN_ROWS and self._is_key_of(container.value):
                    path = (*container.path, KEYS)
                    yield Origin(container.root, path, (_AS_IT_IS, *unknown))
                continue
            if container.kind != SEQUENCE:
                continue
            items = items_of(container.value)
            if len(items) < _MIN_ROWS or kind_of(items[0]) != PLAIN or self._left <= 0:
                continue
            if any(equal(item, other) for other in self._parts[1:] for item in items[:_FEW]):
                continue  # a row: one with the other parts
            source = self._source_among(items, part)
            if source is not None:
                yield Origin(container.root, (*container.path, ITEMS), (source, *unknown))

    def _source_among(self, items: Sequence[Any], part: object) -> Source | None:
        items = items[: max(self._left, 0)]
        self._left -= len(items)
        if any(equal(item, part) for item in items):
            return _AS_IT_IS
        for item in items:
            if _may_become(item, part) and (transforms := fitting(item, part)):
                return Source((), tuple(transforms))
        return None

    def _row_by_row(self) -> Iterator[tuple[Origin, _Container]]:
        """Yields origins in containers none of whose rows is a variable."""
        part = self._parts[0]
        for container in self._containers:
            if container.kind == SEQUENCE:
                items, step = items_of(container.value), ITEMS
            elif container.kind == MAPPING:
                items, step = values_of(container.value), VALUES
            else:
                continue
            if len(items) < _MIN_ROWS or kind_of(items[0]) in {PLAIN, OPAQUE}:
                continue
            path = (*container.path, step)
            at_index = [items[index] for index in self._numbers if 0 <= index < len(items)]
            for row in (*at_index, *items):
                if self._left <= 0:
                    return
                if kind_of(row) in {PLAIN, OPAQUE}:
                    continue
                origin = self._origin(container, path, row)
                if origin is None and any(
                    _may_become(field, part) for _, field in plain_fields(row)
                ):
                    origin = self._origin(container, path, row, transformed=True)
                if origin is not None:
                    yield origin, container
                    break

    def _from_outermost(
        self, origin: Origin, container: _Container, holding: list[tuple[_Container, Path, Any]]
    ) -> Origin:
        """Follows nested loops outwards: the rows' holder may be one row of an outer loop."""
        for _ in range(MAX_NESTING):
            start = next(
                (value for root, value in self._roots if root == container.root), MISSING
            )
            outer = next(
                (
                    (other, path)
                    for other, path, row in holding
                    if row is start and other is not container and other.root != container.root
                ),
                None,
            )
            if outer is None:
                break
            container, path = outer
            origin = Origin(container.root, path + origin.rows, origin.sources)
        return origin


_MIN_ROWS: Final = 2
_FEW: Final = 16
_AS_IT_IS: Final = Source((), (IDENTITY,))


def _source(fields: list[tuple[Path, Any]], part: Any, *, transformed: bool) -> Source | None:  # noqa: ANN401 - any value may be a part
    """Returns where a part of the key stands in a row."""
    if not transformed:
        matching = [path for path, field in fields if field is part]
        if not matching:
            matching = [path for path, field in fields if equal(field, part)]
        return Source(matching[0], (IDENTITY,)) if matching else None
    for path, field in fields:
        if _may_become(field, part):
            transforms = fitting(field, part)
            if transforms:
                return Source(path, tuple(transforms))
    return None


def _may_become(field: object, part: object) -> bool:
    """Whether a transformation is worth trying; most fields have nothing to do with the key."""
    if type(field) is not str or type(part) is not str:
        return type(field) in _NUMBERS or type(part) in _NUMBERS
    if part in field or field in part:
        return True
    return len(part) > _SHORT and part[:_SHORT].lower() in field.lower()


_SHORT: Final = 2
_NUMBERS: Final = frozenset({int, float})
