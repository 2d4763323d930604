"""A database server that tests kill and start again."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from tests.threads import SECONDS, until


class Killable:
    """A server of the test run's own.

    Args:
        url: Its URL. What starts it again is the command that it runs by.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = create_engine(url, poolclass=NullPool)
        self.kind = self._engine.dialect.name
        self._pid = self._running_pid()
        process = Path(f"/proc/{self._pid}")
        self._command = process.joinpath("cmdline").read_text().removesuffix("\0").split("\0")
        self._user = process.stat().st_uid
        self._own: subprocess.Popen[bytes] | None = None

    def _running_pid(self) -> int:
        path = "SHOW data_directory" if self.kind == "postgresql" else "SELECT @@pid_file"
        with self._engine.connect() as connection:
            file = Path(connection.execute(text(path)).scalar_one())
        if self.kind == "postgresql":
            file /= "postmaster.pid"
        return int(file.read_text().split()[0])

    def kill(self) -> None:
        """Kills it as a system does that runs out of memory."""
        os.kill(self._pid, signal.SIGKILL)
        until(lambda: not self._answers())

    def start(self) -> None:
        """Starts it again, and waits until it answers."""

        def answers() -> bool:
            # PostgreSQL refuses to start while a process of the killed one is still there.
            if self._own is None or self._own.poll() is not None:
                self._own = subprocess.Popen(  # noqa: S603 - the command that it ran by
                    self._command,
                    user=self._user,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                )
            return self._answers()

        until(answers)
        self._pid = self._running_pid()

    def stop(self) -> None:
        """Stops it for good, if it was started here."""
        if self._own is not None:
            # SIGINT: PostgreSQL would wait for open connections at SIGTERM.
            stop = signal.SIGINT if self.kind == "postgresql" else signal.SIGTERM
            self._own.send_signal(stop)
            self._own.wait(SECONDS)

    def _answers(self) -> bool:
        try:
            with self._engine.connect():
                return True
        except DBAPIError:
            return False
