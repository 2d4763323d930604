"""Finds where a key came from: the row that holds its parts, and the rows beside it.

The row that a loop is at is usually a variable of one of the callers, and the very same object is
an item of some container that a variable leads to. So the containers within reach are gone
through, the nearest frame's first; where one holds a row that is a variable too, the key's parts
are looked for in that row: as they stand, then as something plainly made of a field. What cannot
be found in this way (a copied row, a loop over an index) is looked for row by row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from .origins import AS_IT_IS, Origin, Root, Source, Template
from .paths import BEHIND, ITEMS, KEYS, VALUES, Path, fields_of, plain_fields, step_into
from .reading import (
    INDIRECT,
    MAPPING,
    OPAQUE,
    PLAIN,
    RECORD,
    SEQUENCE,
    behind,
    items_of,
    keys_of,
    kind_of,
    values_of,
)
from .transforms import IDENTITY, equal, fitting, may_become, surrounding, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

MAX_CONTAINERS: Final = 80
"""Containers of one frame that a search goes through."""

MAX_LEVELS: Final = 4
"""Containers inside each other on the way to the rows."""

MAX_LOOKED_AT: Final = 600
"""Values that one search compares with the key."""

MAX_ITEMS: Final = 5_000
"""Items of one container among which a variable's row is looked for."""

MAX_UNPACKED: Final = 300
"""Rows of one list that are compared value by value."""

MAX_NUMBERS: Final = 300
"""Numbers of one list that are compared as text."""

MAX_RECORDS: Final = 100
"""Records of one loader that are compared with the key."""

MAX_NESTING: Final = 3
"""Loops around each other that are seen through."""

_AROUND: Final = 1  # frames further up in which a loop around is looked for

_MIN_ROWS: Final = 2
_MIN_DIGITS: Final = 4  # fewer are in any longer number
_FEW: Final = 16
_MIN_PIECE: Final = 2  # characters of a field that is part of a composed key
_MIN_PIECES: Final = 2


@dataclass(slots=True)
class Container:
    """Something with items, and the way to it."""

    root: Root
    path: Path
    value: Any
    kind: int

    def row_lists(self) -> Iterator[tuple[Sequence[Any], Path]]:
        """Yields what may be its rows, and the path that leads to them all."""
        if self.kind == SEQUENCE:
            items = items_of(self.value)
            if items:
                yield items, (*self.path, ITEMS)
        elif self.kind == MAPPING and dict.__len__(self.value):
            yield values_of(self.value), (*self.path, VALUES)
            yield keys_of(self.value), (*self.path, KEYS)


Held = tuple[Container, Path, Any]
"""A container, the path to all of its rows, and the row among them that is a variable."""


