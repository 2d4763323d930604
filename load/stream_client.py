"""A client that listens to prices, and checks which contract's token each price is of."""

from __future__ import annotations

import json
import random
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from examples.trading.simulator.prices import paise

from .records import Seen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from websockets.sync.client import ClientConnection

    from .contracts import Known, Market

POPULAR: Final = 40
"""Instruments that clients listen to: so few that somebody always does."""

_WATCHED: Final = 10
_SECONDS: Final = (1.0, 4.0)
_AGE: Final = 8  # seconds that a price may have been on its way
_CURRENCIES: Final = ("CDS", "BCD")


class StreamClient:
    """One client of `/feed`.

    Args:
        url: Where the application is.
        market: What can be listened to.
        seed: Of the run.
        number: Of the client.

    Attributes:
        prices: The first price of each contract, of each subscription.
        subscriptions: How many there were.
        is_busy: Whether it is connected.
        is_over: Whether it is to come no more.
    """

    def __init__(self, url: str, market: Market, seed: int, number: int) -> None:
        self._url = f"ws://{urlsplit(url).netloc}/feed"
        plain = [each for each in market.tradable if each.exchange not in _CURRENCIES]
        self._popular = random.Random(seed).sample(plain, POPULAR)  # noqa: S311 - no secret
        self._draw = random.Random(f"{seed}/stream/{number}")  # noqa: S311 - no secret
        self.prices: list[Seen] = []
        self.subscriptions = 0
        self.is_busy = self.is_over = False

    def listen(self) -> None:
        """Connects, subscribes, listens for a while, unsubscribes some, and leaves."""
        if self.is_over:
            time.sleep(1.0)
            return
        self.is_busy = True
        watched = self._draw.sample(self._popular, _WATCHED)
        begin = time.monotonic()
        try:
            with connect(self._url, compression=None) as socket:
                self._subscribe(socket, watched, begin)
        except (OSError, WebSocketException) as error:
            self.prices.append(Seen((), begin, time.monotonic(), f"{error!r}"))
        finally:
            self.is_busy = False

    def _subscribe(self, socket: ClientConnection, watched: Sequence[Known], begin: float) -> None:
        mode = self._draw.choice(("ltp", "quote", "full"))
        socket.send(json.dumps({"action": "subscribe", "mode": mode, "symbols": _pairs(watched)}))
        until = begin + self._draw.uniform(*_SECONDS)
        by_pair = {(each.symbol, each.exchange): each for each in watched}
        noted: set[tuple[tuple[int, ...], str]] = set()
        while (left := until - time.monotonic()) > 0:
            try:
                document = json.loads(socket.recv(left))
            except TimeoutError:
                break
            if document["type"] == "subscribed":
                self.subscriptions += document["count"]
            for row in document.get("prices", ()):
                self._note(by_pair[row["symbol"], row["exchange"]], row, begin, noted)
        some = watched[: self._draw.randint(1, _WATCHED - 1)]
        socket.send(json.dumps({"action": "unsubscribe", "symbols": _pairs(some)}))

    def _note(
        self,
        what: Known,
        row: dict[str, Any],
        begin: float,
        noted: set[tuple[tuple[int, ...], str]],
    ) -> None:
        contracts = _contracts_of(what, round(100 * float(row["ltp"])), int(time.time()))
        if (contracts, what.symbol) not in noted:
            noted.add((contracts, what.symbol))
            self.prices.append(Seen(contracts, begin, time.monotonic(), what.symbol))


def _contracts_of(what: Known, price: int, now: int) -> tuple[int, ...]:
    """Returns the contracts whose tokens have had such a price of late; by chance, several."""
    return tuple(
        number
        for number, token in enumerate(what.tokens)
        if any(paise(token, at) == price for at in range(now - _AGE, now + 1))
    )


def _pairs(instruments: Sequence[Known]) -> list[dict[str, str]]:
    return [{"symbol": each.symbol, "exchange": each.exchange} for each in instruments]
