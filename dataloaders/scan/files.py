"""Which files are looked at, and how one is written."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SKIPPED = frozenset({"__pycache__", "node_modules"})


def python_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Yields the Python files that some paths lead to, each once.

    Hidden directories, venvs and what is not named `.py` are passed by, unless it is named itself.
    """
    seen: set[Path] = set()
    for path in paths:
        for each in _below(path) if path.is_dir() else (path,):
            real = each.resolve()
            if real not in seen:
                seen.add(real)
                yield each


def _below(directory: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(directory):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if not _is_passed_by(here / name))
        for name in sorted(names):
            if name.endswith(".py") and (here / name).is_file():
                yield here / name


def _is_passed_by(folder: Path) -> bool:
    name = folder.name
    return name.startswith(".") or name in _SKIPPED or (folder / "pyvenv.cfg").exists()


def write(path: Path, raw: bytes) -> None:
    """Replaces a file's bytes in one step, and keeps its mode; a link stays one."""
    target = path.resolve()
    mode = target.stat().st_mode
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    new = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
        new.chmod(mode & 0o7777)
        new.replace(target)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
