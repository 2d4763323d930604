"""What docs/deploying.md has: programs, by the name of their file, and commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs/deploying.md").read_text()

PROGRAMS = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE, re.DOTALL))
COMMANDS = [
    line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()
]


def write_programs(folder: Path) -> None:
    """Writes all programs into a directory."""
    for name, text in PROGRAMS.items():
        (folder / name).write_text(text)


def commands(mention: str) -> list[list[str]]:
    """Returns the commands that mention something, without the environment variables before it."""
    found = [shlex.split(line) for line in COMMANDS if mention in line]
    assert found
    return found
