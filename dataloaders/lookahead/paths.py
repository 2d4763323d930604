"""Ways through nested data: from a variable to rows, and from a row to a part of its key."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from dataloaders.batch import MISSING

from .reading import (
    FRAME,
    INDIRECT,
    MAPPING,
    PLAIN,
    PLAIN_TYPES,
    RECORD,
    SEQUENCE,
    attribute,
    attributes,
    behind,
    columns_of,
    items_of,
    keys_of,
    kind_of,
    values_of,
)

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

Step: TypeAlias = tuple[str, Any]
Path: TypeAlias = tuple[Step, ...]

ITEMS: Final[Step] = ("items", None)
"""To every item of a sequence."""
VALUES: Final[Step] = ("values", None)
"""To every value of a mapping: rows held by an id."""
KEYS: Final[Step] = ("keys", None)
"""To every key of a mapping."""
BEHIND: Final[Step] = ("behind", None)
"""To the containers that an iterator goes over."""

MAX_FIELDS: Final = 48
"""Fields of one row that are looked at."""

MAX_DEPTH: Final = 3
"""Containers inside each other in one row."""

MAX_EXPANDED: Final = 5_000
"""Rows that a path may lead to; more of them are not read."""


def step_into(value: Any, step: Step) -> Any:  # noqa: ANN401 - any value may hold any
    """Returns what is one step inside a value, or MISSING."""
    name, argument = step
    kind = kind_of(value)
    if name == "key":
        return dict.get(value, argument, MISSING) if kind == MAPPING else MISSING
    if name == "attribute":
        return attribute(value, argument) if kind == RECORD else MISSING
    if name == "item":
        items = items_of(value) if kind == SEQUENCE else ()
        return items[argument] if argument < len(items) else MISSING
    if name == "column":
        return columns_of(value).get(argument, MISSING) if kind == FRAME else MISSING
    return MISSING


def read(value: Any, path: Path) -> Any:  # noqa: ANN401 - any value may hold any
    """Returns what is at the end of a path that leads to one value, or MISSING."""
    for step in path:
        value = step_into(value, step)
        if value is MISSING:
            return MISSING
    return value


def expand(value: Any, path: Path) -> list[Any]:  # noqa: ANN401 - any value may hold any
    """Returns all that a path leads to from a value."""
    reached = [value]
    for step in path:
        name = step[0]
        if name in {"items", "values", "keys", "behind"}:
            inside: list[Any] = []
            for outer in reached:
                inner_ones = _all_inside(outer, name)
                if len(inside) + len(inner_ones) > MAX_EXPANDED:
                    return []
                inside += inner_ones
            reached = inside
        else:
            reached = [
                inner for outer in reached if (inner := step_into(outer, step)) is not MISSING
            ]
    return reached


def _all_inside(value: Any, name: str) -> Sequence[Any]:  # noqa: ANN401 - any value may hold any
    kind = kind_of(value)
    if name == "items" and kind == SEQUENCE:
        return items_of(value)
    if name == "values" and kind == MAPPING:
        return values_of(value)
    if name == "keys" and kind == MAPPING:
        return keys_of(value)
    if name == "behind" and kind == INDIRECT:
        return behind(value)
    return ()


def read_all(rows: Sequence[Any], path: Path) -> list[Any]:
    """Returns what is at the end of a path in each row, MISSING where there is none."""
    if len(path) == 1 and path[0][0] == "key":  # the usual row, at a third of the time
        key = path[0][1]
        return [
            row.get(key, MISSING) if type(row) is dict else step_into(row, path[0]) for row in rows
        ]
    return [read(row, path) for row in rows]


def fields_of(value: Any) -> Iterable[tuple[Step, Any]]:  # noqa: ANN401 - any value may hold any
    """Returns the steps into one value, with what is there."""
    kind = kind_of(value)
    if kind == MAPPING:
        # Of other types is what an application may have made; nothing of that is to be kept.
        first = list(islice(dict.keys(value), MAX_FIELDS))
        keys = [key for key in first if type(key) in PLAIN_TYPES]
        return [(("key", key), dict.get(value, key)) for key in keys]
    if kind == RECORD:
        held = list(attributes(value).items())[:MAX_FIELDS]
        return [(("attribute", name), inner) for name, inner in held if type(name) is str]
    if kind == SEQUENCE:
        return [(("item", index), item) for index, item in enumerate(items_of(value)[:MAX_FIELDS])]
    if kind == FRAME:
        return [(("column", name), column) for name, column in columns_of(value).items()]
    return ()


def plain_fields(
    row: Any,  # noqa: ANN401 - any value may be a row
    without: Container[int] = (),
) -> list[tuple[Path, Any]]:
    """Returns the plain values in a row, outer ones first, each with its path.

    Args:
        row: The row.
        without: The ids of containers in it that are not gone into.
    """
    if kind_of(row) == PLAIN:
        return [((), row)]
    found: list[tuple[Path, Any]] = []
    level: list[tuple[Path, Any]] = [((), row)]
    for _ in range(MAX_DEPTH):
        following: list[tuple[Path, Any]] = []
        for path, value in level:
            for step, inner in fields_of(value):
                kind = kind_of(inner)
                if kind == PLAIN:
                    found.append(((*path, step), inner))
                    if len(found) == MAX_FIELDS:
                        return found
                elif kind in {RECORD, MAPPING, SEQUENCE} and id(inner) not in without:
                    following.append(((*path, step), inner))
        level = following[:MAX_FIELDS]
    return found
