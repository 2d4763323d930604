"""Ticks, in the packets of Kite's WebSocket; numbers are big-endian."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .instruments import Instrument
    from .snapshot import Level, Snapshot

MODES: Final = ("ltp", "quote", "full")
HEARTBEAT: Final = b"\x00"
_LAST_PRICE = struct.Struct(">ii")
_QUOTE = struct.Struct(">11i")
_FULL = struct.Struct(">16i")
_LEVEL = struct.Struct(">iihxx")
_INDEX_QUOTE = struct.Struct(">7i")
_INDEX_FULL = struct.Struct(">8i")
_COUNT = struct.Struct(">h")
# Currencies are in units of 0.0000001 rupees, everything else is in paise.
_CURRENCY_UNITS = 100_000


def message_of(packets: Sequence[bytes]) -> bytes:
    """Returns the message that carries the packets."""
    parts = [_COUNT.pack(len(packets))]
    for packet in packets:
        parts += _COUNT.pack(len(packet)), packet
    return b"".join(parts)


def packet_of(instrument: Instrument, snapshot: Snapshot, mode: str) -> bytes:
    """Returns what a mode, one of MODES, shows of an instrument."""
    unit = _CURRENCY_UNITS if instrument.is_currency else 1
    if mode == "ltp":
        return _LAST_PRICE.pack(snapshot.token, snapshot.last * unit)
    if instrument.is_index:
        return _index_packet(snapshot, mode)
    quote = (
        snapshot.token,
        snapshot.last * unit,
        1,  # the last trade's quantity
        snapshot.last * unit,  # the average price
        snapshot.volume,
        snapshot.wanted,
        snapshot.offered,
        snapshot.opened * unit,
        snapshot.highest * unit,
        snapshot.lowest * unit,
        snapshot.closed * unit,
    )
    if mode == "quote":
        return _QUOTE.pack(*quote)
    open_interest = (0, 0, 0)  # now, and the day's extremes
    book = b"".join(_level(level, unit) for level in (*snapshot.bids, *snapshot.offers))
    return _FULL.pack(*quote, snapshot.at, *open_interest, snapshot.at) + book


def _index_packet(snapshot: Snapshot, mode: str) -> bytes:
    """An index has neither trades nor an order book, and its prices come in another order."""
    quote = (
        snapshot.token,
        snapshot.last,
        snapshot.highest,
        snapshot.lowest,
        snapshot.opened,
        snapshot.closed,
        snapshot.last - snapshot.closed,
    )
    return _INDEX_QUOTE.pack(*quote) if mode == "quote" else _INDEX_FULL.pack(*quote, snapshot.at)


def _level(level: Level, unit: int) -> bytes:
    return _LEVEL.pack(level.quantity, level.price * unit, level.orders)
