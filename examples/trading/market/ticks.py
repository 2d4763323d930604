"""Prices out of the packets of Kite's WebSocket.

https://kite.trade/docs/connect/v3/websocket/ : a message is the number of packets, and for each its
length and the packet, which begins with the instrument and its last price whatever the mode.
"""

from __future__ import annotations

import struct
from decimal import Decimal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_COUNT = struct.Struct(">h")
_LAST_PRICE = struct.Struct(">ii")
# The segment is the last byte of a token. Currencies have finer prices than paise.
_UNITS: Final = {3: Decimal("0.0000001"), 6: Decimal("0.0001")}
_PAISA: Final = Decimal("0.01")


def prices_in(message: bytes) -> Iterator[tuple[int, Decimal]]:
    """Yields the token and the last price, in rupees, of each packet; a heartbeat has none."""
    if len(message) < _COUNT.size:
        return
    (count,) = _COUNT.unpack_from(message)
    place = _COUNT.size
    for _ in range(count):
        (length,) = _COUNT.unpack_from(message, place)
        token, price = _LAST_PRICE.unpack_from(message, place + _COUNT.size)
        yield token, price * _UNITS.get(token & 0xFF, _PAISA)
        place += _COUNT.size + length
