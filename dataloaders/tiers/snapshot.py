"""The shelves of a moment: those of the versions that all tables had then."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .shelf import Shelf


class Snapshot:
    """The versions of all tables at some time, and a shelf of that version for each loader.

    A request keeps the one that it began with, so its answers are all of one generation.

    Args:
        versions: Version by table.

    Attributes:
        versions: As given.
        shelves: By the loader's name, its table and shelf, for those in use.
        before: By the loader's name, the shelf to answer from while its table is empty, and until
            when.
    """

    __slots__ = ("before", "shelves", "versions")

    def __init__(self, versions: Mapping[str, str]) -> None:
        self.versions = dict(versions)
        self.shelves: dict[str, tuple[str, Shelf]] = {}
        self.before: dict[str, tuple[Shelf, float]] = {}

    def followed_by(self, versions: Mapping[str, str]) -> Snapshot:
        """Returns the next one, with the shelves of tables that are still the same."""
        following = Snapshot(versions)
        for name, (table, shelf) in list(self.shelves.items()):
            if versions.get(table) == self.versions.get(table):
                following.shelves[name] = (table, shelf)
        return following

    def knows(self, table: str) -> bool:
        """Whether it can say of which version a table is."""
        return not table or table in self.versions

    def version_of(self, table: str) -> str | None:
        """Returns the version of a table, or None if it cannot say."""
        return self.versions.get(table)
