"""`flask dataloaders report`: totals of a running application, and of a recorded file."""

from __future__ import annotations

import json
import re
import socket
import threading
from typing import TYPE_CHECKING

import pytest
from flask import Flask, redirect, request
from werkzeug.serving import make_server

from dataloaders.symbols import get_token
from flask_dataloaders import DataLoaders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click.testing import Result
    from sqlalchemy import Engine

NAMES = ("RELIANCE", "TCS", "NO SUCH SYMBOL")
REQUESTS = 4


def make_app(engine: Engine | None, **settings: object) -> Flask:
    app = Flask("app")
    app.config |= {f"DATALOADERS_{name}": value for name, value in settings.items()}
    DataLoaders(app, engine=engine)

    @app.get("/orders")
    def orders() -> list[str | None]:
        names = [*NAMES, NAMES[0]]  # the last one is known by then
        return [get_token(name, "NSE") for name in names]

    return app


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["dataloaders", "report", *arguments])


def figures(output: str) -> dict[str, str]:
    """Returns the figures above the table."""
    above, _, _ = output.partition("\n\n")
    return dict(re.split(r"  +", line, maxsplit=1) for line in above.splitlines())


def row(output: str, name: str) -> list[str]:
    (line,) = [line for line in output.splitlines() if line.split()[:1] == [name]]
    return line.split()[1:]


def check(output: str, queries: int) -> None:
    lookups = REQUESTS * (len(NAMES) + 1)
    found = figures(output)
    assert found["total operations"] == f"{lookups} lookups in {REQUESTS} requests"
    assert found["queries"] == str(queries)
    assert found["queries saved"] == str(lookups - queries)
    assert re.fullmatch(r"\d+\.\d\d ms", found["average query time"])
    assert float(found["average query time"].split()[0]) > 0
    assert row(output, "orders") == [str(REQUESTS)]
    assert row(output, "SymbolLoader")[:3] == [
        str(lookups),
        str(queries),
        str(lookups - queries),
    ]


def test_a_recorded_file(engine: Engine, statements: list[str], tmp_path: Path) -> None:
    app = make_app(engine, RECORD=str(tmp_path / "requests.jsonl"))
    client = app.test_client()
    for _ in range(REQUESTS):
        assert client.get("/orders").status_code == 200
    named = run(make_app(None), str(tmp_path / "requests.jsonl"))
    by_setting = run(app)
    assert named.exit_code == by_setting.exit_code == 0
    assert named.output == by_setting.output
    check(named.output, len(statements))


def test_a_file_that_each_request_adds_a_line_to(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    for _ in range(2):  # as if the application were started again
        make_app(engine, RECORD=str(path)).test_client().get("/orders")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["name"] for line in lines] == ["GET /orders"] * 2
    assert [line["loaders"]["SymbolLoader"]["lookups"] for line in lines] == [4, 4]
    assert all(name not in path.read_text() for name in NAMES)


@pytest.mark.parametrize(
    "line",
    ["no json", "{}", "[]", "7", '{"group": "a", "findings": [], "loaders": {"L": {"lookup": 1}}}'],
)
def test_a_file_that_is_no_recording(tmp_path: Path, line: str) -> None:
    path = tmp_path / "requests.jsonl"
    path.write_text(f"{line}\n")
    result = run(make_app(None), str(path))
    assert result.exit_code == 1
    assert "line 1 of" in result.output
    assert "is no line of a recording" in result.output


def test_nothing_to_report(tmp_path: Path) -> None:
    missing = run(make_app(None), str(tmp_path / "nothing"))
    assert (missing.exit_code, "No such file" in missing.output) == (1, True)
    unsaid = run(make_app(None))
    assert (unsaid.exit_code, "DATALOADERS_RECORD" in unsaid.output) == (2, True)
    (tmp_path / "empty").touch()
    empty = run(make_app(None), str(tmp_path / "empty"))
    assert figures(empty.output)["total operations"] == "0 lookups in 0 requests"


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    from dataloaders.errors import ConfigurationError

    with pytest.raises(ConfigurationError, match="a file that can be written"):
        make_app(None, RECORD=str(tmp_path / "no folder" / "file"))


@pytest.fixture
def serve() -> Iterator[Callable[[Flask], str]]:
    servers = []

    def start(app: Flask) -> str:
        server = make_server("127.0.0.1", 0, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_running_application(
    engine: Engine, statements: list[str], serve: Callable[[Flask], str]
) -> None:
    def may_see() -> bool:
        return request.headers.get("X-Who") == "operations"

    app = make_app(engine, INSPECTOR=may_see)
    for _ in range(REQUESTS):
        app.test_client().get("/orders")
    address = serve(app)
    for form in (address, f"{address}/", f"{address}/_dataloaders/"):
        told = run(make_app(None), form, "--header", "X-Who: operations")
        assert told.exit_code == 0, told.output
        check(told.output, len(statements))
    refused = run(make_app(None), address)
    assert refused.exit_code == 1
    assert "not for you" in refused.output
    assert "DATALOADERS_INSPECTOR" in refused.output
    wrong = run(make_app(None), address, "--header", "operations")
    assert wrong.exit_code == 2
    assert "NAME:VALUE" in wrong.output


def test_headers_go_to_nobody_else(serve: Callable[[Flask], str]) -> None:
    """A token for the application is none for whom it sends its users to, to log in."""
    seen = []
    other = Flask("other")

    @other.get("/<path:_page>")
    def log_in(_page: str) -> str:
        seen.append(request.headers)
        return ""

    elsewhere = serve(other).replace("127.0.0.1", "localhost")
    app = Flask("app")
    app.before_request(lambda: redirect(f"{elsewhere}/log-in"))
    told = run(make_app(None), serve(app), "--header", "Authorization: Bearer token")
    assert told.exit_code == 1
    assert f"redirects to {elsewhere}/log-in" in told.output
    assert seen == []


def test_a_server_that_speaks_something_else() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1_000)
                connection.sendall(b"220 mail.example.test\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        told = run(make_app(None), f"http://127.0.0.1:{server.getsockname()[1]}")
        thread.join()
    assert told.exit_code == 1
    assert told.output.startswith("Error: http://127.0.0.1")


def test_names_in_a_file_do_nothing_to_the_terminal(tmp_path: Path) -> None:
    line = {"group": "\x1b]0;a\x07", "findings": [], "loaders": {"\x1b[2J\u202e": {"lookups": 1}}}
    (tmp_path / "record").write_text(f"{json.dumps(line)}\n")
    runner = make_app(None).test_cli_runner()
    result = runner.invoke(args=["dataloaders", "report", str(tmp_path / "record")], color=True)
    assert result.exit_code == 0
    assert [each for each in result.output if not (each.isprintable() or each == "\n")] == []
    assert r"\x1b[2J\u202e" in result.output


def test_an_address_without_totals(serve: Callable[[Flask], str]) -> None:
    other = Flask("other")
    other.add_url_rule("/<path:page>", view_func=lambda page: f"not {page}")
    assert "has no totals" in run(make_app(None), serve(other)).output
    for address in ("http://no host", "http://127.0.0.1:port", "http://[::1"):
        wrong = run(make_app(None), address)
        assert (wrong.exit_code, wrong.output.startswith("Error: ")) == (1, True), wrong.exception
    gone = run(make_app(None), "http://127.0.0.1:1")
    assert gone.exit_code == 1
    assert "refused" in gone.output
