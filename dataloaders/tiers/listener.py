"""A thread that listens, as long as there is something to listen to."""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING, Final, Protocol
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

RETRY_SECONDS: Final = 1.0
"""Seconds between two attempts to connect again."""


class Line(Protocol):
    """A connection on which messages come."""

    def wait(self) -> None:
        """Waits for a message for a short time, and acts on it; raises if the line is dead."""

    def close(self) -> None:
        """Hangs up."""


class Listener:
    """Listens on a line, and on a new one when that is lost, until it is stopped.

    Args:
        connect: Returns a line that is listened on from then on, so that no message is missed.
        on_connected: Called whenever there is a new one, for what may have been missed.
    """

    def __init__(self, connect: Callable[[], Line], on_connected: Callable[[], None]) -> None:
        self._connect = connect
        self._on_connected = on_connected
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self.is_connected = False
        _all.add(self)

    @property
    def is_running(self) -> bool:
        """Whether its thread was started, in this process."""
        return self._thread is not None

    def start(self) -> None:
        """Starts its thread, once in a process."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="dataloaders", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stops listening, and waits for the thread to have hung up."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(2 * RETRY_SECONDS)

    def forget_thread(self) -> None:
        """Begins anew in a forked process, which has a copy of this and no thread."""
        self._thread = None
        self._stopped = threading.Event()
        self.is_connected = False

    def _run(self) -> None:
        stopped = self._stopped
        while not stopped.is_set():
            try:
                line = self._connect()
            except Exception as error:  # noqa: BLE001 - whatever it is, there may be a line later
                logger.warning("Nothing to listen to, so versions are looked at: %s", error)
                stopped.wait(RETRY_SECONDS)
                continue
            try:
                self.is_connected = True
                self._on_connected()
                while not stopped.is_set():
                    line.wait()
            except Exception as error:  # noqa: BLE001 - as above
                logger.warning("The line is lost, so versions are looked at: %s", error)
            finally:
                self.is_connected = False
                line.close()


_all: WeakSet[Listener] = WeakSet()


def _forget_threads() -> None:
    for listener in list(_all):
        listener.forget_thread()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
