"""Which files are looked at, and how one is written."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_WRITABLE = 0o222
_SKIPPED = frozenset({"__pycache__", "node_modules"})


def python_files(paths: Iterable[Path], errors: dict[Path, str]) -> Iterator[Path]:
    """Yields the Python files that some paths lead to, each once.

    Hidden directories, venvs and what is not named `.py` are passed by, unless it is named itself.

    Args:
        paths: Files and directories.
        errors: Takes in why directories cannot be read.
    """
    seen: set[Path] = set()
    for path in paths:
        for each in _below(path, errors) if path.is_dir() else (path,):
            real = each.resolve()
            if real not in seen:
                seen.add(real)
                yield each


def _below(directory: Path, errors: dict[Path, str]) -> Iterator[Path]:
    def note(error: OSError) -> None:
        errors[Path(error.filename)] = str(error)

    for folder, folders, names in os.walk(directory, onerror=note):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if not _is_passed_by(here / name))
        for name in sorted(names):
            if name.endswith(".py") and (here / name).is_file():
                yield here / name


def _is_passed_by(folder: Path) -> bool:
    name = folder.name
    return name.startswith(".") or name in _SKIPPED or (folder / "pyvenv.cfg").exists()


def write(path: Path, before: bytes, raw: bytes) -> None:
    """Replaces a file's bytes in one step, and keeps its mode and owner; a link stays one.

    Raises:
        OSError: It cannot be written, is marked as not to be, or is no longer what it was.
    """
    target = path.resolve()
    known = target.stat()
    if not known.st_mode & _WRITABLE:
        raise PermissionError(errno.EACCES, "is read-only", str(path))
    if target.read_bytes() != before:
        raise OSError(errno.EBUSY, "was changed while it was scanned; scan it again", str(path))
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    new = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
        with suppress(OSError):  # only root may give files away
            os.chown(new, known.st_uid, known.st_gid)
        new.chmod(known.st_mode & 0o7777)
        new.replace(target)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
