"""Counts of many scopes, by group and loader."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from dataloaders.stats import Stats

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

MAX_GROUPS: Final = 1_000
"""Groups of scopes, endpoints for example, that are counted apart; further ones are one more."""

MAX_LOADERS: Final = 1_000
"""Loaders of one group that are counted apart; further ones are one more."""

OTHERS: Final = "others"
"""What those are called."""


class Totals:
    """What the scopes of each group did.

    Attributes:
        scopes: How many there were, by group.
        findings: How many things could have been better in them, by group.
        loaders: The counts, by group and loader.
    """

    def __init__(self) -> None:
        self.scopes: dict[str, int] = {}
        self.findings: dict[str, int] = {}
        self.loaders: dict[str, dict[str, Stats]] = {}

    def add(self, group: str, loaders: Mapping[str, Stats], findings: int, scopes: int = 1) -> None:
        """Adds scopes of a group."""
        if group not in self.loaders and len(self.loaders) >= MAX_GROUPS:
            group = OTHERS
        self.scopes[group] = self.scopes.get(group, 0) + scopes
        self.findings[group] = self.findings.get(group, 0) + findings
        totals = self.loaders.setdefault(group, {})
        for name, stats in loaders.items():
            counted = name if name in totals or len(totals) < MAX_LOADERS else OTHERS
            totals.setdefault(counted, Stats()).add(stats)

    def of(self, group: str) -> Stats:
        """Returns the counts of a group's loaders together."""
        return Stats.sum_of(self.loaders.get(group, {}).values())

    @property
    def total(self) -> Stats:
        """The counts of all together."""
        return Stats.sum_of(map(self.of, self.loaders))

    def copy(self) -> Self:
        """Returns the counts as they are now."""
        return self.from_data(self.as_data())

    def as_data(self) -> dict[str, Any]:
        """Returns them as data that JSON can have."""
        return {
            group: {
                "scopes": self.scopes[group],
                "findings": self.findings[group],
                "loaders": {name: asdict(stats) for name, stats in list(loaders.items())},
            }
            for group, loaders in list(self.loaders.items())
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Returns the totals of such data.

        Raises:
            KeyError, TypeError: It is no such data.
        """
        totals = cls()
        for group, of_group in data.items():
            loaders = {name: Stats(**stats) for name, stats in of_group["loaders"].items()}
            totals.add(group, loaders, of_group["findings"], of_group["scopes"])
        return totals
