"""What a worker tells of itself: connections in use, batches under way, time-outs of the pool."""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING, Final

from flask import got_request_exception
from sqlalchemy import Engine, event
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from dataloaders.observe import Listener, Observer

if TYPE_CHECKING:
    from pathlib import Path

    from flask import Flask

    from dataloaders.batch import Batch
    from dataloaders.observe import BatchRecord

INTERVAL: Final = 0.5  # seconds


class Probe(Listener):
    """Counts, and writes the counts to a file of the worker's own.

    Args:
        directory: Where the file is to be.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / f"worker-{os.getpid()}.json"
        self._lock = threading.Lock()
        self._connections = self._batches = 0
        self._most_connections = self._most_batches = self._most_beyond = self._time_outs = 0

    def watch(self, app: Flask, engine: Engine) -> None:
        """Begins."""
        event.listen(engine, "checkout", self._taken)
        event.listen(engine, "checkin", self._given_back)
        got_request_exception.connect(self._failed, app, weak=False)
        Observer([self]).watch()
        threading.Thread(target=self._write_on, daemon=True).start()

    def batch_began(self, sent: BatchRecord, batch: Batch) -> None:  # noqa: ARG002 - a listener's
        """One more is under way."""
        with self._lock:
            self._batches += 1
            self._most_batches = max(self._most_batches, self._batches)

    def batch_ended(self, sent: BatchRecord, batch: Batch) -> None:  # noqa: ARG002 - as above
        """One is over."""
        with self._lock:
            self._batches -= 1

    def batch_interrupted(self, sent: BatchRecord, batch: Batch) -> None:
        """So it is, too."""
        self.batch_ended(sent, batch)

    def _taken(self, *_about: object) -> None:
        with self._lock:
            self._connections += 1
            self._most_connections = max(self._most_connections, self._connections)
            self._most_beyond = max(self._most_beyond, self._connections - self._batches)

    def _given_back(self, *_about: object) -> None:
        with self._lock:
            self._connections -= 1

    def _failed(self, _app: Flask, exception: BaseException) -> None:
        error: BaseException | None = exception
        while error is not None and not isinstance(error, PoolTimeoutError):
            error = error.__cause__ or error.__context__
        if error is not None:
            with self._lock:
                self._time_outs += 1

    def _write_on(self) -> None:
        pause = threading.Event()
        while True:
            document = {
                "connections": self._most_connections,
                "batches": self._most_batches,
                "beyond": self._most_beyond,
                "time_outs": self._time_outs,
            }
            new = self._path.with_suffix(".new")
            new.write_text(json.dumps(document))
            new.replace(self._path)
            pause.wait(INTERVAL)
