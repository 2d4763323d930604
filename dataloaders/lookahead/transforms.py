"""Plain transformations between a row's field and a key: a number as text, a prefix cut off.

A transformation is a tuple that starts with its name, so that what was learned holds nothing else
than names and the pieces of text that were cut off or added.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from dataloaders.batch import MISSING

from .reading import PLAIN_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Transform: TypeAlias = tuple[Any, ...]

IDENTITY: Final[Transform] = ("same",)
MAX_FITTING: Final = 4
"""Transformations that are tried on the siblings, where several fit the row at hand."""

_MIN_TEXT: Final = 2  # a shorter piece is in almost any text
_MIN_NUMBER: Final = 3
_MAX_TEXT: Final = 200
_MAX_SUFFIX: Final = 8  # a longer one is a row's own
_SHIFTS: Final = (8, 16)  # bits: the last 8 of Kite's instrument tokens are the segment
_NUMBERS: Final = frozenset({int, float})
_DIGITS = re.compile(r"[0-9]+")
_SUFFIX = re.compile("(?<=.)-[A-Z]{1,3}$")  # of an exchange's series: -EQ, -BE, -A
_MAX_TRIED: Final = 2
_MIN_ROWS: Final = 2  # with one suffix, or it is part of a name
_SEPARATOR = re.compile(r"[^A-Za-z0-9]+")


def text_of(value: Any) -> str | None:  # noqa: ANN401 - a plain value
    """Returns the text that a plain value is usually written as in a key."""
    kind = type(value)
    if kind is str:
        return value  # type: ignore[no-any-return]  # as the line before says
    if kind is int:
        return str(value)
    if kind is float:
        return str(int(value)) if value.is_integer() else str(value)
    if kind is bytes:
        return value.decode(errors="replace")  # type: ignore[no-any-return]
    if kind in PLAIN_TYPES and kind is not type(None):
        return str(value)
    return None


def equal(field: Any, part: Any) -> bool:  # noqa: ANN401 - any value may be in a row
    """Whether a field is a key's part, as it is."""
    if field is part:
        return True
    kind = type(field)
    return kind is type(part) and kind in PLAIN_TYPES and field == part


def fitting(field: Any, part: Any) -> list[Transform]:  # noqa: ANN401 - any value may be in a row
    """Returns transformations that make a key's part of a field, the likeliest first."""
    if equal(field, part):
        return [IDENTITY]
    if bool in {type(field), type(part)}:
        return []
    source, target = text_of(field), text_of(part)
    if not source or not target or max(len(source), len(target)) > _MAX_TEXT:
        return []
    ends_as_number = type(part) is int
    if source == target:
        return [("number",) if ends_as_number else ("text",)]
    if type(field) is int and target.isdecimal():
        shifts = [("shift", bits) for bits in _SHIFTS if field >> bits == int(target)]
        if shifts:
            return [("chain", shift, ("number",)) for shift in shifts] if ends_as_number else shifts
    found = [
        transform
        for transform in _candidates(source, target)
        if _TRANSFORMS[transform[0]](source, *transform[1:]) == target
    ]
    found = list(dict.fromkeys(found))[:MAX_FITTING]
    return [("chain", transform, ("number",)) for transform in found] if ends_as_number else found


def worth_trying(texts: list[Any], part: Any) -> list[Transform]:  # noqa: ANN401 - any value may be a part
    """Returns what may have to be cut off some rows' texts, though not off the first one's.

    Args:
        texts: The fields of all rows.
        part: The part of the key that the first of them has become.
    """
    texts = [text for text in texts if type(text) is str]
    found: list[Transform] = []
    suffixes = Counter(
        match[0] for text in texts if "-" in text and (match := _SUFFIX.search(text))
    )
    for suffix, count in suffixes.most_common(_MAX_TRIED):
        if count >= _MIN_ROWS and not (type(part) is str and part.endswith(suffix)):
            found.append(("without_suffix", suffix))
    if any(text != text.strip() for text in texts):
        found.append(("strip",))
    return found


def then(first: Transform, second: Transform) -> Transform | None:
    """Returns a transformation that does one after the other, if both are of texts."""
    if first == IDENTITY:
        return second
    return ("chain_text", first, second) if first[0] in _TRANSFORMS else None


def surrounding(field: Any, part: Any) -> Transform | None:  # noqa: ANN401 - any value may be in a row
    """Returns what puts texts around a field to make a key's part, if the field is in it."""
    source = text_of(field)
    if type(part) is not str or source is None or source not in part:
        return None
    if len(source) < (_MIN_NUMBER if type(field) in _NUMBERS else _MIN_TEXT):
        return None
    before, _, after = part.partition(source)
    return ("around", before, after)


def may_become(field: object, part: object) -> bool:
    """Whether a transformation is worth trying; most fields have nothing to do with the key."""
    if type(field) is not str or type(part) is not str:
        return type(field) in _NUMBERS or type(part) in _NUMBERS
    if part in field or field in part:
        return True
    return len(part) > _MIN_TEXT and part[:_MIN_TEXT].lower() in field.lower()