class Search:
    """One search, for the origin of one key.

    Args:
        key: The key, as the caller gave it.
        parts: Its parts.
        layers: The variables to start from, one layer for each frame, the nearest first.
        held: Other objects that count as variables: the rows of a thread pool's worker.
    """

    def __init__(
        self,
        key: object,
        parts: tuple[Any, ...],
        layers: Iterable[list[tuple[Root, Any]]],
        held: Iterable[object] = (),
    ) -> None:
        self._parts = parts
        self._left = MAX_LOOKED_AT
        self._key = id(key)
        # Kept for as long as the search lasts, so that an id stands for one object.
        self.variables: list[Any] = []
        self.ids: set[int] = set()
        self._numbers: list[int] = []
        self._add_variables(held)
        self._to_come = iter(layers)
        self._layers: list[list[tuple[Root, Any]]] = []
        self._seen = {id(key)}
        self._routes: dict[int, list[Container]] = {}
        self._reached: list[list[Container]] = []
        self._holding: list[Held] = []
        self._of_loops: set[int] = set()

    def _add_variables(self, values: Iterable[Any]) -> None:
        for value in values:
            self.variables.append(value)
            if kind_of(value) > OPAQUE or (type(value) in {str, bytes} and len(value) > 1):
                self.ids.add(id(value))
            elif type(value) in {int, float}:
                self._numbers.append(value)
        self.ids.discard(self._key)

    def _next_layer(self) -> list[Held] | None:
        """Goes through one more layer; returns what it holds, or None if there is none."""
        layer = next(self._to_come, None)
        if layer is None:
            return None
        self._layers.append(layer)
        self._add_variables(value for _, value in layer)
        containers = list(self._reachable(layer))
        self._reached.append(containers)
        holding = list(self._holding_a_variable(containers))
        self._holding += holding
        self._of_loops.update(id(inner.value) for inner, _, _ in holding)
        self._of_loops.update(
            id(inner.value) for inner in containers if self._is_looped_over(inner.value)
        )
        return holding

    def _is_looped_over(self, value: object) -> bool:
        """Whether a value is a list of texts one of which is a variable."""
        return (
            type(value) is list
            and len(value) >= _MIN_ROWS
            and type(value[0]) is str
            and not self.ids.isdisjoint(map(id, value[:MAX_ITEMS]))
            and self._is_column(value)
        )

    def origins(self) -> Iterator[Origin]:
        """Yields all origins that are found, the likeliest first."""
        yield from self.exact()
        yield from self.transformed()
        yield from self.composed()
        yield from self.row_by_row()
        yield from self.departed()

    def of_held_rows(self) -> Iterator[Origin]:
        """Yields origins in containers that have one of the held objects as an item."""
        while (holding := self._next_layer()) is not None:
            yield from self._among_rows(holding, transformed=False)
        yield from self._among_rows(self._holding, transformed=True)

    def exact(self) -> Iterator[Origin]:
        """Yields origins where the key's first part stands in the rows as it is."""
        while (holding := self._next_layer()) is not None:
            yield from self._among_rows(holding, transformed=False)
            yield from self._among_unpacked(self._reached[-1])
        for containers in self._reached:
            yield from self._among_plain_values(containers, self._one_of)

    def transformed(self) -> Iterator[Origin]:
        """Yields origins where it was made of something in the row that is a variable."""
        yield from self._among_rows(self._holding, transformed=True)
        for containers in self._reached:
            yield from self._among_plain_values(containers, self._made_of_one)

    def composed(self) -> Iterator[Origin]:
        """Yields origins where the key was put together: of a row's fields, around a number."""
        if type(self._parts[0]) is not str:
            return
        for container, path, row in self._holding:
            template = _template(plain_fields(row, self._of_loops), self._parts[0])
            if template is not None:
                unknown = (None,) * (len(self._parts) - 1)
                origin = Origin(container.root, path, (template, *unknown))
                yield self._from_outermost(origin, container)
        for containers in self._reached:
            yield from self._among_plain_values(containers, self._put_around_one)

    def row_by_row(self) -> Iterator[Origin]:
        """Yields origins in containers none of whose rows is a variable."""
        for containers in self._reached:
            for container in containers:
                origin = self._in_any_row(container)
                if origin is not None:
                    yield origin

    def departed(self) -> Iterator[Origin]:
        """Yields origins in containers whose rows are like a variable that is none of them.

        `row = rows.pop()` takes a row out before its key is asked for, `item = row.pop("item")`
        a part of it.
        """
        rows = {id(row) for _, _, row in self._holding}
        for value in self.variables:
            if kind_of(value) not in {RECORD, MAPPING} or id(value) in rows or self._left <= 0:
                continue
            fields = plain_fields(value)
            self._left -= len(fields)
            sources = _sources(fields, self._parts) if self._may_be_made_of(fields) else None
            if sources is None:
                continue
            for container in chain.from_iterable(self._reached):
                for items, path in container.row_lists():
                    way = _way_to_one_like(value, items[-1])
                    if way is not None:
                        inside = tuple(_inside_of(source, way) for source in sources)
                        origin = Origin(container.root, path, inside)
                        yield self._from_outermost(origin, container)

    def _reachable(self, layer: list[tuple[Root, Any]]) -> Iterator[Container]:
        """Yields the containers that a frame's variables lead to, level by level."""
        level = [
            Container(root, (), value, kind)
            for root, value in layer
            if (kind := kind_of(value)) > OPAQUE
        ]
        count = 0
        for depth in range(MAX_LEVELS):
            following: list[Container] = []
            for container in level:
                if id(container.value) in self._seen:
                    # Another way to it, which may lead through the row of an outer loop.
                    self._routes.setdefault(id(container.value), []).append(container)
                    continue
                self._seen.add(id(container.value))
                count += 1
                if count > MAX_CONTAINERS:
                    return
                yield container
                if depth < MAX_LEVELS - 1:
                    following.extend(_inside(container))
            level = following

    def _holding_a_variable(self, containers: list[Container]) -> Iterator[Held]:
        for container in containers:
            for items, path in container.row_lists():
                if len(items) > MAX_ITEMS or kind_of(items[0]) == PLAIN:
                    continue
                # One row is a page with one; but one argument is a tuple, too.
                if len(items) < _MIN_ROWS and not _is_list_of_records(container.value):
                    continue
                if not self.ids.isdisjoint(map(id, items)):
                    yield container, path, next(item for item in items if id(item) in self.ids)

    def _among_rows(self, holding: list[Held], *, transformed: bool) -> Iterator[Origin]:
        for container, path, row in holding:
            if id(row) in self._of_loops or _is_list_of_rows(row):
                continue  # an outer loop's
            origin = self._origin(container, path, row, transformed=transformed)
            if origin is not None:
                yield self._from_outermost(origin, container)

    def _among_unpacked(self, containers: list[Container]) -> Iterator[Origin]:
        """Yields origins in rows of plain values, one of which is the very part that is asked for.

        `for symbol, exchange in pairs` has no variable for its row.
        """
        part = self._parts[0]
        if type(part) is not str:
            return  # numbers are seldom the same object, and often equal
        for container in containers:
            for items, path in container.row_lists():
                if type(items[0]) not in {tuple, list}:
                    continue
                for row in items[:MAX_UNPACKED]:
                    if type(row) in {tuple, list} and any(value is part for value in row[:_FEW]):
                        origin = self._origin(container, path, row, transformed=False)
                        if origin is not None:
                            yield self._from_outermost(origin, container)
                        break

    def _origin(
        self, container: Container, path: Path, row: object, *, transformed: bool
    ) -> Origin | None:
        """Returns the origin, if a row of a container has the key's first part."""
        # The rows of an inner loop are no fields of an outer loop's row.
        fields = plain_fields(row, self._of_loops)
        self._left -= len(fields)
        sources = _sources(fields, self._parts, transformed=transformed)
        if sources is None:
            return None
        return _over_inner_lists(Origin(container.root, path, sources), row)

    def _among_plain_values(
        self, containers: list[Container], source_in: Callable[[Sequence[Any]], Source | None]
    ) -> Iterator[Origin]:
        """Yields origins where the rows are the parts themselves: a list of symbols."""
        if kind_of(self._parts[0]) != PLAIN:
            return
        unknown = (None,) * (len(self._parts) - 1)
        rows = {id(row) for _, _, row in self._holding}
        for container in containers:
            if id(container.value) in rows and id(container.value) not in self._of_loops:
                continue
            if container.kind == MAPPING and _is_record(container.value):
                continue
            for items, path in container.row_lists():
                if len(items) < _MIN_ROWS or kind_of(items[0]) != PLAIN:
                    continue
                if not self._is_column(items):
                    continue
                source = source_in(items)
                if source is not None:
                    origin = Origin(container.root, path, (source, *unknown))
                    yield self._from_outermost(origin, container)

    def _is_column(self, items: Sequence[Any]) -> bool:
        """Whether plain values are of one kind, and not a row's: one with the other parts."""
        some = items[:_FEW]
        if any(equal(item, other) for other in self._parts[1:] for item in some):
            return False
        return len({type(item) for item in some if item is not None}) == 1

    def _one_of(self, items: Sequence[Any]) -> Source | None:
        items = items[:MAX_ITEMS]
        part = self._parts[0]
        if type(part) is int and part not in self._numbers:
            return None  # a number is in many lists; a loop over numbers has it in a variable
        return AS_IT_IS if any(equal(item, part) for item in items) else None

    def _made_of_one(self, items: Sequence[Any]) -> Source | None:
        """Returns how the key was made of the text that a loop over texts is at."""
        part = self._parts[0]
        as_text = text_of(part)
        for item in self._texts_at_hand(items):
            if may_become(item, part) and (transforms := fitting(item, part)):
                return Source((), tuple(transforms))
        # A variable may hold another object for the same number.
        if as_text is not None and as_text.isdecimal() and type(items[0]) in {int, float}:
            for item in items[:MAX_NUMBERS]:
                if text_of(item) == as_text:
                    return Source((), tuple(fitting(item, part)))
        return None

    def _put_around_one(self, items: Sequence[Any]) -> Source | None:
        """Returns how texts were put around the number or text that a loop is at."""
        at_hand = self._texts_at_hand(items)
        if type(items[0]) in {int, float}:
            at_hand = [item for item in items[:MAX_NUMBERS] if item in self._numbers]
        for item in at_hand:
            if (transform := surrounding(item, self._parts[0])) is not None:
                return Source((), (transform,))
        return None

    def _texts_at_hand(self, items: Sequence[Any]) -> list[Any]:
        """Returns the texts among items that are variables, too."""
        if type(items[0]) not in {str, bytes} or self.ids.isdisjoint(map(id, items[:MAX_ITEMS])):
            return []
        return [item for item in items[:MAX_ITEMS] if id(item) in self.ids]

    def _in_any_row(self, container: Container) -> Origin | None:
        for items, path in container.row_lists():
            if kind_of(items[0]) in {PLAIN, OPAQUE} or _is_list_of_rows(items[0]):
                continue
            at_index = [
                items[index]
                for index in self._numbers[:_FEW]
                if type(index) is int and 0 <= index < len(items)
            ]
            for number, row in enumerate(chain(at_index, items)):
                if self._left <= 0:
                    return None
                if kind_of(row) in {PLAIN, OPAQUE}:
                    continue
                origin = self._origin(container, path, row, transformed=False)
                if origin is None and number < _FEW and self._may_be_made_of(plain_fields(row)):
                    origin = self._origin(container, path, row, transformed=True)
                if origin is not None:
                    return self._from_outermost(origin, container)
        return None

    def _may_be_made_of(self, fields: list[tuple[Path, Any]]) -> bool:
        """Whether the key's first part is so plainly in a field that it is no accident."""
        text = text_of(self._parts[0])
        if not text:
            return False
        within = type(self._parts[0]) is str or len(text) >= _MIN_DIGITS
        return any(
            (within and type(field) is str and text in field) or text_of(field) == text
            for _, field in fields
        )

    def _from_outermost(self, origin: Origin, container: Container) -> Origin:
        """Follows loops outwards: rows may be part of an outer loop's row, or a slice of more."""
        walked = 0
        for _ in range(MAX_NESTING):
            while (outer := self._around(container)) is None and walked < _AROUND:
                layer = self._next_layer()
                if layer is None:
                    break
                walked += not self._continues()
            if outer is None:
                break
            inside = origin.rows[len(container.path) :]
            container, path = outer
            origin = Origin(container.root, path + inside, origin.sources)
        return origin

    def _continues(self) -> bool:
        """Whether the layer last gone through is only the beginning of something.

        Before Python 3.12 each `for` of a comprehension may have a frame of its own; and that of
        a thread that has handed over a row may be any.
        """
        return any(root.name == ".0" or root.kind == "thread" for root, _ in self._layers[-1])

    def _around(self, container: Container) -> tuple[Container, Path] | None:
        """Returns what a container is a part of, and the path to all such parts of it."""
        for route in (container, *self._routes.get(id(container.value), ())):
            start = self.value_of(route.root)
            for other, path, row in self._holding:
                if row is start and other.value is not container.value:
                    return other, path + route.path
        for other in chain.from_iterable(self._reached):
            for items, path in other.row_lists():
                holds_containers = kind_of(items[0]) in {SEQUENCE, MAPPING} and not (
                    other.kind == MAPPING and _is_record(other.value)
                )
                if holds_containers and any(item is container.value for item in items[:MAX_ITEMS]):
                    return other, path
                if other.kind == container.kind == SEQUENCE and _is_slice(container.value, items):
                    return other, other.path
        return None

    def value_of(self, wanted: Root) -> Any:  # noqa: ANN401 - a variable holds anything
        """Returns what a root stands for in this search."""
        return next(
            (value for layer in self._layers for root, value in layer if root == wanted), self
        )


