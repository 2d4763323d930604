"""What variables lead to: containers inside each other, and the rows that they may hold."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .paths import BEHIND, ITEMS, KEYS, MAX_FIELDS, VALUES, Path, Step, fields_of
from .reading import (
    INDIRECT,
    MAPPING,
    OPAQUE,
    PLAIN_TYPES,
    RECORD,
    SEQUENCE,
    behind,
    items_of,
    keys_of,
    kind_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .origins import Root

MAX_CONTAINERS: Final = 80
"""Containers of one frame that a search goes through."""

MAX_LEVELS: Final = 4
"""Containers inside each other on the way to the rows."""

MAX_ITEMS: Final = 5_000
"""Items of one container that are looked at."""

_FEW: Final = 16


class Container(NamedTuple):
    """Something with items, and the way to it."""

    root: Root
    path: Path
    value: Any
    kind: int


class Rows(NamedTuple):
    """What may be the rows of a loop.

    Attributes:
        container: What holds them.
        path: The path that leads to them all.
        items: The rows; there is one at least.
        kind: The kind of the first.
    """

    container: Container
    path: Path
    items: Sequence[Any]
    kind: int


def rows_in(container: Container) -> Iterator[Rows]:
    """Yields what may be the rows in a container."""
    value = container.value
    if container.kind == SEQUENCE:
        items = items_of(value)
        if items:
            yield Rows(container, (*container.path, ITEMS), items, kind_of(items[0]))
    elif container.kind == MAPPING and dict.__len__(value):
        # One more than are looked at tells that they are too many; there may be very many.
        for step, every in ((VALUES, dict.values(value)), (KEYS, dict.keys(value))):
            items = list(islice(every, MAX_ITEMS + 1))
            yield Rows(container, (*container.path, step), items, kind_of(items[0]))


def reachable(
    level: list[Container], seen: set[int], routes: dict[int, list[Container]]
) -> Iterator[Container]:
    """Yields the containers that some lead to, themselves included, level by level.

    Args:
        level: Those to begin with.
        seen: The ids of those that were yielded before, by this call or another one.
        routes: Takes the other ways to them, which may lead through the row of an outer loop.
    """
    count = 0
    for depth in range(MAX_LEVELS):
        following: list[Container] = []
        for container in level:
            number = id(container.value)
            if number in seen:
                routes.setdefault(number, []).append(container)
                continue
            seen.add(number)
            count += 1
            if count > MAX_CONTAINERS:
                return
            yield container
            if depth < MAX_LEVELS - 1:
                following += _inside(container)
        level = following


def _inside(container: Container) -> Iterator[Container]:
    """Yields the containers that one holds."""
    for step, value in _steps_into(container.value, container.kind):
        kind = kind_of(value)
        if kind > OPAQUE:
            yield Container(container.root, (*container.path, step), value, kind)


def _steps_into(value: Any, kind: int) -> Iterable[tuple[Step, Any]]:  # noqa: ANN401 - any container
    if kind == INDIRECT:
        return ((BEHIND, inner) for inner in behind(value))
    if kind == SEQUENCE:
        items = items_of(value)
        # More of them are rows; if one of those leads further, it is a variable as well. What is
        # found in one is looked for in all.
        return ((ITEMS, item) for item in items) if len(items) <= _FEW else ()
    if kind == MAPPING and PLAIN_TYPES.issuperset(
        map(type, islice(dict.values(value), MAX_FIELDS))
    ):
        return ()  # the usual row, without a step for each field that leads nowhere
    return fields_of(value)


def is_record(mapping: dict[Any, Any]) -> bool:
    """Whether a mapping's keys look like names of fields: `tradingSymbol`, and not `SBIN`."""
    keys = list(islice(dict.keys(mapping), _FEW))
    return all(type(key) is str and key.isidentifier() and not key.isupper() for key in keys)


def is_plain_record(mapping: dict[Any, Any]) -> bool:
    """Whether a mapping is a record of plain values, so neither rows nor parts of keys itself."""
    return (
        dict.__len__(mapping) <= MAX_FIELDS
        and PLAIN_TYPES.issuperset(map(type, dict.values(mapping)))
        and is_record(mapping)
    )


def are_mixed(values: Sequence[Any]) -> bool:
    """Whether some texts are numbers and others are none, as the fields of one row are."""
    texts = [value for value in values[:_FEW] if type(value) is str and value]
    return len({text.replace(".", "").isdecimal() for text in texts}) > 1


def is_list_of_records(value: object) -> bool:
    """Whether a value is a list of objects with fields."""
    return type(value) is list and bool(value) and kind_of(value[0]) in {RECORD, MAPPING}


def is_list_of_rows(value: object) -> bool:
    """Whether a value is a list of rows of any kind, and so none itself."""
    return type(value) is list and bool(value) and kind_of(value[0]) in {RECORD, MAPPING, SEQUENCE}


def is_list_of_texts(value: object) -> bool:
    """Whether a value is a list of nothing but texts."""
    return type(value) is list and all(type(item) is str for item in value[:_FEW])


def is_slice(value: object, items: Sequence[Any]) -> bool:
    """Whether a SEQUENCE has some items that follow each other, and not all of them."""
    part = items_of(value)
    if not 0 < len(part) < len(items) <= MAX_ITEMS:
        return False
    ids = list(map(id, items))
    if id(part[0]) not in ids:
        return False
    start = ids.index(id(part[0]))
    return list(map(id, part)) == ids[start : start + len(part)]


def way_to_one_like(value: object, row: object) -> Path | None:
    """Returns the path to what has the same fields as a value: a row itself, or what it holds."""
    if _are_alike(value, row):
        return ()
    return next(((step,) for step, inner in fields_of(row) if _are_alike(value, inner)), None)


def _are_alike(one: Any, other: Any) -> bool:  # noqa: ANN401 - whatever rows hold
    if type(one) is not type(other) or one is other or kind_of(one) not in {RECORD, MAPPING}:
        return False
    if kind_of(one) == RECORD:
        return True
    more, fewer = sorted((dict.__len__(one), dict.__len__(other)), reverse=True)
    if more > MAX_FIELDS or fewer * 4 < more * 3:
        return False
    ours, theirs = (
        {key for key in keys_of(each) if type(key) in PLAIN_TYPES} for each in (one, other)
    )
    return len(ours & theirs) * 4 >= more * 3
