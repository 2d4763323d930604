"""The page's application that APPLICATION names, with what each process sends in a file."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

from sqlalchemy import event

served = import_module(os.environ["APPLICATION"])
app = served.app
engine = import_module(os.environ.get("ENGINE_OF", os.environ["APPLICATION"])).engine
engine = getattr(engine, "sync_engine", engine)
record = Path(os.environ["RECORD"]).open("a", buffering=1)  # noqa: SIM115 - as long as the process


@event.listens_for(engine, "before_cursor_execute")
def note_statement(*_arguments: object) -> None:
    record.write(f"{os.getpid()} sent 1\n")


@event.listens_for(engine, "checkout")
def note_connections(*_arguments: object) -> None:
    record.write(f"{os.getpid()} connections {engine.pool.checkedout()}\n")
