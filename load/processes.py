"""The processes of a run: gunicorn with the application, and the clients; and what they take."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil

from .records import Heard, Size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT: Final = Path(__file__).parents[1]
SAMPLE_SECONDS: Final = 1.0
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 40.0
_MIB: Final = 2**20


class ProcessError(Exception):
    """A process of the run did not start, or did not end as it should."""


class Application:
    """The application, served by gunicorn.

    Attributes:
        url: Where.
        directory: Where its workers' files are.
        sizes: Each worker's, by its process id.
    """

    def __init__(self, process: subprocess.Popen[bytes], directory: Path) -> None:
        self.directory = directory
        self.sizes: dict[int, list[Size]] = {}
        self._process = psutil.Process(process.pid)
        self.url = self._wait_for_address(process)
        self._is_over = threading.Event()
        self._sampling = threading.Thread(target=self._sample, daemon=True)
        self._sampling.start()

    def probes(self) -> dict[str, int]:
        """Returns what the workers told: the most of any of them, and all of their time-outs."""
        told = [json.loads(path.read_text()) for path in self.directory.glob("worker-*.json")]
        most = {
            name: max(each[name] for each in told) for name in ("connections", "batches", "beyond")
        }
        return most | {"time_outs": sum(each["time_outs"] for each in told)}

    def log(self) -> str:
        """Returns what the server wrote."""
        return (self.directory / "log").read_text()

    def cpu_seconds(self) -> float:
        """Returns the processor time of all workers so far."""
        return sum(cpu_seconds(each) for each in self._process.children())

    def stop_sampling(self) -> None:
        """Ends looking at the workers' sizes."""
        self._is_over.set()
        self._sampling.join()

    def _wait_for_address(self, process: subprocess.Popen[bytes]) -> str:
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until and process.poll() is None:
            address = re.search(r"http://127\.0\.0\.1:\d+", self.log())
            if address and any(self.directory.glob("worker-*.json")):
                return address[0]
            time.sleep(0.05)
        raise ProcessError(f"gunicorn did not start: {self.log()[-2_000:]}")

    def _sample(self) -> None:
        while not self._is_over.wait(SAMPLE_SECONDS):
            for worker in self._process.children():
                mib = worker.memory_info().rss / _MIB
                self.sizes.setdefault(worker.pid, []).append(Size(time.monotonic(), mib))


@contextmanager
def application(
    directory: Path, environment: Mapping[str, str], worker: str, workers: int, threads: int
) -> Iterator[Application]:
    """Serves the application.

    Args:
        directory: For its files.
        environment: Its settings.
        worker: The class of gunicorn's workers: gthread or gevent.
        workers: How many.
        threads: Of each, where it has threads.
    """
    directory.mkdir()
    options = [f"--threads={threads}"] if worker == "gthread" else []
    command = [
        *(sys.executable, "-m", "gunicorn", "load.served:app", "--bind=127.0.0.1:0"),
        *(f"--workers={workers}", f"--worker-class={worker}", "--no-control-socket"),
        # Longer than any client thinks: otherwise a request may meet a connection that is closed.
        *("--keep-alive=120", "--timeout=120", *options),
    ]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - this very interpreter
            command,
            cwd=ROOT,
            env={**os.environ, **environment, "LOAD_DIRECTORY": str(directory)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        running = Application(process, directory)
        yield running
        running.stop_sampling()
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Clients:
    """The generator's process, which runs already."""

    def __init__(self, plan: Mapping[str, Any], directory: Path) -> None:
        self._output = directory / "heard.json"
        path = directory / "plan.json"
        path.write_text(json.dumps({**plan, "output": str(self._output)}))
        self._process = subprocess.Popen(  # noqa: S603 - this very interpreter
            [sys.executable, "-m", "load.generator", str(path)], cwd=ROOT
        )
        self._began = psutil.Process(self._process.pid)
        self._seconds: float = plan["seconds"]
        self.cpu_seconds = 0.0

    def wait(self) -> Heard:
        """Waits for its end; returns what it wrote down."""
        until = time.monotonic() + self._seconds + 180
        while self._process.poll() is None:
            if time.monotonic() > until:
                self._process.kill()
                raise ProcessError("The clients did not end.")
            self.cpu_seconds = cpu_seconds(self._began) or self.cpu_seconds
            time.sleep(0.1)
        if self._process.returncode:
            raise ProcessError(f"The clients ended with {self._process.returncode}.")
        return Heard.from_json(json.loads(self._output.read_text()))


def cpu_seconds(process: psutil.Process) -> float:
    """Returns the processor time of a process so far; 0 if it is over."""
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)
