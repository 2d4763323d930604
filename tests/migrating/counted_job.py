"""Runs the job of a watchlist as a script; prints how many statements it took, and what it said."""

from __future__ import annotations

import runpy
import sys
from contextlib import redirect_stdout
from io import StringIO

from sqlalchemy import Engine, event

sent: list[str] = []


def count(*arguments: object) -> None:
    sent.append(str(arguments[2]))


if __name__ == "__main__":
    event.listen(Engine, "before_cursor_execute", count)
    with redirect_stdout(StringIO()) as said:
        runpy.run_module("jobs.watchlist", run_name="__main__")
    sys.stdout.write(f"{len(sent)}\n{said.getvalue()}")