def apply(transform: Transform, field: Any) -> Any:  # noqa: ANN401 - any value may be in a row
    """Returns what a transformation makes of a field, or MISSING."""
    if transform is IDENTITY:
        return field
    name = transform[0]
    if name == "chain":
        for each in transform[1:]:
            field = apply(each, field)
        return field
    text = text_of(field)
    if text is None:
        return MISSING
    if name == "number":
        return int(text) if text.isdecimal() else MISSING
    if name == "shift":
        return str(int(text) >> transform[1]) if text.isdecimal() else MISSING
    return _TRANSFORMS[name](text, *transform[1:])


def _candidates(source: str, target: str) -> Iterable[Transform]:
    """Yields transformations that may make `target` of `source`; each is tried afterwards."""
    yield ("strip",)
    yield ("upper",)
    yield ("lower",)
    yield ("lstrip", "0")
    if target.isdecimal():
        yield from _numbers(source, target)
    if len(target) < _MIN_TEXT:
        return
    yield from _cuts(source, target)
    if not (source.isupper() and target.isupper()):
        for name, changed in (("upper", source.upper()), ("lower", source.lower())):
            if changed != source:
                yield from (("chain_text", (name,), cut) for cut in _cuts(changed, target))
    if target in source:
        return
    if len(source) >= _MIN_TEXT and source in target:
        start = target.index(source)
        if len(source) * 2 >= len(target):
            yield ("around", target[:start], target[start + len(source) :])
        return
    yield from _replacements(source, target)


def _numbers(source: str, target: str) -> Iterable[Transform]:
    if source.isdecimal():
        yield ("zfill", len(target))
    numbers = [number.lstrip("0") for number in _DIGITS.findall(source)]
    if target in numbers:
        index = numbers.index(target)
        yield ("number_at", index)
        yield ("number_at", index - len(numbers))


def _cuts(source: str, target: str) -> Iterable[Transform]:
    start = source.find(target)
    if start < 0 or source == target:
        return
    before, after = source[:start], source[start + len(target) :]
    heads = list(_heads(before)) if before else [()]
    tails = list(_tails(after)) if after else [()]
    for head in heads:
        for tail in tails:
            steps = tuple(step for step in (head, tail) if step)
            yield steps[0] if len(steps) == 1 else ("chain_text", *steps)


def _heads(before: str) -> Iterable[Transform]:
    separator = before[-1]
    if separator.isalnum():
        yield ("without_prefix", before)
        yield ("from", len(before))
        return
    if before.count(separator) == 1:
        yield ("after", separator)
    yield ("after_last", separator)


def _tails(after: str) -> Iterable[Transform]:
    separator = after[0]
    if separator.isalnum():
        yield ("without_suffix", after)
        yield ("until", -len(after))
        return
    yield ("before_last", separator)
    if len(after) <= _MAX_SUFFIX:
        yield ("without_suffix", after)
    yield ("before", separator)


def _replacements(source: str, target: str) -> Iterable[Transform]:
    if _SEPARATOR.sub("", source).upper() != _SEPARATOR.sub("", target).upper():
        return
    new = ["", *sorted(set(_SEPARATOR.findall(target)))]
    for old in sorted(set(_SEPARATOR.findall(source))):
        for each in new:
            yield ("replace", old, each)
            yield ("chain_text", ("upper",), ("replace", old, each))
    yield ("alphanumeric",)
    yield ("chain_text", ("upper",), ("alphanumeric",))


def _number_at(text: str, index: int) -> str:
    numbers = _DIGITS.findall(text)
    return numbers[index].lstrip("0") if -len(numbers) <= index < len(numbers) else ""


def _chain_text(text: str, *steps: Transform) -> str:
    for step in steps:
        text = _TRANSFORMS[step[0]](text, *step[1:])
    return text


_TRANSFORMS: Final[dict[str, Callable[..., str]]] = {
    "same": lambda text: text,
    "text": lambda text: text,
    "strip": str.strip,
    "upper": str.upper,
    "lower": str.lower,
    "lstrip": str.lstrip,
    "zfill": str.zfill,
    "after": lambda text, separator: text.partition(separator)[2] or text,
    "after_last": lambda text, separator: text.rpartition(separator)[2],
    "before": lambda text, separator: text.partition(separator)[0],
    "before_last": lambda text, separator: text.rpartition(separator)[0] or text,
    "without_prefix": str.removeprefix,
    "without_suffix": str.removesuffix,
    "from": lambda text, start: text[start:],
    "until": lambda text, end: text[:end],
    "around": lambda text, before, after: f"{before}{text}{after}",
    "replace": str.replace,
    "number_at": _number_at,
    "alphanumeric": lambda text: _SEPARATOR.sub("", text),
    "chain_text": _chain_text,
}
