"""Scans files: what is said of their loops, and what is changed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .files import python_files, write
from .finding import ONE_LINE, SEEN, Finding, MendedLine
from .reading import Reading
from .source import Change, Source, UnreadableError, lines_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from .judging import Case
    from .mending import Announcement
    from .model import Loop


@dataclass
class Scan:
    """What a scan has found.

    Attributes:
        findings: The lookups in loops, in the order of their files and lines.
        errors: Of each file that could not be read, or not be changed, why.
        changed: The files that were changed.
        files: How many files were looked at.
    """

    findings: list[Finding] = field(default_factory=list)
    errors: dict[Path, str] = field(default_factory=dict)
    changed: list[Path] = field(default_factory=list)
    files: int = 0

    def count(self, verdict: str) -> int:
        """Returns how many lookups there are of a verdict."""
        return sum(finding.verdict == verdict for finding in self.findings)

    @property
    def needs_change(self) -> bool:
        """Whether there is anything that look-ahead does not do by itself."""
        return any(each.verdict != SEEN or each.unmigrated is not None for each in self.findings)


def scan(paths: Iterable[Path], own: Iterable[str] = (), *, fix: bool = False) -> Scan:
    """Finds the lookups in loops.

    Args:
        paths: Files and directories.
        own: Names of lookup functions and methods of the code's own.
        fix: Whether the lines that announce are written.
    """
    reading = Reading(tuple(own))
    reading.read(python_files(paths, reading.errors))
    found = Scan(errors=reading.errors, files=reading.count)
    cases = _located(reading.cases(), found)
    announced = _announced(cases)
    for case in cases:
        found.findings.append(_finding(case, announced.get(id(case.loop))))
    found.findings = sorted(set(found.findings), key=_in_order)
    if fix:
        _write([case for case in cases if case.lookup.unmigrated is None], found)
    return found


def mended_line(path: Path, line: int) -> MendedLine | None:
    """Returns the line that announces what a lookup is about to be asked for.

    Args:
        path: A file.
        line: The line of a lookup in it, or of a call that leads to one.

    Returns:
        The line of the loop around the lookup, and what it is to be changed into; None if there is
        no such loop in the file, or none that is changed safely.
    """
    try:
        reading = Reading()
        reading.read([path])
        wanted = [
            case
            for case in reading.cases()
            if case.announcement is not None and _is_at(case, path, line)
        ]
        if not wanted:
            return None
        loop = wanted[0].loop
        changes = _changes([case for case in wanted if case.loop is loop])
        return _mended(loop, changes)
    except Exception:  # noqa: BLE001 - who asks is telling of something else, and has no use for an error
        return None


# -- what is said, and changed


def _located(cases: Iterable[Case], found: Scan) -> list[Case]:
    """Returns the cases in files whose trees are not too deep to tell where things stand."""
    located = []
    for case in cases:
        sources = {each.place.scope.source for each in (case.lookup.site, case.loop)}
        for source in sources:
            if source.path not in found.errors:
                try:
                    source.locate()
                except RecursionError:
                    found.errors[source.path] = "it is nested too deep"
        if not any(source.path in found.errors for source in sources):
            located.append(case)
    return located


def _announced(cases: Iterable[Case]) -> dict[int, list[Change]]:
    """Returns the changes of each loop that needs any, by its id."""
    by_loop: dict[int, list[Case]] = defaultdict(list)
    for case in cases:
        if case.verdict == ONE_LINE and case.announcement is not None:
            by_loop[id(case.loop)].append(case)
    return {loop: _changes(of_loop) for loop, of_loop in by_loop.items()}


def _changes(cases: Iterable[Case]) -> list[Change]:
    """Returns what is put around the rows of one loop, each loader's keys once."""
    once: dict[tuple[int, str, tuple[str, ...]], Announcement] = {}
    for case in cases:
        announcement, loader = case.announcement, case.lookup.loader
        if announcement is None or loader is None:
            continue
        keys = (id(announcement.rows), loader.name, announcement.keys)
        # Of several texts for the same keys, the one that names fields is the shortest.
        once[keys] = min(once.get(keys, announcement), announcement, key=_length)
    around: dict[int, Change] = {}
    for announcement in once.values():
        rows = announcement.rows
        inner = around.get(id(rows), Change(rows, "", ""))
        around[id(rows)] = Change(
            rows, announcement.before + inner.before, inner.after + announcement.after
        )
    return list(around.values())


def _length(announcement: Announcement) -> int:
    return len(announcement.after)


def _mended(loop: Loop, changes: Sequence[Change]) -> MendedLine | None:
    source = loop.place.scope.source
    first = min(source.line_of(change.node) for change in changes)
    last = max(source.last_line_of(change.node) for change in changes)
    text = source.changed(changes)
    if text is None:
        return None
    before, after = source.text, text
    return MendedLine(
        source.path, first, lines_of(before, first, last), lines_of(after, first, last)
    )


def _finding(case: Case, changes: list[Change] | None) -> Finding:
    site, loop = case.lookup.site, case.loop
    source, of_loop = site.place.scope.source, loop.place.scope.source
    node = loop.rows if loop.rows is not None else getattr(loop.node, "test", loop.node)
    mended = None
    if case.verdict == ONE_LINE and changes:
        mended = _mended(loop, changes)
    return Finding(
        source.path,
        source.line_of(site.node),
        site.place.scope.function.name,
        " ".join(source.code(site.node).split()),
        of_loop.path,
        of_loop.line_of(node),
        case.verdict,
        case.reason,
        None if mended is None else mended.after,
        case.lookup.unmigrated,
    )


def _in_order(finding: Finding) -> tuple[str, int, str, str, int]:
    return (
        str(finding.path),
        finding.line,
        finding.text,
        str(finding.loop_path),
        finding.loop_line,
    )


def _is_at(case: Case, path: Path, line: int) -> bool:
    """Whether a lookup, or the call by which its loop comes to it, is at a line."""
    site, loop = case.lookup.site, case.loop
    calls = [
        site,
        *(each for each in loop.place.scope.function.calls if each.place.is_inside(loop)),
    ]
    for each in calls:
        source = each.place.scope.source
        if source.path == path and source.line_of(each.node) <= line <= source.last_line_of(
            each.node
        ):
            return True
    return False


def _write(cases: Iterable[Case], found: Scan) -> None:
    """Writes the changed files, each whole or not at all."""
    by_file: dict[Path, tuple[Source, list[Change]]] = {}
    changes = _announced(cases)
    for loop in {id(case.loop): case.loop for case in cases}.values():
        if id(loop) in changes:
            source = loop.place.scope.source
            by_file.setdefault(source.path, (source, []))[1].extend(changes[id(loop)])
    for path, (source, of_file) in by_file.items():
        raw = source.encoded(source.changed(of_file))
        if raw is None:
            found.errors[path] = "its text is not found where it should be"
            continue
        try:
            Source(path, raw)  # what is written has to be Python
            write(path, source.raw, raw)
        except (UnreadableError, OSError) as error:
            found.errors[path] = str(error)
        else:
            found.changed.append(path)
