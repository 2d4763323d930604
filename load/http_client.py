"""A client that sends requests, and writes down what came of them."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from .records import OK, Request, Told

if TYPE_CHECKING:
    from locust.contrib.fasthttp import FastHttpSession

    from .mix import Client, Planned


_SHOWN: Final = 100  # characters of an answer that is none


class HttpClient:
    """One user.

    Args:
        session: Sends requests.
        client: Says which.
        think_seconds: Between two requests, on average.

    Attributes:
        requests: What was sent.
        orders: What was placed.
        is_busy: Whether a request is under way.
        is_over: Whether no more are to be sent.
    """

    def __init__(self, session: FastHttpSession, client: Client, think_seconds: float) -> None:
        self._session = session
        self._client = client
        self._planned = client.requests()
        self._think_seconds = think_seconds
        self.requests: list[Request] = []
        self.orders: list[Told] = []
        self.is_busy = self.is_over = False

    def send_next(self) -> None:
        """Thinks, and sends the next request, unless it is over."""
        time.sleep(self._client.thinks(self._think_seconds))
        if self.is_over:
            time.sleep(1.0)
            return
        self.is_busy = True
        try:
            self._send(next(self._planned))
        finally:
            self.is_busy = False

    def _send(self, planned: Planned) -> None:
        begin = time.monotonic()
        response = self._session.request(
            planned.method, planned.path, name=planned.name, json=planned.body
        )
        end = time.monotonic()
        data, queries = None, 0
        if response.status_code == OK:
            assert response.headers is not None  # noqa: S101 - an answer has some
            queries = int(str(response.headers["X-Queries"]))
            if not planned.path.startswith("/pages/"):
                data = json.loads(response.text or "")["data"]
            fault = planned.fault(data)
        else:
            fault = (response.text or "")[:_SHOWN]
        if planned.orders:
            fault = fault or self._note_orders(planned, data, begin, end)
        self.requests.append(
            Request(planned.name, begin, end - begin, response.status_code, queries, fault)
        )

    def _note_orders(self, planned: Planned, data: Any, begin: float, end: float) -> str:  # noqa: ANN401 - JSON
        fault = ""
        results = data or [{"message": "no answer"}] * len(planned.orders)
        for (what, units), result in zip(planned.orders, results, strict=True):
            told = result.get("order_id")
            self.orders.append(Told(told, what.symbol, what.exchange, units, begin, end))
            if told is None:
                fault = f"with a refused order: {result['message']}"
        return fault
