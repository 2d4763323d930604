"""The commands of docs/deploying.md that start servers."""

from __future__ import annotations

import json
import socket
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine

from dataloaders.symbols import generate_contract, replace_contract
from tests.deploying.page import commands, write_programs
from tests.servers import Running, Server, check_log, started, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
CLIENTS = 40
REQUESTS = 5  # of each client
LEGS = 12

# A free port, in whatever way a server is asked for one.
PLACES = {
    "gunicorn": ("--bind=127.0.0.1:0", "--no-control-socket"),
    "uvicorn": ("--port=0",),
}

pytestmark = pytest.mark.timeout(180)


def servers() -> Iterator[Any]:
    for name, place in PLACES.items():
        for words in commands(f"{name} --"):
            *options, application = words[1:]
            module = application.removesuffix(":app")
            arguments = (name, *options, *place, "counted:app")
            server = Server(module, arguments, exit_code=0, old="eventlet" in options)
            yield pytest.param(server, id=" ".join(words))


@pytest.fixture
def contract_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with a contract: SQLite, where the last gunicorn with eventlet has no driver."""
    if request.getfixturevalue("server").old:
        url = f"sqlite:///{tmp_path / 'contract.db'}"
    else:
        url = request.getfixturevalue("postgresql_url")
    engine = create_engine(url)
    replace_contract(engine, generate_contract(1_000))
    engine.dispose()
    return url


def accepts(running: Running) -> bool:
    """Whether a server listens: uvicorn names its port before its workers do."""
    try:
        socket.create_connection(("127.0.0.1", running.port)).close()
    except ConnectionRefusedError:
        return False
    return True


def ask(running: Running, legs: list[dict[str, str]]) -> list[Any]:
    """Asks several times over one connection; returns the answers."""
    answers = []
    with closing(running.connect()) as connection:
        for _ in range(REQUESTS):
            status, body = running.post(connection, "/tokens", legs)
            answers.append(json.loads(body) if status == 200 else (status, body))
    return answers


@pytest.mark.parametrize("server", list(servers()))
def test_a_server_answers_each_request_by_one_statement(
    server: Server, contract_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    write_programs(tmp_path)
    record = tmp_path / "record"
    environment = {
        "DATABASE_URL": contract_url,
        "APPLICATION": server.name,
        "ENGINE_OF": "flask_app" if server.name == "wrapped_app" else server.name,
        "RECORD": str(record),
    }
    python = request.getfixturevalue("gunicorn25_python") if server.old else sys.executable
    rows = list(generate_contract(1_000))
    with started(server, python, tmp_path / "log", environment, HERE, tmp_path) as running:
        assert wait_for(lambda: accepts(running), 30)
        with ThreadPoolExecutor(CLIENTS) as clients:
            asked = [rows[number :: len(rows) // LEGS] for number in range(CLIENTS)]
            legs = [
                [{"symbol": str(row["symbol"]), "exchange": str(row["exchange"])} for row in some]
                for some in asked
            ]
            answers = list(clients.map(lambda some: ask(running, some), legs))
        for some, answer in zip(asked, answers, strict=True):
            assert answer == [[row["token"] for row in some]] * REQUESTS
        check_log(running)
    found: defaultdict[str, list[int]] = defaultdict(list)
    for line in record.read_text().splitlines():
        _process, what, number = line.split()
        found[what].append(int(number))
    # The first lookups at a place may take a statement more, before anything is learned of it.
    assert 0 <= len(found["sent"]) - CLIENTS * REQUESTS <= 2
    assert max(found["connections"]) <= 8