def _is_record(mapping: dict[Any, Any]) -> bool:
    """Whether a mapping's keys look like names of fields: `tradingSymbol`, and not `SBIN`."""
    keys = keys_of(mapping)[:_FEW]
    return all(type(key) is str and key.isidentifier() and not key.isupper() for key in keys)


def _is_list_of_records(value: object) -> bool:
    return type(value) is list and kind_of(value[0]) in {RECORD, MAPPING}


def _is_list_of_rows(row: object) -> bool:
    return type(row) is list and bool(row) and kind_of(row[0]) in {RECORD, MAPPING, SEQUENCE}


def _is_slice(value: object, items: Sequence[Any]) -> bool:
    """Whether a value is a list or tuple of some items that follow each other, and not of all."""
    part = items_of(value)
    if not len(part) < len(items) <= MAX_ITEMS:
        return False
    ids = list(map(id, items))
    if id(part[0]) not in ids:
        return False
    start = ids.index(id(part[0]))
    return list(map(id, part)) == ids[start : start + len(part)]


def _inside(container: Container) -> Iterator[Container]:
    root, path = container.root, container.path
    if container.kind == INDIRECT:
        for value in behind(container.value):
            yield Container(root, (*path, BEHIND), value, kind_of(value))
        return
    if container.kind == SEQUENCE:
        items = items_of(container.value)
        # More of them are rows; if one of those leads further, it is a variable as well.
        for item in items if len(items) <= _FEW else ():
            if (kind := kind_of(item)) > OPAQUE:
                # What is found in one is looked for in all.
                yield Container(root, (*path, ITEMS), item, kind)
        return
    for step, value in fields_of(container.value):
        kind = kind_of(value)
        if kind > OPAQUE:
            yield Container(root, (*path, step), value, kind)


