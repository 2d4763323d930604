"""What is known of all keys that begin with one value: every row that has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dataloaders.batch import MISSING

if TYPE_CHECKING:
    from collections.abc import Sequence


class PrefixAnswer:
    """All rows of one first part of a key, which answer for every value of the others.

    Args:
        rows: The other parts and the record of each row, in the order of the rows' primary keys.
    """

    __slots__ = ("rows",)

    def __init__(self, rows: Sequence[tuple[tuple[Any, ...], Any]]) -> None:
        self.rows = rows

    def answer(self, rest: tuple[Any, ...]) -> Any:  # noqa: ANN401 - a record of any kind
        """Returns the record of the key with these other parts, None if there is no such row.

        Returns MISSING where only the database can tell: some compare text without regard to
        case, accents or spaces at its end, by column, and then another row may be meant.
        """
        found = None
        for parts, record in self.rows:
            if parts == rest and tuple(map(type, parts)) == tuple(map(type, rest)):
                if found is None:
                    found = record
            elif all(map(_may_be_equal, parts, rest)):
                return MISSING
        if found is None and not all(type(part) is not str or part.isascii() for part in rest):
            return MISSING  # not every text can be sent, and what cannot is an error
        return found


class _Unknown(PrefixAnswer):
    """Stands for more rows than are worth having."""

    __slots__ = ()

    def answer(self, rest: tuple[Any, ...]) -> Any:  # noqa: ANN401, ARG002 - as the one above
        return MISSING


UNKNOWN: Final = _Unknown(())


def _letters(text: str) -> str:
    """Returns what the most forgiving collations compare: neither case nor punctuation."""
    return "".join(filter(str.isalnum, text)).lower()


def _may_be_equal(one: Any, other: Any) -> bool:  # noqa: ANN401 - key parts of any type
    """Whether a database may take two key parts for the same although Python does not."""
    if one is None or other is None:
        return one is other
    if type(one) is not str or type(other) is not str:
        return type(one) is not type(other) or bool(one == other)
    if one.isascii() and other.isascii() and one.isprintable() and other.isprintable():
        return _letters(one) == _letters(other)
    return True
