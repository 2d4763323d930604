"""Runs a program of the page, and appends a line to a file for each statement that it sends."""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

from sqlalchemy import Engine, event


def note(*_arguments: object) -> None:
    with Path(os.environ["RECORD"]).open("a") as record:
        record.write("sent\n")


if __name__ == "__main__":
    event.listen(Engine, "before_cursor_execute", note)
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
