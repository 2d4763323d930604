"""The extension under real servers, in processes of their own, with many clients at once."""

from __future__ import annotations

import configparser
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

CLIENTS = 16
REQUESTS = 200  # of each client
KEYS = 12  # of each request
START_SECONDS = 30
STOP_SECONDS = 20

# The stream and the async view have tests of their own.
SYNC_VIEWS = ("many", "loop", "pool", "raises", "nothing")

Pairs = list[tuple[str, str]]
Tokens = dict[tuple[str, str], str]
Start = Any  # of a server: () -> context manager of Running

pytestmark = pytest.mark.timeout(180)


@dataclass(frozen=True)
class Server:
    name: str
    arguments: tuple[str, ...]
    exit_code: int
    green: bool = False  # whether its threads are green ones
    old: bool = False  # whether it needs the last gunicorn with an eventlet worker


GUNICORN = (
    "gunicorn",
    "--workers=1",
    "--bind=127.0.0.1:0",
    "--no-control-socket",
    "server_app:app",
)
SERVERS = (
    # Flask's own server leaves SIGTERM to the system.
    Server("flask", ("flask", "--app=server_app", "run", "--port=0"), exit_code=-signal.SIGTERM),
    Server(
        "gthread",
        (*GUNICORN, "--worker-class=gthread", f"--threads={CLIENTS}"),
        exit_code=0,
    ),
    Server("gevent", (*GUNICORN, "--worker-class=gevent"), exit_code=0, green=True),
    Server("eventlet", (*GUNICORN, "--worker-class=eventlet"), exit_code=0, green=True, old=True),
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

    def post(self, connection: HTTPConnection, view: str, pairs: Pairs) -> tuple[int, bytes]:
        body = json.dumps({"pairs": pairs})
        connection.request("POST", f"/{view}", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()

    def stats(self) -> dict[str, Any]:
        """What the views have done, as soon as all requests are over."""
        found: dict[str, Any] = {}

        def settled() -> bool:
            with closing(self.connect()) as connection:
                connection.request("GET", "/stats")
                found.update(json.loads(connection.getresponse().read()))
            return bool(found["started"] == found["finished"])

        wait_for(settled, 20)
        return found


def wait_for(look: Callable[[], int], seconds: float) -> int:
    """Looks until something is there, or the time is over; returns what was seen last."""
    deadline = time.monotonic() + seconds
    while not (seen := look()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return seen


@pytest.fixture(scope="session")
def gunicorn25_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python with the last gunicorn that has an eventlet worker: `make test` provides one."""
    if given := os.environ.get("DATALOADERS_TEST_GUNICORN25_PYTHON"):
        return given
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    needed = config["options"]["install_requires"].split()
    needed += config["options.extras_require"]["flask"].split()
    packages = ["gunicorn>=25,<26", "eventlet", *needed]
    venv = tmp_path_factory.mktemp("gunicorn25")
    python = str(venv / "bin" / "python")
    subprocess.run([sys.executable, "-m", "venv", venv], check=True, timeout=120)  # noqa: S603 - the running Python
    install = [python, "-m", "pip", "install", "--quiet", *packages]
    subprocess.run(install, check=True, timeout=300)  # noqa: S603 - the Python just made
    return python


@pytest.fixture(params=SERVERS, ids=lambda server: server.name)
def start(request: pytest.FixtureRequest, contract_file: Path, tmp_path: Path) -> Start:
    """Starts a server and stops it again; at the end it must have had nothing to complain of."""
    server: Server = request.param
    python = request.getfixturevalue("gunicorn25_python") if server.old else sys.executable

    @contextmanager
    def running() -> Iterator[Running]:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, (HERE, ROOT, ROOT / "integrations/flask"))),
            "PYTHONUNBUFFERED": "1",
            "DATALOADERS_DATABASE_URI": f"sqlite:///{contract_file}",
            "DATALOADERS_ENGINE_OPTIONS": json.dumps({"pool_size": 2 * CLIENTS}),
        }
        log = tmp_path / "server.log"
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - one of SERVERS
                [python, "-m", *server.arguments],
                cwd=tmp_path,
                env=environment,
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

    return running


def some_pairs(random: Random, tokens: Tokens) -> Pairs:
    """Pairs to ask for: all different, and one of them unknown."""
    pairs = random.sample(list(tokens), KEYS - 1)
    pairs.insert(random.randrange(KEYS), (f"NOSUCH{random.randrange(10**6)}", "NSE"))
    return pairs


def wrong(view: str, status: int, body: bytes, pairs: Pairs, tokens: Tokens) -> str | None:
    """Says what is wrong with an answer, if anything is."""
    expected = [tokens.get(pair) for pair in pairs]
    if view == "raises":
        return None if status == 500 else f"{view}: {status}"
    if status != 200:
        return f"{view}: {status} {body[:300]!r}"
    if view == "stream":
        answer: object = [line or None for line in body.decode().splitlines()]
    else:
        answer = json.loads(body)
    if answer != ([] if view == "nothing" else expected):
        return f"{view}: {answer} in place of {expected}"
    return None


def client(
    running: Running, number: int, views: tuple[str, ...], requests: int, tokens: Tokens
) -> list[str]:
    """One user, over one connection as long as the server keeps it: returns what went wrong."""
    random = Random(number)
    found = []
    with closing(running.connect()) as connection:
        for each in range(requests):
            view = views[(number + each) % len(views)]
            pairs = some_pairs(random, tokens)
            status, body = running.post(connection, view, pairs)
            found.append(wrong(view, status, body, pairs, tokens))
    return [each for each in found if each is not None]


def load(
    running: Running, clients: int, views: tuple[str, ...], requests: int, tokens: Tokens
) -> list[str]:
    """Many users at once; returns what went wrong."""
    with ThreadPoolExecutor(clients) as executor:
        calls = [
            executor.submit(client, running, number, views, requests, tokens)
            for number in range(clients)
        ]
        return [each for call in calls for each in call.result()]


def asked(clients: int, views: tuple[str, ...], requests: int) -> Counter[str]:
    """How often `load` asks each view."""
    return Counter(
        views[(number + each) % len(views)] for number in range(clients) for each in range(requests)
    )


def check_isolation(stats: dict[str, Any]) -> None:
    assert stats["started"] == stats["finished"]
    assert stats["shared_scopes"] == 0
    assert stats["unclosed_scopes"] == 0
    assert stats["lookups_outside"] == 0
    assert stats["statements_outside"] == 0


def check_log(running: Running) -> None:
    log = running.log.read_text()
    assert not re.search(r"Traceback|Error|Exception|ERROR|CRITICAL|WARNING:dataloaders", log), log


def check_statements(statements: dict[str, dict[str, int]], calls: Counter[str]) -> None:
    counted = {
        view: Counter({int(number): times for number, times in counts.items()})
        for view, counts in statements.items()
    }
    assert {view: counts.total() for view, counts in counted.items()} == dict(calls)
    for view in counted.keys() & {"many", "raises", "gathered"}:
        assert counted[view] == {1: calls[view]}
    if "nothing" in counted:
        assert counted["nothing"] == {0: calls["nothing"]}
    for view in counted.keys() & {"loop", "stream"}:  # one for each key, or better
        assert min(counted[view]) >= 1
        assert max(counted[view]) <= KEYS + (view == "stream")
    if "pool" in counted:  # the threads that wait for the first one's query go together
        assert max(counted["pool"]) <= KEYS
        statements_of_pool = sum(number * times for number, times in counted["pool"].items())
        assert statements_of_pool < KEYS * calls["pool"]


def test_sync_views_under_load(start: Start, tokens: Tokens) -> None:
    with start() as running:
        assert load(running, CLIENTS, SYNC_VIEWS, REQUESTS, tokens) == []
        stats = running.stats()
    calls = asked(CLIENTS, SYNC_VIEWS, REQUESTS)
    check_isolation(stats)
    assert stats["several_scopes"] == 0
    assert stats["without_scope"] == calls["nothing"]
    check_statements(stats["statements"], calls)
    check_log(running)


def test_streams_under_load(start: Start, tokens: Tokens) -> None:
    """What a stream looks up is its own request's, like what the view before it looked up."""
    views = ("stream", "many")
    with start() as running:
        assert load(running, CLIENTS, views, 20, tokens) == []
        stats = running.stats()
    check_isolation(stats)
    assert stats["without_scope"] == 0
    check_statements(stats["statements"], asked(CLIENTS, views, 20))
    check_log(running)


def test_clients_that_leave_in_the_middle_of_a_stream(start: Start, tokens: Tokens) -> None:
    with start() as running:
        for _ in range(5):
            with closing(running.connect()) as connection:
                body = json.dumps({"pairs": list(tokens)})
                headers = {"Content-Type": "application/json"}
                connection.request("POST", "/stream?filled=yes", body, headers)
                assert connection.getresponse().read(1_000)
                # Closed with unread data in it, so that the server hears of it at once.
                reset = struct.pack("ii", 1, 0)
                assert connection.sock is None or not connection.sock.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, reset
                )
        assert load(running, 2, ("many",), 5, tokens) == []
        stats = running.stats()
    assert stats["started"] == stats["finished"] == 15
    assert stats["unclosed_scopes"] == 0
    assert max(map(int, stats["statements"]["stream"])) < len(tokens)
    check_log(running)


def test_async_views_under_load(start: Start, tokens: Tokens) -> None:
    """Async views beside sync ones: what can be promised depends on the kind of threads.

    With real threads, every answer is right, and the loads of a view are one statement. With
    green threads (gevent, eventlet) Flask cannot run two async views at once: it runs each with
    `asyncio.run`, green threads share one real thread, and asyncio refuses a second event loop
    there. So the second of two async views fails with RuntimeError before its first line; no
    loader can change that. Promised is the rest: the async views that do run answer rightly and
    in one statement, as do all sync views beside them, and one after another all async views do.
    """
    views = ("gathered", "many")
    with start() as running:
        found = load(running, CLIENTS, views, 40, tokens)
        refused = [each for each in found if each.startswith("gathered: 500 ")]
        assert found == refused
        assert running.server.green or not refused
        assert load(running, 1, views, 20, tokens) == []
        stats = running.stats()
    check_isolation(stats)
    assert stats["without_scope"] == len(refused)
    if refused:
        assert stats["statements"]["gathered"].pop("0") == len(refused)
        assert errors_in(running.log) <= {
            "RuntimeError: asyncio.run() cannot be called",
            "RuntimeError: You cannot use AsyncToSync",
        }
    else:
        check_log(running)
    calls = asked(CLIENTS, views, 40) + asked(1, views, 20)
    check_statements(stats["statements"], calls - Counter(gathered=len(refused)))


def errors_in(log: Path) -> set[str]:
    """The beginnings of the last lines of the tracebacks in a log."""
    lines = re.findall(r"^[\w.]+(?:Error|Exception)\b.*", log.read_text(), re.MULTILINE)
    return {" ".join(line.split()[:5]) for line in lines}
