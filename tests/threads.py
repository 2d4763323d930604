"""Threads, and programs with green ones, that no test waits for without end."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

SECONDS = 20

_PATCHES = {
    "none": "",
    "gevent": "from gevent import monkey\nmonkey.patch_all()\n",
    "eventlet": (
        "import warnings\nwarnings.simplefilter('ignore')\n"
        "import eventlet\neventlet.monkey_patch()\n"
    ),
}


def spawn(function: Callable[..., T], *args: object) -> Future[T]:
    """Calls a function in a thread that no test waits for if it hangs."""
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(function(*args))
        except BaseException as error:  # noqa: BLE001 - raised to who asks for the result
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return answer


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def run_green(green: str, program: str, *arguments: str) -> str:
    """Runs a program under a library of green threads (or "none"); returns what it prints."""
    if green != "none":
        pytest.importorskip(green)
    done = subprocess.run(  # noqa: S603 - the programs are those of the tests
        [sys.executable, "-c", _PATCHES[green] + program, *arguments],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        cwd=Path(__file__).parents[1],
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
