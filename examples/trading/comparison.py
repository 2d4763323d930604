"""Compares two JSON documents leaf by leaf."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


def differences(
    left: object, right: object, ignoring: Collection[str] = (), at: str = "$"
) -> Iterator[str]:
    """Yields a line for each place where the documents differ.

    Args:
        left: One document.
        right: The other.
        ignoring: Fields whose values may differ; they must be on both sides all the same.
        at: Where in their documents the two are.
    """
    if isinstance(left, dict) and isinstance(right, dict) and left.keys() == right.keys():
        for field in left:
            if field not in ignoring:
                yield from differences(left[field], right[field], ignoring, f"{at}.{field}")
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for index, (one, other) in enumerate(zip(left, right, strict=True)):
            yield from differences(one, other, ignoring, f"{at}[{index}]")
    elif type(left) is not type(right) or left != right:
        yield f"{at}: {left!r} is not {right!r}"
