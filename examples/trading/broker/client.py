"""The broker's HTTP interface."""

from __future__ import annotations

import json
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urlsplit

from examples.trading import exact_json

from .payloads import BrokerOrder, BrokerPosition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .payloads import NewOrder, Placement, SubscriptionMessage

    Row = TypeVar("Row")


class BrokerError(Exception):
    """The broker cannot be reached, refuses, or sends what it should not."""


class BrokerClient:
    """Asks the broker.

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

    def positions(self) -> list[BrokerPosition]:
        """Returns the net positions."""
        data = self._ask("GET", "/portfolio/positions")
        net = data.get("net") if isinstance(data, dict) else None
        return _rows(net, BrokerPosition, "position book")

    def orders(self) -> list[BrokerOrder]:
        """Returns the day's orders."""
        return _rows(self._ask("GET", "/orders"), BrokerOrder, "order book")

    def place(self, orders: Sequence[NewOrder]) -> list[Placement]:
        """Places orders in one call; returns what became of each, in their order."""
        placements = self._ask("POST", "/orders/basket", orders)
        if not isinstance(placements, list) or len(placements) != len(orders):
            raise BrokerError(f"The broker did not answer for each of {len(orders)} orders.")
        return placements

    def subscribe(self, message: SubscriptionMessage) -> None:
        """Says which instruments' prices are to be sent."""
        self._ask("POST", "/ticker/subscriptions", message)

    def _ask(self, method: str, path: str, document: object = None) -> object:
        body = None if document is None else json.dumps(document)
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            with closing(
                HTTPConnection(self._host, self._port, timeout=self._timeout)
            ) as connection:
                connection.request(method, path, body, headers)
                answer = exact_json.loads(connection.getresponse().read())
        except OSError as error:
            raise BrokerError(f"The broker cannot be reached: {error}.") from error
        except (HTTPException, ValueError) as error:
            raise BrokerError(f"The broker's answer is not readable: {error!r}.") from error
        if not isinstance(answer, dict) or answer.get("status") != "success":
            message = answer.get("message") if isinstance(answer, dict) else None
            raise BrokerError(f"The broker refused: {message or 'it gave no reason'}")
        data: object = answer.get("data")
        return data


def _rows(data: object, kind: type[Row], name: str) -> list[Row]:
    fields: frozenset[str] = cast("Any", kind).__required_keys__
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        raise BrokerError(f"The broker's {name} is no list of objects.")
    for index, row in enumerate(data):
        if missing := sorted(fields - row.keys()):
            raise BrokerError(f"Row {index} of the broker's {name} has no {', '.join(missing)}.")
    return data
