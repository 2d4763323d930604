"""`python -m dataloaders.scan PATH...`: see `flask dataloaders scan`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .command import run


def main() -> int:
    """Runs the command; returns its exit code."""
    parser = argparse.ArgumentParser("python -m dataloaders.scan", description=run.__doc__)
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    parser.add_argument("--fix", action="store_true", help="write the lines that announce")
    parser.add_argument(
        "--lookup",
        action="append",
        default=[],
        metavar="NAME",
        help="a lookup function or method of the code's own",
    )
    given = parser.parse_args()
    return run(given.paths, given.lookup, fix=given.fix)


if __name__ == "__main__":
    sys.exit(main())