def _way_to_one_like(value: object, row: object) -> Path | None:
    """Returns the path to what has the same fields as a value: a row itself, or what it holds."""
    if _are_alike(value, row):
        return ()
    return next(((step,) for step, inner in fields_of(row) if _are_alike(value, inner)), None)


def _are_alike(one: Any, other: Any) -> bool:  # noqa: ANN401 - whatever rows hold
    if type(one) is not type(other) or one is other or kind_of(one) not in {RECORD, MAPPING}:
        return False
    if kind_of(one) == RECORD:
        return True
    ours, theirs = (
        {key for key in keys_of(each) if kind_of(key) == PLAIN} for each in (one, other)
    )
    return len(ours & theirs) * 4 >= max(len(ours), len(theirs)) * 3


def _inside_of(source: Source | Template | None, way: Path) -> Source | Template | None:
    return replace(source, path=way + source.path) if isinstance(source, Source) else source


def _sources(
    fields: list[tuple[Path, Any]], parts: tuple[Any, ...], *, transformed: bool | None = None
) -> tuple[Source | None, ...] | None:
    """Returns where the parts of a key stand in a row, if the first one does.

    Args:
        fields: The row's fields.
        parts: The key's parts.
        transformed: Whether something has been made of the first one's field; None if it may.
    """
    first = None
    for each in (False, True) if transformed is None else (transformed,):
        first = first or _source(fields, parts[0], transformed=each)
    if first is None:
        return None
    return (
        first,
        *(
            _source(fields, part, transformed=False) or _source(fields, part, transformed=True)
            for part in parts[1:]
        ),
    )


