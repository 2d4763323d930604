"""Finds the per-key lookups in the loops of a code base, and the lines that announce them."""

from .command import run
from .finding import BY_HAND, ONE_LINE, SEEN, Finding, MendedLine
from .scanning import Scan, mended_line, scan

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
