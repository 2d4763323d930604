"""What a scan says to whoever reads it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .finding import BY_HAND, ONE_LINE, SEEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .finding import Finding
    from .scanning import Scan


def lines_of(scan: Scan) -> Iterator[str]:
    """Yields the lines of a report: one or two for each lookup, the errors, and the sum."""
    for finding in scan.findings:
        yield _said(finding)
        if finding.changed is not None:
            yield f"    {finding.changed}"
    for path in scan.changed:
        yield f"{_shown(path)}: changed"
    count = len(scan.findings)
    yield (
        f"{count} lookup{'' if count == 1 else 's'} in loops: {scan.count(SEEN)} seen, "
        f"{scan.count(ONE_LINE)} need one line, {scan.count(BY_HAND)} by hand"
    )


def errors_of(scan: Scan) -> Iterator[str]:
    """Yields a line for each file that was left as it is."""
    for path, reason in scan.errors.items():
        yield f"{_shown(path)}: left as it is: {reason}"


def _said(finding: Finding) -> str:
    where = f"{_shown(finding.path)}:{finding.line}"
    inside = f" in {finding.function}" if finding.function else ""
    of_loop = "" if finding.loop_path == finding.path else f"{_shown(finding.loop_path)}:"
    text = f"{where}: {finding.text}{inside}, loop at {of_loop or 'line '}{finding.loop_line}"
    said = f"{text}: {finding.verdict}"
    if finding.reason:
        said += f": {finding.reason}"
    if finding.unmigrated is not None:
        name = finding.text.partition("(")[0].rpartition(".")[2]
        said += f" (first import {name} from dataloaders.symbols, not {finding.unmigrated})"
    return said


def _shown(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
