"""Texts from anywhere, as they may stand on a page or in a log."""

from __future__ import annotations


def visible(text: str, *, keeping: str = "") -> str:
    """Returns a text with all characters escaped that would not show, or would turn others around.

    Args:
        text: The text.
        keeping: Characters that stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(
        each
        if each.isprintable() or each in keeping
        else each.encode("unicode_escape").decode("ascii")
        for each in text
    )
