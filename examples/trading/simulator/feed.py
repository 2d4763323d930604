"""The WebSocket: subscriptions come in, ticks go out."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import ClientConnectionResetError, WSMsgType, web

from .accounts import account_of_connection
from .broken_answers import reset_connection
from .errors import KiteError, TooManyRequestsError
from .log import Entry
from .packets import HEARTBEAT, packet_of
from .packets import message_of as message_of_packets
from .snapshot import Snapshot
from .subscriptions import MessageError, Subscriptions, message_of

if TYPE_CHECKING:
    from .instruments import Instruments
    from .log import Log

CONNECTIONS_PER_ACCOUNT: Final = 3
TICK_INTERVAL: Final = 1.0  # seconds


@dataclass(frozen=True, slots=True, eq=False)
class Connection:
    """An open WebSocket."""

    api_key: str
    request: web.Request
    socket: web.WebSocketResponse
    subscriptions: Subscriptions


class Feed:
    """The WebSockets of all accounts.

    Args:
        instruments: Those that have ticks; tokens of others may be subscribed, but nothing comes.
        log: Where connections and messages are entered.
        tick_interval: Seconds between two ticks, or heartbeats where there are none.
        tokens_per_message: How many a message may have.
    """

    def __init__(
        self, instruments: Instruments, log: Log, tick_interval: float, tokens_per_message: int
    ) -> None:
        self._instruments = instruments
        self._log = log
        self._tick_interval = tick_interval
        self._tokens_per_message = tokens_per_message
        self._connections: list[Connection] = []

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Serves one WebSocket until it is closed."""
        entry = self._log.enter(Entry("connection", request.path, time.monotonic()))
        try:
            entry.api_key = account_of_connection(request)
            if self._count_of(entry.api_key) >= CONNECTIONS_PER_ACCOUNT:
                entry.refused = True
                raise TooManyRequestsError
        except KiteError as error:
            entry.status = error.status
            return error.response()
        connection = Connection(
            entry.api_key,
            request,
            web.WebSocketResponse(compress=False),
            Subscriptions(self._tokens_per_message),
        )
        self._connections.append(connection)
        try:
            await connection.socket.prepare(request)
            entry.status = 101
            await self._serve(connection)
        finally:
            self._connections.remove(connection)
        return connection.socket

    def disconnect(self) -> int:
        """Resets all connections; returns how many there were."""
        for connection in self._connections:
            reset_connection(connection.request)
        return len(self._connections)

    def document(self) -> list[dict[str, object]]:
        """Returns who is subscribed to what, to be sent."""
        return [
            {"api_key": each.api_key, "modes": each.subscriptions.modes}
            for each in self._connections
        ]

    def _count_of(self, api_key: str) -> int:
        return sum(connection.api_key == api_key for connection in self._connections)

    async def _serve(self, connection: Connection) -> None:
        ticking = asyncio.create_task(self._tick(connection))
        try:
            async for message in connection.socket:
                if message.type is WSMsgType.TEXT:
                    await self._take(connection, message.data)
        except ClientConnectionResetError:
            pass  # it was closed before its message was answered
        finally:
            ticking.cancel()
            with suppress(asyncio.CancelledError):
                await ticking

    async def _take(self, connection: Connection, text: str) -> None:
        entry = self._log.enter(
            Entry("message", "", time.monotonic(), connection.api_key, status=200)
        )
        try:
            message = message_of(text)
            entry.call, entry.instruments = message.action, [*message.tokens]
            connection.subscriptions.apply(message)
        except MessageError as error:
            entry.status = 400
            await connection.socket.send_json({"type": "error", "data": str(error)})

    async def _tick(self, connection: Connection) -> None:
        with suppress(ClientConnectionResetError):
            while True:
                await asyncio.sleep(self._tick_interval)
                await connection.socket.send_bytes(self._ticks(connection.subscriptions))

    def _ticks(self, subscriptions: Subscriptions) -> bytes:
        now = int(time.time())
        packets = [
            packet_of(instrument, Snapshot.of(token, now), mode)
            for token, mode in subscriptions.modes.items()
            if (instrument := self._instruments.by_token.get(token))
        ]
        return message_of_packets(packets) if packets else HEARTBEAT
