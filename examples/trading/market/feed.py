"""The broker's prices, on one connection for all clients."""

from __future__ import annotations

import json
import logging
import threading
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from dataloaders.remote import Feed

from .outbox import Outbox, Pair
from .ticks import prices_in

if TYPE_CHECKING:
    from dataloaders.remote import Message
    from dataloaders.symbols import SymbolMaster

logger = logging.getLogger(__name__)

RETRY_SECONDS: Final = 0.5
"""How long to wait for the next try after a connection that was lost, or did not come about."""


RENEWAL_SECONDS: Final = 2.0
"""How often all tokens are looked up again, as the master contract may have been replaced."""


class PriceFeed(Feed[Outbox, Pair, int]):
    """Subscribes clients to prices by (symbol, exchange).

    Args:
        url: Where the broker is, `http://host:port`.
        account: `api_key:access_token`.
        master: Knows the tokens.
    """

    max_per_message = 200
    modes = ("ltp", "quote", "full")
    default_mode = "quote"
    max_keys = 3_000

    def __init__(self, url: str, account: str, master: SymbolMaster) -> None:
        super().__init__()
        api_key, _, access_token = account.partition(":")
        query = urlencode({"api_key": api_key, "access_token": access_token})
        self._url = f"ws://{urlsplit(url).netloc}/ws?{query}"
        self._master = master
        self._is_over = threading.Event()
        self._starting = threading.Lock()
        self._connecting: threading.Thread | None = None
        self._renewing: threading.Thread | None = None
        self._connection: ClientConnection | None = None

    def start(self) -> None:
        """Connects, if nobody has wanted that before, and again whenever it is necessary."""
        with self._starting:
            if self._connecting is None:
                self._connecting = threading.Thread(target=self._stay_connected, daemon=True)
                self._connecting.start()
                self._renewing = threading.Thread(target=self._stay_current, daemon=True)
                self._renewing.start()

    def close(self) -> None:
        """Ends the connection."""
        self._is_over.set()
        super().close()
        connection = self._connection
        if connection is not None:
            connection.close()
        for thread in (self._connecting, self._renewing):
            if thread is not None:
                thread.join()

    def resolve(self, keys: list[Pair]) -> dict[Pair, int]:
        """Asks for all tokens in one query, and not what was known a moment ago."""
        with self._master.scope():
            records = self._master.symbols.get_many(keys)
        return {
            key: int(record.token)
            for key, record in zip(keys, records, strict=True)
            if record is not None and record.token
        }

    def send(self, connection: ClientConnection, message: Message[int]) -> None:
        """Sends one of Kite's messages."""
        tokens = list(message.keys)
        value = [message.mode, tokens] if message.action == "mode" else tokens
        connection.send(json.dumps({"a": message.action, "v": value}))

    def _stay_current(self) -> None:
        while not self._is_over.wait(RENEWAL_SECONDS):
            self.renew()

    def _stay_connected(self) -> None:
        while not self._is_over.is_set():
            try:
                with connect(self._url, compression=None) as connection:
                    self._connection = connection
                    self._receive(connection)
            except (OSError, WebSocketException) as error:
                logger.info("The broker is gone, or not there yet: %r", error)
            except Exception:  # whatever it is, clients are still there
                logger.exception("The connection to the broker has failed.")
            self._is_over.wait(RETRY_SECONDS)

    def _receive(self, connection: ClientConnection) -> None:
        self.connected(connection)
        try:
            for message in connection:
                if isinstance(message, bytes):
                    for token, price in prices_in(message):
                        for client, pair, ltp in self.deliver(token, price):
                            client.put(pair, ltp)
        finally:
            self.disconnected(connection)
