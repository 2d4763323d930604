"""Starts real servers, in processes of their own, for the tests of more than one directory."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT = Path(__file__).parents[1]

START_SECONDS = 30
STOP_SECONDS = 20


@dataclass(frozen=True)
class Server:
    """A server and the application that it is to serve.

    Attributes:
        name: What tests call it.
        arguments: Of `python -m`.
        exit_code: When it is told to stop.
        green: Whether its threads are green ones.
        old: Whether it needs the last gunicorn with an eventlet worker.
    """

    name: str
    arguments: tuple[str, ...]
    exit_code: int
    green: bool = False
    old: bool = False


def flask_server(application: str, *, debug: bool = False) -> Server:
    """Returns Flask's own server; it leaves SIGTERM to the system."""
    mode = "--debug" if debug else "--no-debug"
    # A reloader would be a process more, which nobody stops.
    arguments = ("flask", f"--app={application}", mode, "run", "--port=0", "--no-reload")
    return Server("flask", arguments, exit_code=-signal.SIGTERM)


def gunicorn_workers(application: str, threads: int, workers: int = 1) -> tuple[Server, ...]:
    """Returns gunicorn with each kind of worker that serves requests at the same time."""
    gunicorn = ("gunicorn", f"--workers={workers}", "--bind=127.0.0.1:0", "--no-control-socket")

    def worker(name: str, *options: str, green: bool = False, old: bool = False) -> Server:
        served = application if ":" in application else f"{application}:app"
        arguments = (*gunicorn, served, f"--worker-class={name}", *options)
        return Server(name, arguments, exit_code=0, green=green, old=old)

    return (
        worker("gthread", f"--threads={threads}"),
        worker("gevent", green=True),
        worker("eventlet", green=True, old=True),
    )


class Running:
    """A server that has been started."""

    def __init__(self, server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
        self.server = server
        self.process = process
        self.log = log
        self.port = self._wait_for_port()

    def _wait_for_port(self) -> int:
        def port() -> int:
            assert self.process.poll() is None, self.log.read_text()
            address = re.search(r"http://127\.0\.0\.1:(\d+)", self.log.read_text())
            return int(address[1]) if address else 0

        number = wait_for(port, START_SECONDS)
        assert number, self.log.read_text()
        return number

    def connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=30)

    def post(self, connection: HTTPConnection, path: str, body: object) -> tuple[int, bytes]:
        """Posts a body as JSON; returns status and body of the response."""
        headers = {"Content-Type": "application/json"}
        connection.request("POST", path, json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, response.read()

    def get(self, path: str) -> Any:  # noqa: ANN401 - whatever the JSON is
        """Returns the JSON of a path, through a connection of its own."""
        with closing(self.connect()) as connection:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())


@contextmanager
def started(
    server: Server, python: str, log: Path, environment: Mapping[str, str], *paths: Path
) -> Iterator[Running]:
    """Starts a server and stops it again, which it has to do as it should.

    Args:
        server: Which one.
        python: The Python that runs it.
        log: The file for its output, in the directory that it runs in.
        environment: What is added to that of the tests.
        paths: Directories that it imports from, beside those of the project.
    """
    importable = map(str, (*paths, ROOT, ROOT / "integrations/flask"))
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - one of the servers above
            [python, "-m", *server.arguments],
            cwd=log.parent,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(importable),
                "PYTHONUNBUFFERED": "1",
                **environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Running(server, process, log)
        process.terminate()
        assert process.wait(STOP_SECONDS) == server.exit_code, log.read_text()
    finally:
        process.kill()
        process.wait(STOP_SECONDS)


def wait_for(look: Callable[[], int], seconds: float) -> int:
    """Looks until something is there, or the time is over; returns what was seen last."""
    deadline = time.monotonic() + seconds
    while not (seen := look()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return seen


def check_log(running: Running) -> None:
    """A server must have had nothing to complain of."""
    log = running.log.read_text()
    assert not re.search(r"Traceback|Error|Exception|ERROR|CRITICAL|WARNING:dataloaders", log), log
