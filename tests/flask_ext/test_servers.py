"""The extension under real servers, in processes of their own, with many clients at once."""

from __future__ import annotations

import json
import re
import socket
import struct
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.servers import (
    Running,
    Server,
    check_log,
    flask_server,
    gunicorn_workers,
    started,
    wait_for,
)

HERE = Path(__file__).parent

CLIENTS = 16
REQUESTS = 200  # of each client
KEYS = 12  # of each request

# The stream and the async view have tests of their own.
SYNC_VIEWS = ("many", "loop", "pool", "raises", "nothing")

Pairs = list[tuple[str, str]]
Tokens = dict[tuple[str, str], str]
Start = Any  # of a server: () -> context manager of Running

SERVERS = (flask_server("server_app"), *gunicorn_workers("server_app", threads=CLIENTS))

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(params=SERVERS, ids=lambda server: server.name)
def start(request: pytest.FixtureRequest, contract_file: Path, tmp_path: Path) -> Start:
    """Starts a server and stops it again; at the end it must have had nothing to complain of."""
    server: Server = request.param
    python = request.getfixturevalue("gunicorn25_python") if server.old else sys.executable
    environment = {
        "DATALOADERS_DATABASE_URI": f"sqlite:///{contract_file}",
        "DATALOADERS_ENGINE_OPTIONS": json.dumps({"pool_size": 2 * CLIENTS}),
    }
    return lambda: started(server, python, tmp_path / "server.log", environment, HERE)


def stats_of(running: Running) -> dict[str, Any]:
    """What the views have done, as soon as all requests are over."""
    found: dict[str, Any] = {}

    def settled() -> bool:
        found.update(running.get("/stats"))
        return bool(found["started"] == found["finished"])

    wait_for(settled, 20)
    return found


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
            status, body = running.post(connection, f"/{view}", {"pairs": pairs})
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
        stats = stats_of(running)
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
        stats = stats_of(running)
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
        stats = stats_of(running)
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
        stats = stats_of(running)
    check_isolation(stats)
    assert stats["without_scope"] == len(refused)
    if refused:
        assert stats["statements"]["gathered"].pop("0") == len(refused)
        assert errors_in(running.log) <= {
            "RuntimeError: asyncio.run() cannot be called",
            "RuntimeError: You cannot use AsyncToSync",
            # The coroutines of refused views were never awaited. Python says so when it frees them,
            # and cannot if a named tuple is being made just then, whose code has no builtins.
            "KeyError: '__import__'",
        }
    else:
        check_log(running)
    calls = asked(CLIENTS, views, 40) + asked(1, views, 20)
    check_statements(stats["statements"], calls - Counter(gathered=len(refused)))


def errors_in(log: Path) -> set[str]:
    """The beginnings of the last lines of the tracebacks in a log."""
    lines = re.findall(r"^[\w.]+(?:Error|Exception)\b.*", log.read_text(), re.MULTILINE)
    return {" ".join(line.split()[:5]) for line in lines}
