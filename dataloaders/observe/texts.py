"""Texts that a record keeps: of statements and of keys, shortened, and so many of them."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from dataloaders.errors import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_STATEMENTS: Final = 500
"""Statements of one record that are kept one by one; further ones are counted."""

MAX_TEXT: Final = 4_000
"""Characters of a statement that are kept."""

MAX_TEXTS: Final = 200_000
"""Characters that the different statements of one record have together."""

MAX_SHOWN_KEYS: Final = 2_000
"""Keys of one record's batches of which a short text is kept, where keys may be shown."""

MAX_OF_BATCH: Final = 50
"""Those of one batch."""

MAX_KEY: Final = 200
"""Characters of such a text."""


class Texts:
    """The texts of one record.

    Attributes:
        keeps_statements: Whether anybody wants those of statements.
    """

    __slots__ = (
        "_of_statements",
        "_room_for_keys",
        "_room_for_texts",
        "_statements",
        "keeps_statements",
    )

    def __init__(self) -> None:
        self.keeps_statements = False
        self._statements = 0
        self._of_statements: dict[str, str] = {}
        self._room_for_texts = MAX_TEXTS
        self._room_for_keys = MAX_SHOWN_KEYS

    def of_keys(self, keys: Iterable[Any]) -> list[str]:
        """Returns short texts of keys of a batch, as far as there is room for them."""
        texts = [text_of_key(key) for key in islice(keys, min(MAX_OF_BATCH, self._room_for_keys))]
        self._room_for_keys = max(self._room_for_keys - len(texts), 0)
        return texts

    def of_statement(self, statement: str) -> str | None:
        """Returns what is kept of one more statement; None if there is no room for it."""
        if not self.keeps_statements or self._statements >= MAX_STATEMENTS:
            return None
        text = statement if len(statement) <= MAX_TEXT else f"{statement[:MAX_TEXT]} …"
        known = self._of_statements.get(text)
        if known is None:
            if len(text) > self._room_for_texts:
                return None
            self._room_for_texts -= len(text)
            known = self._of_statements.setdefault(text, text)
        self._statements += 1
        return known


def text_of_key(key: object) -> str:
    """Returns a short text of a key."""
    return shown(key)[:MAX_KEY]
