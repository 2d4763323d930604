"""The broker that the application trades with: an HTTP server of its own.

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
from typing import TYPE_CHECKING, Any, cast

from .broker_account import BrokerAccount, OrderRefusedError
from .contract_sample import ContractTooSmallError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_LARGEST_BODY = 1_000_000  # bytes


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
        self._answer(_READS)

    def do_POST(self) -> None:
        """Takes orders and subscriptions."""
        self._answer(_WRITES)

    def log_message(self, *_arguments: object) -> None:
        """Keeps the terminal free."""

    def _answer(self, routes: dict[str, Callable[[BrokerAccount, Any], object]]) -> None:
        account = cast("BrokerServer", self.server).account
        try:
            document = self._document()
            if self.path in routes:
                status, answer = 200, _success(routes[self.path](account, document))
            else:
                status, answer = 404, _failure(f"There is no {self.path}.")
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            status, answer = 400, _failure(f"The message is not readable: {error!r}.")
        except OrderRefusedError as error:
            status, answer = 400, _failure(str(error))
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _document(self) -> object:
        length = int(self.headers["Content-Length"] or 0)
        if length > _LARGEST_BODY:
            raise ValueError(f"more than {_LARGEST_BODY} bytes")
        document: object = json.loads(self.rfile.read(length)) if length else None
        return document


def _positions(account: BrokerAccount, _document: None) -> object:
    return {"net": account.positions, "day": []}


def _orders(account: BrokerAccount, _document: None) -> object:
    return account.orders()


def _place(account: BrokerAccount, document: list[dict[str, Any]]) -> object:
    return [_placement(account, order) for order in document]


def _placement(account: BrokerAccount, order: dict[str, Any]) -> object:
    try:
        return {"order_id": account.place(order)}
    except OrderRefusedError as error:
        return {"error": {"code": 400, "error_type": "InputException", "message": str(error)}}


def _subscribe(account: BrokerAccount, document: dict[str, Any]) -> object:
    mode, tokens = document["v"] if document.get("a") == "mode" else ("", [])
    account.check_tokens(tokens)
    return {"mode": mode, "tokens": tokens}


_READS: dict[str, Callable[[BrokerAccount, Any], object]] = {
    "/portfolio/positions": _positions,
    "/orders": _orders,
}
_WRITES: dict[str, Callable[[BrokerAccount, Any], object]] = {
    "/orders/basket": _place,
    "/ticker/subscriptions": _subscribe,
}


def _success(data: object) -> dict[str, object]:
    return {"status": "success", "data": data}


def _failure(message: str) -> dict[str, object]:
    return {"status": "error", "error_type": "InputException", "message": message, "data": None}


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
