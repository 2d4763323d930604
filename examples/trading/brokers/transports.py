"""The ways to a broker: over HTTP, or to one in this very process."""

from __future__ import annotations

import json
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from examples.trading.broker_side.replies import reply_to

from .errors import BrokerError

if TYPE_CHECKING:
    from examples.trading.broker_side.account import BrokerAccount


class Transport(Protocol):
    """Brings a request to a broker."""

    def ask(self, method: str, target: str, body: bytes) -> bytes:
        """Returns the body of the answer.

        Raises:
            BrokerError: There is none.
        """


class HttpTransport:
    """Asks a broker over HTTP, on a connection for each request.

    Args:
        url: Where it is, `http://host:port`.
        timeout: How long, in seconds, it may be silent.
    """

    def __init__(self, url: str, timeout: float = 5.0) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname is None:
            raise ValueError(f"The broker's address must be http://host:port, and not {url!r}.")
        self._host, self._port = parts.hostname, parts.port
        self._timeout = timeout

    def ask(self, method: str, target: str, body: bytes) -> bytes:
        """Returns the body of the answer; see `Transport`."""
        headers = {"Content-Type": "application/json"} if body else {}
        connection = HTTPConnection(self._host, self._port, timeout=self._timeout)
        try:
            with closing(connection):
                connection.request(method, target, body or None, headers)
                return connection.getresponse().read()
        except OSError as error:
            raise BrokerError(f"The broker cannot be reached: {error}.") from error
        except HTTPException as error:
            raise BrokerError(f"The broker's answer is not readable: {error!r}.") from error


class MemoryTransport:
    """Asks a broker without a wire, so that what is measured is the application alone.

    Args:
        account: The account that the broker keeps.
    """

    def __init__(self, account: BrokerAccount) -> None:
        self._account = account

    def ask(self, method: str, target: str, body: bytes) -> bytes:
        """Returns the body of the answer; see `Transport`."""
        _status, document = reply_to(self._account, method, target, body)
        return json.dumps(document).encode()