def _source(
    fields: list[tuple[Path, Any]],
    part: Any,  # noqa: ANN401 - any value may be a part
    *,
    transformed: bool,
) -> Source | None:
    """Returns where a part of the key stands in a row."""
    if not transformed:
        for path, field in fields:
            if field is part:
                return Source(path, (IDENTITY,))
        for path, field in fields:
            if equal(field, part):
                return Source(path, (IDENTITY,))
        return None
    for path, field in fields:
        if may_become(field, part):
            transforms = fitting(field, part)
            if transforms:
                return Source(path, tuple(transforms))
    return None


def _template(fields: list[tuple[Path, Any]], part: str) -> Template | None:
    """Returns how a text was put together of several of a row's fields, if most of it was."""
    texts = [
        (text, path)
        for path, field in fields
        if (text := text_of(field)) is not None and len(text) >= _MIN_PIECE and text in part
    ]
    texts.sort(key=lambda piece: -len(piece[0]))
    pieces: list[str | Path] = [part]
    covered = used = 0
    for text, path in texts:
        for index, piece in enumerate(pieces):
            if isinstance(piece, str) and text in piece:
                before, _, after = piece.partition(text)
                pieces[index : index + 1] = [each for each in (before, path, after) if each]
                covered += len(text)
                used += 1
                break
    if used < _MIN_PIECES or covered * 2 < len(part):
        return None
    return Template(tuple(pieces))


