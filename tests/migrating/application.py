"""The application that migrates: the trading example, as it was before it knew this library."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/trading"
START = Path(__file__).parent / "start"

# What only the example has: its two ways to look symbols up, its demo, and market data.
_LEFT_OUT = shutil.ignore_patterns(
    *("lookups", "market", "simulator", "__pycache__", "README.md", "metering.py", "metrics.py"),
    *("demo.py", "measuring.py", "serving.py", "operations.py", "comparison.py", "processes.py"),
    *("check_contract.py", "server.py"),
)

# The application's own modules, in place of the example's and the library's.
_OWN = (
    ("from examples.trading.lookups import", "from database.symbol import"),
    ("from .lookups import", "from database.symbol import"),
    ("from dataloaders.symbols import symtoken", "from database.table import symtoken"),
    ("examples.trading", "trading"),
)


def write_start(repository: Path) -> None:
    """Writes the application into a new Git repository, and commits it."""
    shutil.copytree(EXAMPLE, repository / "trading", ignore=_LEFT_OUT)
    for path in (repository / "trading").rglob("*.py"):
        text = path.read_text()
        for theirs, own in _OWN:
            text = text.replace(theirs, own)
        path.write_text(text)
    shutil.copytree(START, repository, dirs_exist_ok=True, ignore=_LEFT_OUT)
    (repository / ".gitignore").write_text("__pycache__\n")
    git(repository, "init", "--quiet")
    commit(repository, "Start")


def commit(repository: Path, message: str) -> None:
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", message)


def git(repository: Path, *arguments: str, given: str | None = None) -> str:
    """Runs Git as somebody, without the settings of whoever runs the tests."""
    identity = ("-c", "user.name=Test", "-c", "user.email=test@localhost")
    done = subprocess.run(  # noqa: S603 - Git, on a repository of the tests
        ["git", *identity, *arguments],  # noqa: S607 - the one that is installed
        cwd=repository,
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
