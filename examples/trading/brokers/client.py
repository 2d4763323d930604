"""The brokers' HTTP interface, as far as it is the same for all."""

from __future__ import annotations

import json
from contextlib import closing
from functools import cache
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any, get_type_hints, is_typeddict
from urllib.parse import urlsplit

from examples.trading import exact_json

from .errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .broker import Book, Broker


class BrokerClient:
    """Asks a broker.

    Args:
        url: Where it is, `http://host:port`.
        broker: Which it is.
        timeout: How long, in seconds, it may be silent.
    """

    def __init__(self, url: str, broker: Broker, timeout: float = 5.0) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname is None:
            raise ValueError(f"The broker's address must be http://host:port, and not {url!r}.")
        self._host, self._port = parts.hostname, parts.port
        self._timeout = timeout
        self.broker = broker

    def rows(self, book: Book) -> list[Any] | dict[str, Any]:
        """Returns a book's rows as the broker sends them, each with all of its fields.

        Raises:
            BrokerError: They are not to be had.
        """
        rows = self._ask("GET", book.path)
        for field in book.at:
            rows = rows.get(field) if isinstance(rows, dict) else None
        if not isinstance(rows, list | dict):
            raise BrokerError(f"The broker's {book.path} has no rows.")
        for place, row in rows.items() if isinstance(rows, dict) else enumerate(rows):
            _check(row, book.row, f"Row {place} of the broker's {book.path}")
        return rows

    def place(self, orders: Sequence[object]) -> list[dict[str, Any]]:
        """Places orders in one call; returns the broker's answer for each, in their order.

        Raises:
            BrokerError: There are no such answers.
        """
        answers = self._ask("POST", self.broker.basket_path, orders)
        if (
            not isinstance(answers, list)
            or len(answers) != len(orders)
            or not all(isinstance(answer, dict) for answer in answers)
        ):
            raise BrokerError(f"The broker did not answer for each of {len(orders)} orders.")
        return answers

    def subscribe(self, message: object) -> None:
        """Says which instruments' prices are to be sent.

        Raises:
            BrokerError: The broker did not take it.
        """
        self._ask("POST", self.broker.feed_path, message)

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
        if not isinstance(answer, dict):
            raise BrokerError("The broker's answer is no object.")
        return self.broker.unwrap(answer)


def _check(value: object, kind: Any, name: str) -> None:  # noqa: ANN401 - a type, or what stands for one
    """Refuses an object that lacks a field, in itself or in an object inside it."""
    if not is_typeddict(kind):
        return
    if not isinstance(value, dict):
        raise BrokerError(f"{name} is no object.")
    if missing := sorted(kind.__required_keys__ - value.keys()):
        raise BrokerError(f"{name} has no {', '.join(missing)}.")
    for field in kind.__required_keys__:
        _check(value[field], _fields(kind)[field], f"{name}, {field},")


_fields = cache(get_type_hints)
