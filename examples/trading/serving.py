"""Runs the application and its broker on the loopback interface, for as long as they are needed."""

from __future__ import annotations

import threading
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from werkzeug.serving import WSGIRequestHandler, make_server

from . import exact_json
from .app import MODE, close_app, create_app
from .metering import LOOKUPS_HEADER, QUERIES_HEADER
from .processes import server_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask


class _QuietHandler(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Keeps the terminal free."""


@contextmanager
def app_serving(
    database: str,
    broker_url: str,
    mode: str | None = None,
    broker: str = "kite",
    market_url: str = "",
) -> Iterator[str]:
    """Serves the application; gives its address.

    Args:
        database: SQLAlchemy's URL.
        broker_url: `TRADING_BROKER_URL`.
        mode: `DATALOADERS_MODE`; by default the environment's.
        broker: `TRADING_BROKER`.
        market_url: `TRADING_MARKET_URL`.
    """
    settings = {
        "TRADING_DATABASE_URI": database,
        "TRADING_BROKER": broker,
        "TRADING_BROKER_URL": broker_url,
        "TRADING_MARKET_URL": market_url,
    }
    if mode is not None:
        settings[MODE] = mode
    with serving(create_app(settings)) as url:
        yield url


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    """Serves an application of `create_app`, and closes it; gives its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_QuietHandler)
    if isinstance(server, ThreadingMixIn):
        server.daemon_threads = False  # so that closing the server waits for the answers under way
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        close_app(app)


@contextmanager
def broker_process(database: str) -> Iterator[str]:
    """Runs the broker as a process of its own; gives its address.

    Raises:
        ServerStartError: It does not start; why, it has written to the standard error itself.
    """
    arguments = ("--database", database)
    with server_process("examples.trading.broker_side.server", *arguments) as url:
        yield url


class Answer(NamedTuple):
    """What came back over HTTP."""

    status: int
    document: object
    lookups: int
    queries: int


def ask(url: str, method: str, path: str, body: str | None = None) -> Answer:
    """Sends one request to the application."""
    with closing(HTTPConnection(urlsplit(url).netloc, timeout=30)) as connection:
        headers = {} if body is None else {"Content-Type": "application/json"}
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return Answer(
            response.status,
            exact_json.loads(response.read()),
            int(response.headers[LOOKUPS_HEADER]),
            int(response.headers[QUERIES_HEADER]),
        )
