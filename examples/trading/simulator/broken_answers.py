"""Answers that do not arrive as they should."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

_AT_ONCE = struct.pack("ii", 1, 0)  # linger, for no seconds: what closes a socket resets it
RUBBISH: Final = b"<html><body>Welcome</body></html>"


def reset_connection(request: web.BaseRequest) -> None:
    """Resets the connection of a request (RST), where it is still open."""
    transport = request.transport
    if transport is not None:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        transport.abort()


async def send_cut(request: web.Request, body: bytes) -> web.StreamResponse:
    """Sends half of a body that says to be whole, and closes the connection."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


def half_of(quotes: Mapping[str, object]) -> dict[str, object]:
    """Returns the first half of the quotes."""
    return dict(list(quotes.items())[: len(quotes) // 2])
