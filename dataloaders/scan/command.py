"""The command, whoever starts it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

from .report import errors_of, lines_of
from .scanning import scan

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def run(
    paths: Iterable[Path],
    own: Iterable[str] = (),
    *,
    fix: bool = False,
    out: TextIO | None = None,
    err: TextIO | None = None,
) -> int:
    """Lists the lookups in loops.

    Returns:
        0 if look-ahead does all that is to be done, 1 if something needs a change, 2 if a file
        could not be read or written.
    """
    paths = list(paths)
    missing = [path for path in paths if not path.exists()]
    for path in missing:
        _say(f"{path}: there is no such file or directory", err or sys.stderr)
    found = scan([path for path in paths if path not in missing], own, fix=fix)
    for line in lines_of(found):
        _say(line, out or sys.stdout)
    for line in errors_of(found):
        _say(line, err or sys.stderr)
    if missing or found.errors:
        return 2
    return int(found.needs_change)


def _say(line: str, file: TextIO) -> None:
    """Prints a line, even if a name or the code in it is not in the file's encoding."""
    encoding = file.encoding or "utf-8"
    print(line.encode(encoding, "backslashreplace").decode(encoding), file=file)
