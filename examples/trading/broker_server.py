"""The broker that the application trades with: an HTTP server of its own.

It serves one account to clients of every broker at once; their paths differ.

As a process: `python -m examples.trading.broker_server --database FILE [--port N]`. It prints its
address, and serves until its standard input ends.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from .broker_account import BrokerAccount, OrderRefusedError
from .brokers.kite.server import API as KITE
from .brokers.ordinal.server import API as ORDINAL
from .brokers.wicker.server import API as WICKER
from .contract_sample import ContractTooSmallError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LARGEST_BODY = 1_000_000  # bytes
_APIS: Final = {route: api for api in (KITE, ORDINAL, WICKER) for route in api.routes}


class BrokerServer(ThreadingHTTPServer):
    """Serves one account.

    Args:
        account: The account.
        port: Where on the loopback interface; 0 for any free port.
    """

    daemon_threads = False  # so that closing the server waits for the answers under way

    def __init__(self, account: BrokerAccount, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.account = account

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    disable_nagle_algorithm = True
    timeout = 10  # seconds that a client may be silent

    def do_GET(self) -> None:
        """Answers a question."""
        self._answer()

    def do_POST(self) -> None:
        """Takes orders and subscriptions."""
        self._answer()

    def log_message(self, *_arguments: object) -> None:
        """Keeps the terminal free."""

    def _answer(self) -> None:
        status, answer = self._reply()
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _reply(self) -> tuple[int, dict[str, object]]:
        route = (self.command, self.path)
        if route not in _APIS:
            return 404, {"message": f"There is no {self.path}."}
        api, account = _APIS[route], cast("BrokerServer", self.server).account
        try:
            return 200, api.success(api.routes[route](account, self._document()))
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            return 400, api.failure(f"The message is not readable: {error!r}.")
        except OrderRefusedError as error:
            return 400, api.failure(str(error))

    def _document(self) -> object:
        length = int(self.headers["Content-Length"] or 0)
        if length > _LARGEST_BODY:
            raise ValueError(f"more than {_LARGEST_BODY} bytes")
        document: object = json.loads(self.rfile.read(length)) if length else None
        return document


@contextmanager
def running(server: BrokerServer) -> Iterator[str]:
    """Runs the server in a thread; gives its address."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.url
        finally:
            server.shutdown()
            thread.join()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the broker as a process."""
    parser = argparse.ArgumentParser(description="Serves a broker's account on loopback.")
    parser.add_argument("--database", type=Path, required=True, help="SQLite file of the contract")
    parser.add_argument("--port", type=int, default=0, help="by default any free one")
    options = parser.parse_args(arguments)
    try:
        account = BrokerAccount.with_a_history(options.database)
    except ContractTooSmallError as error:
        print(error, file=sys.stderr)  # noqa: T201 - it reports to the terminal
        return 1
    with running(BrokerServer(account, options.port)) as url:
        print(url, flush=True)  # noqa: T201 - it reports to the terminal
        with suppress(KeyboardInterrupt):
            sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
