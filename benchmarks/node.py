"""graphql/dataloader on Node.js, in a process of its own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACKAGE: Final = "dataloader@2"
SCRIPT: Final = Path(__file__).with_name("node_peer.js")


@contextmanager
def node_peer() -> Iterator[Callable[[str, int, int], float] | None]:
    """Gives what measures it: of a way, a batch's keys and a number of batches, the seconds.

    It gives None where Node.js is not to be had, or its package is not.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        print("graphql/dataloader is left out: install Node.js and npm")  # noqa: T201 - it reports to the terminal
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        install = [npm, "install", "--silent", "--prefix", folder, PACKAGE]
        if subprocess.run(install, check=False).returncode:  # noqa: S603 - npm, as found
            print(f"graphql/dataloader is left out: npm could not install {PACKAGE}")  # noqa: T201 - it reports to the terminal
            yield None
            return
        script = shutil.copy(SCRIPT, folder)
        with subprocess.Popen(  # noqa: S603 - node, as found
            [node, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:

            def seconds(way: str, size: int, batches: int) -> float:
                if process.stdin is None or process.stdout is None:
                    raise RuntimeError("The process has no pipes.")
                process.stdin.write(f"{way} {size} {batches}\n")
                process.stdin.flush()
                return float(process.stdout.readline())

            yield seconds