def _over_inner_lists(origin: Origin, row: object) -> Origin:
    """Goes over all items of the lists in a row on the way to the key, not over one position.

    A loop around the row may have a loop inside that goes over them. Parts that are not in the
    same list are those of its loop, and not of the row: they are left out.
    """
    first, *rest = origin.sources
    assert isinstance(first, Source)  # noqa: S101 - just made
    value, start = row, 0
    steps = list(first.path)
    for index, step in enumerate(first.path):
        if step[0] == "item" and (_is_list_of_rows(value) or _is_list_of_texts(value)):
            steps[index] = ITEMS
            start = index + 1
        value = step_into(value, step)
    if not start:
        return origin
    beside: list[Source | Template | None] = [
        replace(source, path=source.path[start:])
        if isinstance(source, Source) and source.path[:start] == first.path[:start]
        else None
        for source in rest
    ]
    inner = replace(first, path=first.path[start:])
    return Origin(origin.root, (*origin.rows, *steps[:start]), (inner, *beside))


def _is_list_of_texts(value: object) -> bool:
    return type(value) is list and all(type(item) is str for item in value[:_FEW])


def record_with(parts: tuple[Any, ...], root: Root, records: list[Any]) -> Origin | None:
    """Returns where a key stands in a record that was loaded: the very text, not an equal one."""
    if type(parts[0]) is not str:
        return None
    for record in records[:MAX_RECORDS]:
        fields: list[tuple[Path, Any]] = [((step,), value) for step, value in fields_of(record)]
        if any(value is parts[0] for _, value in fields):
            sources = tuple(_source(fields, part, transformed=False) for part in parts)
            return Origin(root, (ITEMS,), sources)
    return None
