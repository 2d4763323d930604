"""Finds the per-key lookups in the loops of a code base, and the lines that announce them.

It needs an extra, `request-dataloaders[scan]`.
"""

try:
    from .command import run
    from .finding import BY_HAND, ONE_LINE, SEEN, Finding, MendedLine
    from .scanning import Scan, mended_line, scan
except ModuleNotFoundError as error:
    if error.name != "libcst":
        raise
    remedy = "Scanning needs libcst: pip install 'request-dataloaders[scan]'"
    raise ModuleNotFoundError(remedy, name="libcst") from error

__all__ = [
    "BY_HAND",
    "ONE_LINE",
    "SEEN",
    "Finding",
    "MendedLine",
    "Scan",
    "mended_line",
    "run",
    "scan",
]
