"""Scans files: which of them are read, what is found in them, and what is changed."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from .files import python_files, write
from .finding import ONE_LINE, SEEN, Finding, MendedLine
from .judging import MAX_CALLS, Judge
from .lookups import FUNCTIONS, METHODS, Lookups
from .names import Names
from .reader import read
from .source import Change, Source, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from .judging import Case
    from .model import Loop, Scope

_FUNCTION: Final = re.compile(rb"\b(?:" + b"|".join(name.encode() for name in FUNCTIONS) + rb")\b")
_METHOD: Final = re.compile(rb"\.(?:" + b"|".join(name.encode() for name in METHODS) + rb")\s*\(")
_LOADER: Final = re.compile(rb"Loader\b|\bdataloaders\b")
_MASTER: Final = re.compile(rb"\bmaster\.(?:symbols|broker_symbols|tokens)\b")


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
    reading = _Reading(tuple(own))
    reading.read(python_files(paths))
    found = Scan(errors=reading.errors, files=reading.count)
    cases = list(reading.judge().cases())
    announced = _announced(cases)
    for case in cases:
        found.findings.append(_finding(case, announced.get(id(case.loop))))
    found.findings = sorted(set(found.findings), key=_in_order)
    if fix:
        _write(cases, announced, found)
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
        reading = _Reading(())
        reading.read([path])
        cases = list(reading.judge().cases())
        wanted = [case for case in cases if case.announcement is not None and _is_at(case, line)]
        if not wanted:
            return None
        loop = wanted[0].loop
        changes = _changes([case for case in wanted if case.loop is loop])
        return _mended(loop, changes)
    except Exception:  # noqa: BLE001 - who asks is telling of something else, and has no use for an error
        return None


class _Reading:
    """Reads what may matter: files that name a lookup, and those that name what leads to one."""

    def __init__(self, own: tuple[str, ...]) -> None:
        last = [name.rpartition(".")[2].encode() for name in own]
        self._own = (
            re.compile(rb"\b(?:" + b"|".join(map(re.escape, last)) + rb")\b") if own else None
        )
        self.names = Names()
        self.lookups = Lookups(self.names, own)
        self.scopes: list[Scope] = []
        self.errors: dict[Path, str] = {}
        self.count = 0

    def read(self, paths: Iterable[Path]) -> None:
        """Reads files, and those that call what was found in them."""
        left: dict[Path, bytes] = {}
        for path in paths:
            self.count += 1
            try:
                left[path] = path.read_bytes()
            except OSError as error:
                self.errors[path] = str(error)
        fresh = [path for path, raw in left.items() if self._names_a_lookup(raw)]
        classes = self._defining(left, fresh)
        fresh += classes
        wanted: set[str] = set()
        for _ in range(MAX_CALLS + 1):
            added = [scope for path in fresh for scope in self._take(path, left.pop(path))]
            names = self._leading(added, wanted)
            wanted |= names
            if not names:
                return
            words = re.compile(
                rb"\b(?:" + b"|".join(map(re.escape, map(str.encode, names))) + rb")\b"
            )
            fresh = [path for path, raw in left.items() if words.search(raw)]

    def judge(self) -> Judge:
        """Returns who judges what was read."""
        return Judge(self.names, self.lookups, self.scopes)

    def _names_a_lookup(self, raw: bytes) -> bool:
        if _FUNCTION.search(raw) or (self._own is not None and self._own.search(raw)):
            return True
        if _MASTER.search(raw):
            return True
        return bool(_METHOD.search(raw) and _LOADER.search(raw))

    def _defining(self, left: dict[Path, bytes], fresh: Sequence[Path]) -> list[Path]:
        """Returns the files with the loader classes that others use."""
        chosen = set(fresh)
        base = re.compile(rb"class\s+\w+\s*\([^)]*Loader")
        return [path for path, raw in left.items() if path not in chosen and base.search(raw)]

    def _take(self, path: Path, raw: bytes) -> list[Scope]:
        try:
            scopes = read(Source(path, raw))
        except UnreadableError as error:
            self.errors[path] = error.reason
            return []
        except RecursionError:
            self.errors[path] = "it is nested too deep"
            return []
        self.names.add(scopes[0])
        self.scopes += scopes
        return scopes

    def _leading(self, added: Iterable[Scope], known: set[str]) -> set[str]:
        """Returns the names of functions that are lookups, hold one, or call what does."""
        found: set[str] = set()
        for scope in added:
            if scope.kind == "module":
                found |= _other_names(scope)
            if scope.kind != "function":
                continue
            for site in scope.calls:
                if self.lookups.lookup(site) is not None or _called(site.node) in known:
                    name = scope.name
                    if name == "__init__" and scope.outer is not None:
                        name = scope.outer.name
                    found.add(name)
        return found - known


def _other_names(module: Scope) -> set[str]:
    """Returns what a module calls lookup functions that have another name."""
    return {
        name
        for name, bindings in module.bindings.items()
        if name not in FUNCTIONS
        and any(
            isinstance(each.target, str) and each.target.rpartition(".")[2] in FUNCTIONS
            for each in bindings
        )
    }


def _called(call: object) -> str:
    func = getattr(call, "func", None)
    name = getattr(func, "attr", func)
    value = getattr(name, "value", "")
    return value if isinstance(value, str) else ""


# -- what is said, and changed


def _announced(cases: Iterable[Case]) -> dict[int, list[Change]]:
    """Returns the changes of each loop that needs any, by its id."""
    by_loop: dict[int, list[Case]] = defaultdict(list)
    for case in cases:
        if case.verdict == ONE_LINE and case.announcement is not None:
            by_loop[id(case.loop)].append(case)
    return {loop: _changes(of_loop) for loop, of_loop in by_loop.items()}


def _changes(cases: Iterable[Case]) -> list[Change]:
    """Returns what is put around the rows of one loop, each announcement once."""
    around: dict[int, Change] = {}
    said: set[tuple[int, str, str]] = set()
    for case in cases:
        announcement, loader = case.announcement, case.lookup.loader
        if announcement is None or loader is None:
            continue
        rows = announcement.rows
        once = (id(rows), loader.name, announcement.after)
        if once in said:
            continue
        said.add(once)
        inner = around.get(id(rows), Change(rows, "", ""))
        around[id(rows)] = Change(
            rows, announcement.before + inner.before, inner.after + announcement.after
        )
    return list(around.values())


def _mended(loop: Loop, changes: Sequence[Change]) -> MendedLine | None:
    source = loop.place.scope.source
    first = min(source.line_of(change.node) for change in changes)
    last = max(source.last_line_of(change.node) for change in changes)
    raw = source.changed(changes)
    if raw is None:
        return None
    changed = Source(source.path, raw)
    return MendedLine(source.path, first, source.lines(first, last), changed.lines(first, last))


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


def _is_at(case: Case, line: int) -> bool:
    site, loop = case.lookup.site, case.loop
    source = site.place.scope.source
    if source.line_of(site.node) <= line <= source.last_line_of(site.node):
        return True
    return any(
        each.place.is_inside(loop)
        and source.line_of(each.node) <= line <= source.last_line_of(each.node)
        for each in loop.place.scope.function.calls
    )


def _write(cases: Iterable[Case], announced: dict[int, list[Change]], found: Scan) -> None:
    """Writes the changed files, each whole or not at all."""
    by_file: dict[Path, tuple[Source, list[Change]]] = {}
    done: set[int] = set()
    for case in cases:
        if id(case.loop) in done or id(case.loop) not in announced:
            continue
        done.add(id(case.loop))
        if case.lookup.unmigrated is not None:
            continue
        source = case.loop.place.scope.source
        by_file.setdefault(source.path, (source, []))[1].extend(announced[id(case.loop)])
    for path, (source, changes) in by_file.items():
        raw = source.changed(changes)
        if raw is None:
            found.errors[path] = "its text is not found where it should be"
            continue
        try:
            Source(path, raw)  # what is written has to be Python
            write(path, raw)
        except (UnreadableError, OSError) as error:
            found.errors[path] = str(error)
        else:
            found.changed.append(path)
