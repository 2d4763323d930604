"""Runs servers as processes of their own, on the loopback interface."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).parents[2]


class ServerStartError(Exception):
    """A server's process ended before it served."""

    def __init__(self, module: str) -> None:
        super().__init__(f"{module} did not start.")


@contextmanager
def server_process(module: str, *arguments: str) -> Iterator[str]:
    """Runs a server; gives the address that it prints.

    Args:
        module: What to run; it serves until its standard input ends.
        arguments: Those of its command line.

    Raises:
        ServerStartError: It does not start; why, it has written to the standard error itself.
    """
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(  # noqa: S603 - this very interpreter
        command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        url = process.stdout.readline().strip()
        if not url:
            raise ServerStartError(module)
        # Leaving closes its standard input, at which it ends.
        yield url
