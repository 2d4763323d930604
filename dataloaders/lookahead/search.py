"""Finds where a key came from: the row that holds its parts, and the rows beside it.

The row that a loop is at is usually a variable of one of the callers, and the very same object is
an item of some container that a variable leads to. So the containers within reach are gone
through, the nearest frame's first; where one holds a row that is a variable too, the key's parts
are looked for in that row: as they stand, then as something plainly made of a field. What cannot
be found in this way (a copied row, a loop over an index) is looked for row by row.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from .containers import (
    MAX_ITEMS,
    Container,
    Rows,
    are_mixed,
    is_list_of_records,
    is_list_of_rows,
    is_plain_record,
    is_record,
    is_slice,
    reachable,
    rows_in,
    way_to_one_like,
)
from .origins import AS_IT_IS, Origin, Root, Source
from .paths import Path, plain_fields
from .reading import MAPPING, OPAQUE, PLAIN, PLAIN_TYPES, RECORD, SEQUENCE, kind_of
from .sources import is_plainly_in, over_inner_lists, sources_of, template_of
from .surroundings import Layer
from .transforms import equal, fitting, may_become, surrounding, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

MAX_LOOKED_AT: Final = 600
"""Values that one search compares with the key."""

MAX_EQUAL: Final = 1_000
"""Rows of a list none of which is a variable; what is equal to a row is in any large list."""

MAX_UNPACKED: Final = 300
"""Rows of one list that are compared value by value."""

MAX_NUMBERS: Final = 300
"""Numbers of one list that are compared as text."""

MAX_NESTING: Final = 3
"""Loops around each other that are seen through."""

_AROUND: Final = 1  # frames further up in which a loop around is looked for
_OF_VARIABLES: Final = frozenset({"local", "thread"})
_MIN_ROWS: Final = 2
_FEW: Final = 16
_TEXTS: Final = frozenset({str, bytes})
_NUMBERS: Final = frozenset({int, float})


class Search:
    """One search, for the origin of one key.

    Args:
        key: The key, as the caller gave it.
        parts: Its parts.
        layers: The variables to start from, one layer for each frame, the nearest first.
        held: Other objects that count as variables: the rows of a thread pool's worker.
        only_held: Whether nothing else does.
        shared: Whether the loader's values are everybody's. If not, a list that is a value of a
            mapping may be one user's, and the others those of other users.

    Attributes:
        variables: What the layers so far hold, of some interest.
        ids: The ids of those among which a row may be.
    """

    def __init__(
        self,
        key: object,
        parts: tuple[Any, ...],
        layers: Iterable[Layer],
        held: Iterable[object] = (),
        *,
        only_held: bool = False,
        shared: bool = True,
    ) -> None:
        self._parts = parts
        self._shared = shared
        self._unknown = (None,) * (len(parts) - 1)
        self._left = MAX_LOOKED_AT
        self._key = id(key)
        # Kept for as long as the search lasts, so that an id stands for one object.
        self.variables: list[Any] = []
        self.ids: set[int] = set()
        self._numbers: list[int | float] = []
        self._starts: dict[Root, Any] = {}
        self._to_come = iter(layers)
        self._next = next(self._to_come, None)
        self._is_continued = False
        self._seen = {id(key)}
        self._routes: dict[int, list[Container]] = {}
        self._rows: list[Rows] = []
        self._plain: list[Rows] = []
        self._holding: list[tuple[Rows, Any]] = []
        self._at_hand: tuple[int, list[Rows]] | None = None
        self._of_loops: set[int] = set()
        self._only_held = False
        self._take_note_of(Layer("held", 0, enumerate(held)))
        self._only_held = only_held

    # -- what there is

    def value_of(self, root: Root) -> Any:  # noqa: ANN401 - a variable holds anything
        """Returns what a root stands for in this search."""
        return self._starts[root]

    def rows_at_hand(self) -> list[Any]:
        """Returns the variables that may be rows: no plain value, which may be anybody's."""
        return [value for value in self.variables if kind_of(value) > OPAQUE]

    def _next_layer(self) -> tuple[list[Rows], list[tuple[Rows, Any]]] | None:
        """Goes through one more layer.

        Returns:
            The rows that it leads to, and those of them of which one is a variable, with that
            one; None if there is no layer left.
        """
        layer = self._next
        if layer is None:
            return None
        self._next = next(self._to_come, None)
        level = self._take_note_of(layer)
        # Before Python 3.12 each `for` of a comprehension may have a frame of its own; and that
        # of a thread that has handed over a row may be any.
        self._is_continued = layer.kind == "thread" or (
            bool(level) and level[0].root.name == ".0"  # it is an argument, and the only one
        )
        rows, holding = [], []
        for container in reachable(level, self._seen, self._routes):
            if container.kind == MAPPING and is_plain_record(container.value):
                continue
            for each in rows_in(container):
                if each.kind == PLAIN:
                    if len(each.items) >= _MIN_ROWS:
                        self._plain.append(each)
                        if self._is_looped_over(each):
                            self._of_loops.add(id(container.value))
                elif each.kind != OPAQUE and len(each.items) <= MAX_ITEMS:
                    rows.append(each)
                    row = self._variable_among(each)
                    if row is not None:
                        holding.append((each, row))
                        self._of_loops.add(id(container.value))
        self._rows += rows
        self._holding += holding
        return rows, holding

    def _take_note_of(self, layer: Layer) -> list[Container]:
        """Notes what a layer holds; returns the containers among it."""
        kind_of_root, height, values = layer
        containers = []
        for name, value in values:
            kind = kind_of(value)
            if kind > OPAQUE:
                root = Root(kind_of_root, height, name)
                self._starts[root] = value
                containers.append(Container(root, (), value, kind))
                if self._only_held:
                    continue
                self.ids.add(id(value))
            elif kind == OPAQUE or self._only_held:
                continue
            elif type(value) in _TEXTS:
                if len(value) > 1:
                    self.ids.add(id(value))
            elif type(value) in _NUMBERS:
                self._numbers.append(value)
            self.variables.append(value)
        self.ids.discard(self._key)
        return containers

    def _variable_among(self, rows: Rows) -> Any:  # noqa: ANN401 - a row may be anything
        """Returns the row that is a variable, or None."""
        # One row is a page with one; but one argument is a tuple, too.
        if len(rows.items) < _MIN_ROWS and not is_list_of_records(rows.container.value):
            return None
        if self.ids.isdisjoint(map(id, rows.items)):
            return None
        return next(item for item in rows.items if id(item) in self.ids)

    def _is_looped_over(self, plain: Rows) -> bool:
        """Whether plain values are a list of texts one of which is a variable."""
        return (
            type(plain.container.value) is list
            and type(plain.items[0]) is str
            and not self.ids.isdisjoint(map(id, plain.items[:MAX_ITEMS]))
            and self._is_column(plain.items)
        )

    # -- the origins in it

    def origins(self) -> Iterator[Origin]:
        """Yields all origins that are found, the likeliest first."""
        yield from self.likely()
        yield from self.row_by_row()
        yield from self.departed()

    def likely(self) -> Iterator[Origin]:
        """Yields origins in the rows that are variables, and in lists of plain values."""
        yield from self.exact()
        yield from self.transformed()
        yield from self.composed()

    def of_held_rows(self) -> Iterator[Origin]:
        """Yields origins in containers that have one of the held objects as an item."""
        while (layer := self._next_layer()) is not None:
            yield from self._in_the_row_at_hand(layer[1], transformed=False)
        yield from self._in_the_row_at_hand(self._holding, transformed=True)

    def exact(self) -> Iterator[Origin]:
        """Yields origins where the key's first part stands in the rows as it is."""
        while (layer := self._next_layer()) is not None:
            rows, holding = layer
            yield from self._in_the_row_at_hand(holding, transformed=False)
            yield from self._among_unpacked(rows)
        yield from self._among_plain_values(self._one_of)

    def transformed(self) -> Iterator[Origin]:
        """Yields origins where it was made of something in the row that is a variable."""
        yield from self._in_the_row_at_hand(self._holding, transformed=True)
        yield from self._among_plain_values(self._made_of_one, at_hand=True)

    def composed(self) -> Iterator[Origin]:
        """Yields origins where the key was put together: of a row's fields, around a number."""
        part = self._parts[0]
        if type(part) is not str:
            return
        for rows, row in self._holding:
            template = template_of(plain_fields(row, self._of_loops), part)
            if template is not None:
                origin = Origin(rows.container.root, rows.path, (template, *self._unknown))
                yield self._from_outermost(origin, rows.container)
        yield from self._among_plain_values(self._put_around_one, at_hand=True)

    def row_by_row(self) -> Iterator[Origin]:
        """Yields origins in containers none of whose rows is a variable."""
        for rows in self._rows:
            if len(rows.items) <= MAX_EQUAL and not is_list_of_rows(rows.items[0]):
                origin = self._in_any(rows)
                if origin is not None:
                    yield self._from_outermost(origin, rows.container)

    def departed(self) -> Iterator[Origin]:
        """Yields origins in containers whose rows are like a variable that is none of them.

        `row = rows.pop()` takes a row out before its key is asked for, `item = row.pop("item")`
        a part of it.
        """
        at_hand = {id(row) for _, row in self._holding}
        for value in self.variables:
            if kind_of(value) not in {RECORD, MAPPING} or id(value) in at_hand or self._left <= 0:
                continue
            fields = plain_fields(value)
            self._left -= len(fields)
            if not is_plainly_in(fields, self._parts[0]):
                continue
            sources = sources_of(fields, self._parts, transformed=False) or sources_of(
                fields, self._parts, transformed=True
            )
            if sources is None:
                continue
            for rows in self._rows:
                way = way_to_one_like(value, rows.items[-1])
                if way is not None:
                    inside = [each and replace(each, path=way + each.path) for each in sources]
                    root = rows.container.root
                    origin = Origin(root, rows.path, tuple(inside), departed=True)
                    yield self._from_outermost(origin, rows.container)

    # -- rows with fields

    def _in_the_row_at_hand(
        self, holding: list[tuple[Rows, Any]], *, transformed: bool
    ) -> Iterator[Origin]:
        for rows, row in holding:
            if id(row) in self._of_loops or is_list_of_rows(row):
                continue  # an outer loop's
            origin = self._in_row(rows, row, transformed=transformed)
            if origin is not None:
                yield self._from_outermost(origin, rows.container)

    def _among_unpacked(self, found: list[Rows]) -> Iterator[Origin]:
        """Yields origins in rows of plain values, one of which is the very part that is asked for.

        `for symbol, exchange in pairs` has no variable for its row.
        """
        part = self._parts[0]
        if type(part) is not str:
            return  # numbers are seldom the same object, and often equal
        for rows in found:
            if type(rows.items[0]) not in {tuple, list}:
                continue
            for row in rows.items[:MAX_UNPACKED]:
                if type(row) in {tuple, list} and any(value is part for value in row[:_FEW]):
                    origin = self._in_row(rows, row, transformed=False)
                    if origin is not None:
                        yield self._from_outermost(origin, rows.container)
                    break

    def _in_any(self, rows: Rows) -> Origin | None:
        """Returns the origin in the first row that has the key; those at some index come first."""
        items = rows.items
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
            origin = self._in_row(rows, row, transformed=False)
            if (
                origin is None
                and number < _FEW
                and is_plainly_in(plain_fields(row), self._parts[0])
            ):
                origin = self._in_row(rows, row, transformed=True)
            if origin is not None:
                return origin
        return None

    def _in_row(self, rows: Rows, row: object, *, transformed: bool) -> Origin | None:
        """Returns the origin, if a row has the key's first part."""
        # The rows of an inner loop are no fields of an outer loop's row.
        fields = plain_fields(row, self._of_loops)
        self._left -= len(fields)
        sources = sources_of(fields, self._parts, transformed=transformed)
        if sources is None:
            return None
        return over_inner_lists(Origin(rows.container.root, rows.path, sources), row)

    # -- rows that are the parts themselves

    def _among_plain_values(
        self, source_in: Callable[[Sequence[Any]], Source | None], *, at_hand: bool = False
    ) -> Iterator[Origin]:
        """Yields origins where the rows are the parts themselves: a list of symbols."""
        if kind_of(self._parts[0]) != PLAIN:
            return
        lists = self._with_one_at_hand() if at_hand else self._plain
        rows_at_hand = {id(row) for _, row in self._holding} - self._of_loops if lists else set()
        for rows in lists:
            value = rows.container.value
            source = None if id(value) in rows_at_hand else source_in(rows.items)
            if source is None or not self._is_column(rows.items):
                continue
            if rows.container.kind == MAPPING and (is_record(value) or are_mixed(rows.items)):
                continue
            origin = Origin(rows.container.root, rows.path, (source, *self._unknown))
            yield self._from_outermost(origin, rows.container)

    def _with_one_at_hand(self) -> list[Rows]:
        """Returns the lists of texts one of which is a variable, and those of numbers."""
        if self._at_hand is None or self._at_hand[0] != len(self._plain):
            found = [
                rows
                for rows in self._plain
                if type(rows.items[0]) in _NUMBERS
                or not self.ids.isdisjoint(map(id, rows.items[:MAX_ITEMS]))
            ]
            self._at_hand = (len(self._plain), found)
        return self._at_hand[1]

    def _is_column(self, items: Sequence[Any]) -> bool:
        """Whether plain values are of one kind, and not a row's: one with the other parts."""
        some = items[:_FEW]
        if len(set(map(type, some)) - {type(None)}) != 1:
            return False
        return not any(equal(item, other) for other in self._parts[1:] for item in some)

    def _one_of(self, items: Sequence[Any]) -> Source | None:
        part = self._parts[0]
        if type(part) is int and part not in self._numbers:
            return None  # a number is in many lists; a loop over numbers has it in a variable
        kind = type(part)
        if len(items) > MAX_EQUAL:
            found = any(item is part for item in items[:MAX_ITEMS])
        elif PLAIN_TYPES.issuperset(map(type, items)) and part not in items:
            found = False  # which is asked at once, and runs no code but Python's own
        else:
            found = any(item is part or (type(item) is kind and item == part) for item in items)
        return AS_IT_IS if found else None

    def _made_of_one(self, items: Sequence[Any]) -> Source | None:
        """Returns how the key was made of the text that a loop over texts is at."""
        part = self._parts[0]
        for item in self._texts_at_hand(items):
            if may_become(item, part) and (transforms := fitting(item, part)):
                return Source((), tuple(transforms))
        # A variable may hold another object for the same number.
        if type(items[0]) in _NUMBERS:
            as_text = text_of(part)
            if as_text is not None and as_text.isdecimal():
                for item in items[:MAX_NUMBERS]:
                    if text_of(item) == as_text:
                        return Source((), tuple(fitting(item, part)))
        return None

    def _put_around_one(self, items: Sequence[Any]) -> Source | None:
        """Returns how texts were put around the number or text that a loop is at."""
        at_hand = self._texts_at_hand(items)
        if type(items[0]) in _NUMBERS:
            numbers = [item for item in items[:MAX_NUMBERS] if type(item) in _NUMBERS]
            at_hand = [item for item in numbers if item in self._numbers]
        for item in at_hand:
            if (transform := surrounding(item, self._parts[0])) is not None:
                return Source((), (transform,))
        return None

    def _texts_at_hand(self, items: Sequence[Any]) -> list[Any]:
        """Returns the texts among items that are variables, too."""
        if type(items[0]) not in _TEXTS or self.ids.isdisjoint(map(id, items[:MAX_ITEMS])):
            return []
        return [item for item in items[:MAX_ITEMS] if id(item) in self.ids]

    # -- loops around the loop

    def _from_outermost(self, origin: Origin, container: Container) -> Origin:
        """Follows loops outwards: rows may be part of an outer loop's row, or a slice of more."""
        walked = 0
        for _ in range(MAX_NESTING):
            while (outer := self._around(container)) is None and walked < _AROUND:
                # What variables hold is not part of what none does.
                if self._next is None or self._next.kind not in _OF_VARIABLES:
                    break
                self._next_layer()
                walked += not self._is_continued
            if outer is None:
                break
            inside = origin.rows[len(container.path) :]
            container, path = outer
            origin = replace(origin, root=container.root, rows=path + inside)
        return origin

    def _around(self, container: Container) -> tuple[Container, Path] | None:
        """Returns what a container is a part of, and the path to all such parts of it."""
        for route in (container, *self._routes.get(id(container.value), ())):
            start = self.value_of(route.root)
            for rows, row in self._holding:
                if row is start and rows.container.value is not container.value:
                    found = rows.container, rows.path + route.path
                    return found if self._may_be_gone_over(rows.container) else None
        for rows in self._rows:
            if rows.kind in {SEQUENCE, MAPPING} and any(
                item is container.value for item in rows.items
            ):
                other = rows.container
                whole = self._may_be_gone_over(other) and not (
                    other.kind == MAPPING and is_record(other.value)
                )
                return (other, rows.path) if whole else None
        return self._whole_of(container)

    def _may_be_gone_over(self, container: Container) -> bool:
        return self._shared or container.kind != MAPPING

    def _whole_of(self, container: Container) -> tuple[Container, Path] | None:
        """Returns what a container's rows are a slice of."""
        if container.kind == SEQUENCE:
            for rows in chain(self._rows, self._plain):
                other = rows.container
                if other.kind == SEQUENCE and is_slice(container.value, rows.items):
                    return other, other.path
        return None
