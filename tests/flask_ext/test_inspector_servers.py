"""The inspector under real servers: many clients, several processes, sockets that stay open."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from websockets.sync.client import connect

from dataloaders.observe import recording
from tests.flask_ext.inspecting import ROOT, Document, figures_of, rows_of
from tests.servers import (
    Running,
    Server,
    check_log,
    flask_server,
    gunicorn_workers,
    started,
    wait_for,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from http.client import HTTPConnection
    from pathlib import Path

APPLICATION = "tests.flask_ext.inspected_app"

CLIENTS = 16

(THREADED, *GREEN) = gunicorn_workers(APPLICATION, threads=CLIENTS)

SERVERS = (flask_server(APPLICATION, debug=True), THREADED, *GREEN)

WORKERS = 3

SEVERAL = Server(
    "workers",
    (
        *("gunicorn", f"--workers={WORKERS}", "--preload", "--bind=127.0.0.1:0"),
        *("--no-control-socket", f"{APPLICATION}:app", "--worker-class=gthread", "--threads=4"),
    ),
    exit_code=0,
)

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def start(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Callable[..., AbstractContextManager[Running]]:
    """Starts a server and stops it again; at the end it must have had nothing to complain of."""

    @contextmanager
    def starting(server: Server, **settings: str) -> Iterator[Running]:
        python = request.getfixturevalue("gunicorn25_python") if server.old else sys.executable
        environment = {"DATALOADERS_INSPECTOR_KEYS": "on", **settings}
        with started(server, python, tmp_path / "server.log", environment) as running:
            yield running
        check_log(running)

    return starting


def get(connection: HTTPConnection, path: str) -> tuple[int, str]:
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, response.read().decode()


def wrong_rows(page: str) -> list[str]:
    """What is wrong with the rows of the list: each says itself how many keys it asked for."""
    found = []
    for row in rows_of(page):
        asked = re.fullmatch(r"GET /look/(\d+)", row["Request"])
        if asked is None:
            found.append(f"a row of {row}")
            continue
        count = int(asked[1])
        expected = (count, 1, count - 1)
        if (int(row["Lookups"]), int(row["Queries"]), int(row["Saved"])) != expected:
            found.append(f"{row} in place of {expected}")
    return found


def wrong_page(page: str) -> list[str]:
    """What is wrong with the page of a request."""
    text = Document(page).text
    asked = re.search(r"GET /look/(\d+)", text)
    if asked is None:
        return [f"no name in {text}"]
    figures = figures_of(page)
    count = int(asked[1])
    found = []
    if (figures["Lookups"], figures["Queries"]) != (str(count), "1"):
        found.append(f"{figures} in place of {count}")
    if f"{count} asked for;" not in text or f"{count} key" not in text:
        found.append(f"not {count} in {text}")
    return found


def visit(running: Running, number: int, requests: int) -> tuple[Counter[int], list[str]]:
    """One user, who asks and reads what the inspector says; returns what was asked and is wrong."""
    random = Random(number)
    asked: Counter[int] = Counter()
    found: list[str] = []
    with closing(running.connect()) as connection:
        for each in range(requests):
            count = random.randrange(1, 60)
            asked[count] += 1
            status, body = get(connection, f"/look/{count}")
            if (status, body) != (200, str(count * (count - 1))):
                found.append(f"{status} {body}")
            if each % 10 == number % 10:
                _, page = get(connection, ROOT)
                found += wrong_rows(page)
                links = re.findall(r'href="([^"]+/requests/[^"]+)"', page)
                status, page = get(connection, random.choice(links))
                found += wrong_page(page) if status == 200 else []  # gone by now
    return asked, found


def visit_at_once(running: Running, clients: int, requests: int) -> Counter[int]:
    asked: Counter[int] = Counter()
    with ThreadPoolExecutor(clients) as executor:
        calls = [executor.submit(visit, running, each, requests) for each in range(clients)]
        for call in calls:
            counted, found = call.result()
            assert found == []
            asked += counted
    return asked


def totals_of(running: Running) -> dict[str, Any]:
    totals: dict[str, Any] = running.get(f"{ROOT}totals.json")
    return totals


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.name)
def test_pages_are_right_while_they_are_read(
    start: Callable[..., AbstractContextManager[Running]], server: Server
) -> None:
    with start(server) as running:
        asked = visit_at_once(running, CLIENTS, 30)
        scopes = sum(asked.values())
        wait_for(lambda: totals_of(running)["look"]["scopes"] == scopes, 10)
        of_view = totals_of(running)["look"]
        assert of_view["scopes"] == scopes
        counts = of_view["loaders"]["Doubles"]
        assert counts["lookups"] == sum(count * times for count, times in asked.items())
        assert counts["queries"] == scopes
        with closing(running.connect()) as connection:
            assert len(rows_of(get(connection, ROOT)[1])) == 50


def test_the_process_grows_no_more_once_it_keeps_what_it_may(
    start: Callable[..., AbstractContextManager[Running]],
) -> None:
    with start(THREADED) as running:
        sizes = []
        for _ in range(4):
            visit_at_once(running, CLIENTS, 60)
            sizes.append(running.get("/resident")["bytes"])
        # The first round is the warm-up. Ten records of the last ones are about a megabyte.
        assert max(sizes[2:]) - sizes[1] < 4_000_000, sizes


def test_each_worker_shows_its_own_requests(
    start: Callable[..., AbstractContextManager[Running]],
) -> None:
    with start(SEVERAL, DATALOADERS_INSPECTOR_REQUESTS="500") as running:
        asked = visit_at_once(running, 8, 10)
        seen: dict[str, str] = {}

        def look() -> bool:
            with closing(running.connect()) as connection:
                _, page = get(connection, ROOT)
            number = re.search(r"Of this process \(number (\d+)\)", page)
            assert number is not None
            seen[number[1]] = page
            return len(seen) == WORKERS

        assert wait_for(look, 20)
        counts: Counter[int] = Counter()
        links = set()
        for number, page in seen.items():
            own = re.findall(r'href="[^"]+/requests/(\d+)-(\d+)"', page)
            assert {process for process, _ in own} <= {number}
            links |= set(own)
            counts += Counter(
                int(row["Request"].removeprefix("GET /look/")) for row in rows_of(page)
            )
        assert counts == asked
        assert len(links) == sum(asked.values())
        # Whichever worker is asked, it has the request, or says that another one may.
        path = f"{ROOT}requests/{'-'.join(next(iter(links)))}"
        answers = set()

        def ask() -> bool:
            with closing(running.connect()) as connection:
                status, page = get(connection, path)
            answers.add(status)
            assert status == 200 or "another worker" in page
            return answers == {200, 404}

        assert wait_for(ask, 20)


def test_workers_share_a_recording(
    start: Callable[..., AbstractContextManager[Running]], tmp_path: Path
) -> None:
    path = tmp_path / "record.jsonl"
    with start(SEVERAL, DATALOADERS_RECORD=str(path)) as running:
        asked = visit_at_once(running, 8, 50)
        wait_for(lambda: path.read_text().count("\n") == sum(asked.values()), 10)
    lines = path.read_text().splitlines()
    lookups: Counter[int] = Counter()
    for line in map(json.loads, lines):
        lookups[line["loaders"]["Doubles"]["lookups"]] += 1
    assert lookups == asked
    totals = recording.read(str(path))
    assert totals.scopes == {"look": sum(asked.values())}


def test_long_lines_of_a_recording_are_whole(
    start: Callable[..., AbstractContextManager[Running]], tmp_path: Path
) -> None:
    path = tmp_path / "record.jsonl"
    with start(SEVERAL, DATALOADERS_RECORD=str(path)) as running:

        def ask(count: int) -> int:
            with closing(running.connect()) as connection:
                return get(connection, f"/wide/{count}")[0]

        counts = [Random(number).randrange(1, 300) for number in range(60)]
        with ThreadPoolExecutor(8) as executor:
            assert set(executor.map(ask, counts)) == {200}
        wait_for(lambda: path.read_text().count("\n") == len(counts), 10)
    lines = path.read_text().splitlines()
    assert max(map(len, lines)) > 100_000
    assert Counter(len(json.loads(line)["loaders"]) for line in lines) == Counter(counts)


def test_a_websocket_is_one_request_until_it_closes(
    start: Callable[..., AbstractContextManager[Running]],
) -> None:
    with start(THREADED) as running:
        with connect(f"ws://127.0.0.1:{running.port}/socket") as socket:
            for number in range(5):
                socket.send(str(number))
                assert socket.recv() == str(number * 2)
            with closing(running.connect()) as connection:
                assert rows_of(get(connection, ROOT)[1]) == []

        def rows() -> list[dict[str, str]]:
            with closing(running.connect()) as connection:
                return rows_of(get(connection, ROOT)[1])

        assert wait_for(lambda: len(rows()), 10) == 1
        (row,) = rows()
        assert (row["Request"].split("\n")[0], row["Lookups"]) == ("GET /socket", "5")
