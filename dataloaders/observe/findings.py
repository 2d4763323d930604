"""What could be better in a scope that is over: where batching was missed, and what for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .batches import BatchRecord
    from .places import Place
    from .record import Record
    from .repeats import Repeated

REPEATED: Final = "n+1"
WASTED: Final = "wasted look-ahead"
FRAGMENTED: Final = "fragmented"
LATE: Final = "late"

MUCH_WASTED: Final = 500
"""Keys of one batch that nobody asked for, from which on that is worth telling."""

AT_ONCE: Final = 5
"""Batches of one key under way at once, from which on that is worth telling."""

_ONE_IN: Final = 20  # where as many keys are of use, look-ahead itself goes on
_MILLISECONDS: Final = 1_000.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that could be better.

    Attributes:
        kind: "n+1": batches of one key, one after another; "wasted look-ahead": keys that went
            along and that nobody asked for; "fragmented": batches under way at once that could
            have been one; "late": lookups after the scope was over: after the response, that is.
        loader: The loader's name.
        place: Where it was asked; None outside of any code but this library's.
        loop: The line within the loop, if that is in another function.
        count: How many batches, keys or lookups.
        seconds: What those took; 0 where nothing can be said of it.
        remedy: What would mend it.
        line: The line as it should be, where that can be said.
    """

    kind: str
    loader: str
    place: Place | None
    loop: Place | None
    count: int
    seconds: float
    remedy: str
    line: str | None = None

    @property
    def what(self) -> str:
        """What it is, in a sentence."""
        took = f" in {self.seconds * _MILLISECONDS:.1f} ms"
        return {
            REPEATED: f"{self.count} batches of one key, one after another{took}",
            WASTED: f"{self.count} keys went along that nobody asked for",
            FRAGMENTED: f"{self.count} batches under way at once{took}",
            LATE: f"{self.count} lookups after the scope was over",
        }[self.kind]

    def __str__(self) -> str:
        lines = [f"{self.kind}: {self.loader}: {self.what}"]
        if self.place is not None:
            lines.append(f"  at {self.place}")
            if self.place.source:
                lines.append(f"      {self.place.source}")
        if self.loop is not None:
            lines.append(f"  in a loop at {self.loop}")
            if self.loop.source:
                lines.append(f"      {self.loop.source}")
        lines.append(f"  {self.remedy}")
        if self.line is not None:
            lines.append(f"      {self.line}")
        return "\n".join(lines)


def find(record: Record) -> list[Finding]:
    """Returns what could be better in a scope that is over, the dearest first."""
    found = [repeated(each, record) for each in record.repeats.too_many()]
    found += [*_wasted(record), *_fragmented(record)]
    return sorted(found, key=lambda finding: -finding.seconds)


def repeated(found: Repeated, record: Record) -> Finding:
    """Returns the finding of batches of one key from one place."""
    place, loop = found.caller.place, found.caller.loop
    shown = loop or place
    mended = None if shown is None else _mended(shown.file, shown.line)
    if mended is None:
        remedy = (
            "Announce what the loop is about to ask for (`over`, `expect`), or ask for all at once "
            "(`get_many`, `load_many`):"
        )
        loader = "loader" if record.is_by_hand else f"{found.loader}.current()"
        line = f"for row in {loader}.over(rows, ...):"
    else:
        number, line = mended
        remedy = f"Announce what the loop is about to ask for, in line {number}:"
    return Finding(REPEATED, found.loader, place, loop, found.count, found.seconds, remedy, line)


@lru_cache(maxsize=1_000)  # reading a file takes longer than a request may
def _mended(file: str, line: int) -> tuple[int, str] | None:
    """Returns the line of the loop around a lookup, and what it should be, if that can be told."""
    try:
        from dataloaders.scan import mended_line  # noqa: PLC0415 - its library is an extra
    except ImportError:
        return None
    mended = mended_line(Path(file), line)
    return None if mended is None else (mended.line, mended.after.strip())


def _wasted(record: Record) -> Iterator[Finding]:
    for sent in record.batches:
        used = sent.expected - sent.wasted
        if sent.wasted >= MUCH_WASTED and used * _ONE_IN < sent.expected:
            caller = sent.caller
            yield Finding(
                WASTED,
                sent.loader,
                None if caller is None else caller.place,
                None if caller is None else caller.loop,
                sent.wasted,
                0.0,
                "If it is so each time, announce fewer keys, or have the loader look ahead less: "
                '`lookahead = "explicit"`.',
            )


def _fragmented(record: Record) -> Iterator[Finding]:
    """Yields what tasks asked for at once and in several batches."""
    by_place: dict[object, list[BatchRecord]] = {}
    for sent in record.batches:
        if not record.loaders[sent.loader].may_repeat:
            continue
        if sent.cause == "tick" and sent.asked == 1 and sent.caller and sent.ended_at:
            by_place.setdefault((sent.loader, sent.caller.spots), []).append(sent)
    for batches in by_place.values():
        at_once = _most_at_once(batches)
        if len(at_once) >= AT_ONCE:
            first = at_once[0]
            yield Finding(
                FRAGMENTED,
                first.loader,
                first.caller.place if first.caller else None,
                first.caller.loop if first.caller else None,
                len(at_once),
                sum(sent.seconds for sent in at_once),
                "Tasks that begin together load together: start them at once, and load before "
                "they wait for anything else.",
            )


def _most_at_once(batches: list[BatchRecord]) -> list[BatchRecord]:
    """Returns as many as were under way at one moment."""
    spans = [(sent.begun or 0.0, sent.ended_at or 0.0, sent) for sent in batches]
    # At equal moments the ends come first: what ends as another begins is not beside it.
    moments = sorted([(begun, 1) for begun, _, _ in spans] + [(ended, -1) for _, ended, _ in spans])
    under_way = most = 0
    busiest = 0.0
    for moment, change in moments:
        under_way += change
        if under_way > most:
            most, busiest = under_way, moment
    return [sent for begun, ended, sent in spans if begun <= busiest < ended]


def late(loader: str, place: Place, count: int) -> Finding:
    """Returns the finding of lookups that came too late."""
    remedy = (
        "Look up what the response needs before it is made, and give other threads and tasks a "
        "scope of their own."
    )
    return Finding(LATE, loader, place, None, count, 0.0, remedy)
