"""Finds the parts of a key in one row: as they stand, cut, converted, or put together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, TypeAlias

from .containers import is_list_of_rows, is_list_of_texts
from .origins import Origin, Root, Source, Template
from .paths import ITEMS, Path, fields_of, step_into
from .transforms import IDENTITY, equal, fitting, may_become, text_of

MAX_RECORDS: Final = 100
"""Records of one loader that are compared with the key."""

_MIN_DIGITS: Final = 4  # fewer are in any longer number
_MIN_PIECE: Final = 2  # characters of a field that is part of a composed key
_MIN_PIECES: Final = 2

Fields: TypeAlias = list[tuple[Path, Any]]
"""The plain values in a row, each with its path."""


def sources_of(
    fields: Fields, parts: tuple[Any, ...], *, transformed: bool
) -> tuple[Source | None, ...] | None:
    """Returns where the parts of a key stand in a row, if the first one does.

    Args:
        fields: The row's fields.
        parts: The key's parts.
        transformed: Whether something has been made of the first one's field.
    """
    first = (_made_of if transformed else _equal_to)(fields, parts[0])
    if first is None:
        return None
    return (first, *(_equal_to(fields, part) or _made_of(fields, part) for part in parts[1:]))


def _equal_to(fields: Fields, part: Any) -> Source | None:  # noqa: ANN401 - any value may be a part
    for path, field in fields:
        if field is part:
            return Source(path, (IDENTITY,))
    for path, field in fields:
        if equal(field, part):
            return Source(path, (IDENTITY,))
    return None


def _made_of(fields: Fields, part: Any) -> Source | None:  # noqa: ANN401 - any value may be a part
    for path, field in fields:
        if may_become(field, part):
            transforms = fitting(field, part)
            if transforms:
                return Source(path, tuple(transforms))
    return None


def is_plainly_in(fields: Fields, part: object) -> bool:
    """Whether a part of a key is so plainly in one of the fields that it is no accident."""
    text = text_of(part)
    if not text:
        return False
    within = type(part) is str or len(text) >= _MIN_DIGITS
    return any(
        (within and type(field) is str and text in field) or text_of(field) == text
        for _, field in fields
    )


def template_of(fields: Fields, part: str) -> Template | None:
    """Returns how a text was put together of several of a row's fields, if most of it was."""
    texts = [
        (text, path)
        for path, field in fields
        if (text := text_of(field)) is not None and len(text) >= _MIN_PIECE and text in part
    ]
    if len(texts) < _MIN_PIECES:
        return None
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


def over_inner_lists(origin: Origin, row: object) -> Origin:
    """Goes over all items of the lists in a row on the way to the key, not over one position.

    A loop around the row may have a loop inside that goes over them. Parts that are not in the
    same list are those of its loop, and not of the row: they are left out.
    """
    first, *rest = origin.sources
    if not isinstance(first, Source):
        return origin
    value, start = row, 0
    steps = list(first.path)
    for index, step in enumerate(first.path):
        if step[0] == "item" and (is_list_of_rows(value) or is_list_of_texts(value)):
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


def record_with(parts: tuple[Any, ...], root: Root, records: list[Any]) -> Origin | None:
    """Returns where a key stands in a record that was loaded: the very text, not an equal one."""
    if type(parts[0]) is not str:
        return None
    for record in records[:MAX_RECORDS]:
        fields: Fields = [((step,), value) for step, value in fields_of(record)]
        if any(value is parts[0] for _, value in fields):
            return Origin(root, (ITEMS,), tuple(_equal_to(fields, part) for part in parts))
    return None
