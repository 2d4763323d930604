"""The broker that the application trades with: an HTTP server of its own.

As a process: `python -m examples.trading.broker_side.server --database URL [--port N]`. It prints
its address, and serves until its standard input ends.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, cast

from examples.trading.contract_sample import ContractTooSmallError

from .account import BrokerAccount
from .replies import reply_to

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LARGEST_BODY = 1_000_000  # bytes


class BrokerServer(ThreadingHTTPServer):
    """Serves one account.

    Args:
        account: The account.
        port: Where on the loopback interface; 0 for any free port.
    """

    daemon_threads = False  # so that closing the server waits for the answers under way
    request_queue_size = 128

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
        account = cast("BrokerServer", self.server).account
        length = int(self.headers["Content-Length"] or 0)
        if length > _LARGEST_BODY:
            self.close_connection = True
            status, answer = 413, {"message": f"More than {_LARGEST_BODY} bytes."}
        else:
            status, answer = reply_to(account, self.command, self.path, self.rfile.read(length))
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


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
    parser.add_argument("--database", required=True, help="SQLAlchemy's URL of the master contract")
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
