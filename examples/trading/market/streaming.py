"""The WebSocket on which clients hear of prices.

They send `{"action": "subscribe", "mode": "ltp", "symbols": [{"symbol": …, "exchange": …}, …]}` or
`{"action": "unsubscribe", "symbols": […]}`, and are answered when the broker has been told; from
then on they are sent prices.
"""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from flask_sock import Sock  # type: ignore[import-untyped]  # it has no types
from simple_websocket import ConnectionClosed

from examples.trading import exact_json
from examples.trading.requests import InvalidRequestError, parse_subscription, parse_symbols

from .outbox import Outbox

if TYPE_CHECKING:
    from flask import Flask
    from simple_websocket import Server

    from .feed import PriceFeed


def add_stream(app: Flask, feed: PriceFeed) -> None:
    """Adds the endpoint `/feed`."""
    sock = Sock(app)

    @sock.route("/feed")  # type: ignore[untyped-decorator]  # as above
    def _serve(socket: Server) -> None:
        feed.start()
        outbox = Outbox()
        threading.Thread(target=_send_prices, args=(socket, outbox), daemon=True).start()
        try:
            # Who leaves while it is answered has closed the socket under our hands.
            with suppress(OSError):
                while True:
                    socket.send(json.dumps(_answer(feed, outbox, socket.receive() or "")))
        finally:
            feed.drop(outbox)
            outbox.close()


def _send_prices(socket: Server, outbox: Outbox) -> None:
    with suppress(ConnectionClosed, OSError):
        while prices := outbox.take():
            rows = [
                {"symbol": symbol, "exchange": exchange, "ltp": str(price)}
                for (symbol, exchange), price in prices.items()
            ]
            socket.send(json.dumps({"type": "prices", "prices": rows}))


def _answer(feed: PriceFeed, outbox: Outbox, text: str | bytes) -> dict[str, Any]:
    """Does what a client wants; returns what it is to be told of that."""
    try:
        document = exact_json.loads(text)
        if isinstance(document, dict) and document.get("action") == "unsubscribe":
            pairs = [(each.symbol, each.exchange) for each in parse_symbols(document)]
            feed.unsubscribe(outbox, pairs)
            return {"type": "unsubscribed", "count": len(pairs)}
        mode, wanted = parse_subscription(document)
    except (InvalidRequestError, ValueError) as error:
        return {"type": "error", "message": str(error)}
    pairs = [(each.symbol, each.exchange) for each in wanted]
    outcomes = feed.subscribe(outbox, pairs, mode).result()
    errors = [
        {"symbol": symbol, "exchange": exchange, "message": str(error)}
        for (symbol, exchange), error in outcomes.items()
        if error is not None
    ]
    return {"type": "subscribed", "count": len(outcomes) - len(errors), "errors": errors}
