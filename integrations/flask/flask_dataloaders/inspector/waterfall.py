"""A request on a time axis: who asked when, and what was sent meanwhile."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from dataloaders.observe.places import place_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataloaders.observe import BatchRecord, Lookup, Place, Record

WIDTH: Final = 1_000.0
"""How wide a track is, in units of its drawing."""

LEAST: Final = 3.0
"""How wide a mark is at least, or nobody would see it."""

MAX_SHOWN: Final = 100
"""Batches, and places, that are drawn."""

MAX_MARKS: Final = 300
"""Marks on one track."""

_MILLISECONDS: Final = 1_000.0


@dataclass(frozen=True, slots=True)
class Mark:
    """Something on a track.

    Attributes:
        kind: "batch" (a lookup that waited for one), "lookahead", "loader" or "elsewhere" (who
            answered it at once); "waited", "sent" or "statement" for parts of a batch.
        x: Where it begins, from 0 to WIDTH.
        width: How wide it is.
        begin: When it begins, in milliseconds from the axis's beginning.
        milliseconds: How long it took.
    """

    kind: str
    x: float
    width: float
    begin: float
    milliseconds: float


@dataclass(slots=True)
class Site:
    """The lookups of one loader at one place.

    Attributes:
        place: The place; None outside of any code but this library's.
        loader: The loader's name.
        keys: How many keys were asked for.
        answered: How many lookups were answered by whom.
        marks: The lookups on the time axis.
        texts: A short text of the keys, where keys may be shown.
    """

    place: Place | None
    loader: str
    keys: int = 0
    answered: Counter[str] = field(default_factory=Counter)
    marks: list[Mark] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Bar:
    """A batch on the time axis."""

    batch: BatchRecord
    marks: list[Mark]


class Waterfall:
    """The drawing of one request.

    Attributes:
        begun: When the axis begins, in milliseconds after the request's scope did.
        milliseconds: How long it is.
        sites: Who asked, in the order of their first lookups.
        bars: What was sent.
        left_out: How many batches are not drawn.
    """

    def __init__(self, record: Record) -> None:
        moments = [*_moments(record)] or [record.begun]
        self._begin, end = min(moments), max(moments)
        self._scale = WIDTH / max(end - self._begin, 1e-6)
        self.begun = (self._begin - record.begun) * _MILLISECONDS
        self.milliseconds = (end - self._begin) * _MILLISECONDS
        self.sites = self._sites(record)
        self.bars = [Bar(sent, self._marks_of(sent)) for sent in record.batches[:MAX_SHOWN]]
        self.left_out = max(record.stats.batches - len(self.bars), 0)

    @property
    def kinds(self) -> set[str]:
        """The kinds of marks that there are."""
        tracks = [each.marks for each in self.sites] + [each.marks for each in self.bars]
        return {mark.kind for track in tracks for mark in track}

    @property
    def ticks(self) -> list[float]:
        """The milliseconds at the quarters of the axis."""
        return [self.milliseconds * quarter / 4 for quarter in range(5)]

    def _sites(self, record: Record) -> list[Site]:
        sites: dict[object, Site] = {}
        for lookup in record.lookups:
            place = None if lookup.spot is None else place_at(lookup.spot)
            site = sites.get((place, lookup.loader))
            if site is None:
                if len(sites) == MAX_SHOWN:
                    continue
                site = sites[place, lookup.loader] = Site(place, lookup.loader)
            site.keys += lookup.count
            site.answered[lookup.answered_by] += 1
            if len(site.marks) < MAX_MARKS:
                site.marks.append(self._mark_of(lookup))
                if lookup.text:
                    site.texts.append(lookup.text)
        return list(sites.values())

    def _mark_of(self, lookup: Lookup) -> Mark:
        end = lookup.at
        if lookup.answered_by == "batch" and lookup.batch is not None:
            end = lookup.batch.ended_at or end
        return self._mark(lookup.answered_by, lookup.at, end)

    def _marks_of(self, sent: BatchRecord) -> list[Mark]:
        begun = sent.begun or sent.opened
        marks = [
            self._mark("waited", sent.opened, begun),
            self._mark("sent", begun, sent.ended_at or begun),
        ]
        marks += [
            self._mark("statement", each.begun, each.begun + each.seconds)
            for each in sent.statements
        ]
        return marks[:MAX_MARKS]

    def _mark(self, kind: str, begin: float, end: float) -> Mark:
        width = max((end - begin) * self._scale, LEAST)
        x = min((begin - self._begin) * self._scale, WIDTH - width)
        return Mark(
            kind,
            round(max(x, 0.0), 2),
            round(min(width, WIDTH), 2),
            (begin - self._begin) * _MILLISECONDS,
            (end - begin) * _MILLISECONDS,
        )


def _moments(record: Record) -> Iterator[float]:
    for sent in record.batches:
        yield sent.opened
        if sent.ended_at is not None:
            yield sent.ended_at
    for lookup in record.lookups:
        yield lookup.at
