"""Which files are read: those that name a lookup, those that come to one, and what they import."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from .judging import MAX_CALLS, Judge
from .lookups import FUNCTIONS, METHODS, Lookups
from .names import Names
from .reader import read
from .source import Source, UnreadableError
from .syntax import dotted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from .judging import Case
    from .model import Binding, Scope

_FUNCTION: Final = re.compile(rb"\b(?:" + b"|".join(name.encode() for name in FUNCTIONS) + rb")\b")
_METHOD: Final = re.compile(rb"\.(?:" + b"|".join(name.encode() for name in METHODS) + rb")\s*\(")
_LOADER: Final = re.compile(rb"Loader\b|\bdataloaders\b")
_MASTER: Final = re.compile(rb"\bmaster\.(?:symbols|broker_symbols|tokens)\b")
_OWN: Final = frozenset({"dataloaders", "flask_dataloaders"})
_MAX_FOLDERS: Final = 8


class Reading:
    """Reads what may matter.

    Args:
        own: Names of lookup functions and methods of the code's own.

    Attributes:
        errors: Of each file that could not be read, why.
        count: How many files were looked at.
    """

    def __init__(self, own: tuple[str, ...] = ()) -> None:
        last = [name.rpartition(".")[2].encode() for name in own]
        self._own = (
            re.compile(rb"\b(?:" + b"|".join(map(re.escape, last)) + rb")\b") if own else None
        )
        self._names = Names()
        self._lookups = Lookups(self._names, own)
        self._scopes: list[Scope] = []
        self._given: set[Path] = set()
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
        self._given.update(left)
        fresh = [path for path, raw in left.items() if self._names_a_lookup(raw)]
        classes = self._defining(left, fresh)
        fresh += classes
        wanted: set[str] = set()
        on_the_way: list[Scope] = []
        for _ in range(MAX_CALLS + 1):
            added = [scope for path in fresh for scope in self._take(path, left.pop(path))]
            on_the_way += added if wanted else self._with_lookups(added)
            names = self._leading(added, wanted)
            wanted |= names
            if not names:
                break
            words = re.compile(
                rb"\b(?:" + b"|".join(map(re.escape, map(str.encode, names))) + rb")\b"
            )
            fresh = [path for path, raw in left.items() if words.search(raw)]
        self._read_imported(on_the_way)

    def cases(self) -> list[Case]:
        """Returns the lookups in the loops of the files, and those that their loops come to."""
        judge = Judge(self._names, self._lookups, self._scopes)
        return [
            case
            for case in judge.cases()
            if case.loop.place.scope.source.path in self._given
            or case.lookup.site.place.scope.source.path in self._given
        ]

    def _with_lookups(self, scopes: list[Scope]) -> list[Scope]:
        """Returns the scopes of those modules that have a lookup."""
        having = {
            id(scope.module)
            for scope in scopes
            if any(self._lookups.lookup(site) is not None for site in scope.calls)
        }
        return [scope for scope in scopes if id(scope.module) in having]

    def _read_imported(self, scopes: Iterable[Scope]) -> None:
        """Reads what modules import that is beside them, to know what its functions do."""
        taken = {scope.source.path.resolve() for scope in self._scopes}
        errors = dict(self.errors)  # what is wrong with other files is not asked
        for scope in scopes:
            for bindings in scope.bindings.values():
                for binding in bindings:
                    if not isinstance(binding.target, str):
                        continue
                    for path in _files_of(binding.target, scope.source.path):
                        if path not in taken:
                            taken.add(path)
                            with suppress(OSError):
                                self._take(path, path.read_bytes())
        self.errors = errors

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
        self._names.add(scopes[0])
        self._scopes += scopes
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
                if self._lookups.lookup(site) is not None or _called(site.node) in known:
                    name = scope.name
                    if scope.is_method and name.startswith("__") and scope.outer is not None:
                        name = scope.outer.name
                    found.add(name)
        return found - known


def _other_names(module: Scope) -> set[str]:
    """Returns what a module calls lookup functions that have another name."""
    return {
        name
        for name, bindings in module.bindings.items()
        if name not in FUNCTIONS and any(_stands_for(each) in FUNCTIONS for each in bindings)
    }


def _stands_for(binding: Binding) -> str:
    """Returns what a name is called elsewhere, or ""."""
    if isinstance(binding.target, str):
        return binding.target.rpartition(".")[2]
    return (dotted(binding.value) or "").rpartition(".")[2] if binding.value is not None else ""


def _called(call: object) -> str:
    func = getattr(call, "func", None)
    name = getattr(func, "attr", func)
    value = getattr(name, "value", "")
    return value if isinstance(value, str) else ""


def _files_of(target: str, importing: Path) -> Iterator[Path]:
    """Yields the file that an import may mean: a module's, or that of one of its names."""
    name = target.lstrip(".")
    dots = len(target) - len(name)
    parts = name.split(".")
    folders = list(importing.resolve().parents)
    if not dots and parts[0] in _OWN:
        return
    for folder in folders[dots - 1 : dots] if dots else folders[:_MAX_FOLDERS]:
        for inner in (parts, parts[:-1]):
            if not inner or not inner[-1]:
                continue
            package = folder.joinpath(*inner)
            for path in (package.parent / f"{inner[-1]}.py", package / "__init__.py"):
                if path.is_file():
                    yield path
                    return
