"""A request on a time axis: who asked when, and what was sent meanwhile."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from dataloaders.observe.places import place_at

from .origins import origins_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dataloaders.observe import BatchRecord, Lookup, Place, Record

WIDTH: Final = 1_000.0
"""How wide a track is, in units of its drawing."""

LEAST: Final = 3.0
"""How wide a mark is at least, or nobody would see it."""

MAX_ROWS: Final = 100
"""Places that ask, and places that have something sent, that are drawn."""

MAX_TOLD: Final = 10
"""Batches of one place that are told of one by one."""

_MILLISECONDS: Final = 1_000.0


@dataclass(slots=True)
class Mark:
    """Something on a track, or several things that begin too close to each other to be told apart.

    Attributes:
        kind: "batch" (a lookup that waited for one), "lookahead", "loader" or "elsewhere" (who
            answered it at once); "waited", "sent" or "failed" (sent, and answered by errors), and
            "statement" for parts of a batch.
        x: Where it begins, from 0 to WIDTH.
        width: How wide it is.
        begin: When it begins, in milliseconds from the axis's beginning.
        end: When it ends.
        count: How many things.
    """

    kind: str
    x: float
    width: float
    begin: float
    end: float
    count: int = 1

    def join(self, other: Mark) -> None:
        """Adds one that begins where it does."""
        self.width = max(self.width, other.x + other.width - self.x)
        self.end = max(self.end, other.end)
        self.count += other.count


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


@dataclass(slots=True)
class Bar:
    """The batches of one loader that one place has had sent.

    Attributes:
        loader: The loader's name.
        place: Where their first keys were asked for; None where that is not known.
        batches: The batches.
        marks: What they consist of, on the time axis.
    """

    loader: str
    place: Place | None
    batches: list[BatchRecord] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)

    @property
    def told(self) -> list[BatchRecord]:
        """Those to be told of one by one: all of a few; of many, those that failed or were slow."""
        worst = sorted(self.batches, key=lambda sent: (sent.errors == 0, -sent.seconds))
        return sorted(worst[:MAX_TOLD], key=lambda sent: sent.number)

    @property
    def error(self) -> str | None:
        """The type of their first error."""
        return next((sent.error for sent in self.batches if sent.error), None)


class Waterfall:
    """The drawing of one request.

    Attributes:
        begun: When the axis begins, in milliseconds after the request's scope did.
        milliseconds: How long it is.
        sites: Who asked, in the order of their first lookups.
        unseen: How many keys were asked for beside theirs.
        bars: What was sent, in the order of the first batches.
        left_out: How many batches are not drawn.
    """

    def __init__(self, record: Record) -> None:
        moments = [*_moments(record)] or [record.begun]
        self._begin, end = min(moments), max(moments)
        self._scale = WIDTH / max(end - self._begin, 1e-6)
        self._shows_keys = record.shows_keys
        self.begun = (self._begin - record.begun) * _MILLISECONDS
        self.milliseconds = (end - self._begin) * _MILLISECONDS
        stats = record.stats
        self.sites = self._sites(record)
        self.unseen = max(stats.lookups - sum(site.keys for site in self.sites), 0)
        self.bars = self._bars(record)
        self.left_out = max(stats.batches - sum(len(bar.batches) for bar in self.bars), 0)

    @property
    def kinds(self) -> set[str]:
        """The kinds of marks that there are."""
        tracks = [each.marks for each in self.sites] + [each.marks for each in self.bars]
        return {mark.kind for track in tracks for mark in track}

    @property
    def ticks(self) -> list[float]:
        """The milliseconds at the quarters of the axis."""
        return [self.milliseconds * quarter / 4 for quarter in range(5)]

    def origins_of(self, sent: BatchRecord) -> list[tuple[str, int]]:
        """Returns where look-ahead found keys of a batch, and how many."""
        return origins_of(sent, shows_keys=self._shows_keys)

    def _sites(self, record: Record) -> list[Site]:
        sites: dict[object, Site] = {}
        for lookup in list(record.lookups):
            place = None if lookup.spot is None else place_at(lookup.spot)
            site = sites.get((place, lookup.loader))
            if site is None:
                if len(sites) == MAX_ROWS:
                    continue
                site = sites[place, lookup.loader] = Site(place, lookup.loader)
            site.keys += lookup.count
            site.answered[lookup.answered_by] += 1
            site.marks.append(self._mark_of(lookup))
            if lookup.text:
                site.texts.append(lookup.text)
        for site in sites.values():
            site.marks = _joined(site.marks)
        return list(sites.values())

    def _bars(self, record: Record) -> list[Bar]:
        bars: dict[object, Bar] = {}
        for sent in list(record.batches):
            place = None if sent.caller is None else sent.caller.place
            bar = bars.get((place, sent.loader))
            if bar is None:
                if len(bars) == MAX_ROWS:
                    continue
                bar = bars[place, sent.loader] = Bar(sent.loader, place)
            bar.batches.append(sent)
            bar.marks += self._marks_of(sent)
        for bar in bars.values():
            bar.marks = _joined(bar.marks)
        return list(bars.values())

    def _mark_of(self, lookup: Lookup) -> Mark:
        end = lookup.at
        if lookup.answered_by == "batch" and lookup.batch is not None:
            end = lookup.batch.ended_at or end
        return self._mark(lookup.answered_by, lookup.at, end)

    def _marks_of(self, sent: BatchRecord) -> Iterator[Mark]:
        begun = sent.begun or sent.opened
        yield self._mark("waited", sent.opened, begun)
        yield self._mark("failed" if sent.errors else "sent", begun, sent.ended_at or begun)
        for each in list(sent.statements):
            yield self._mark("statement", each.begun, each.begun + each.seconds)

    def _mark(self, kind: str, begin: float, end: float) -> Mark:
        width = max((end - begin) * self._scale, LEAST)
        x = min((begin - self._begin) * self._scale, WIDTH - width)
        return Mark(
            kind,
            round(max(x, 0.0), 2),
            round(min(width, WIDTH), 2),
            (begin - self._begin) * _MILLISECONDS,
            (end - self._begin) * _MILLISECONDS,
        )


_LAYERS: Final = ("waited", "sent", "failed", "statement")  # the later ones are drawn on top


def _joined(marks: Iterable[Mark]) -> list[Mark]:
    """Returns marks, of each kind one for those that begin at the same place."""
    last: dict[str, Mark] = {}
    joined: list[Mark] = []
    for mark in sorted(marks, key=lambda mark: (mark.begin, mark.x)):
        before = last.get(mark.kind)
        if before is not None and mark.x - before.x < LEAST:
            before.join(mark)
        else:
            last[mark.kind] = mark
            joined.append(mark)
    return sorted(joined, key=lambda mark: _LAYERS.index(mark.kind) if mark.kind in _LAYERS else 0)


def _moments(record: Record) -> Iterator[float]:
    for sent in record.batches:
        yield sent.opened
        if sent.ended_at is not None:
            yield sent.ended_at
    for lookup in record.lookups:
        yield lookup.at
