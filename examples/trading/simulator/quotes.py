"""Quotes, as Kite shows them."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .errors import InputError
from .prices import INDIA, STEP
from .snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiohttp import web

    from .calls import Answer
    from .faults import Faults
    from .instruments import Instruments
    from .log import Entry
    from .snapshot import Level

    Row = dict[str, Any]


def names_asked(request: web.Request) -> list[str | int]:
    """Returns the names of `?i=EXCHANGE:TRADINGSYMBOL&i=…`."""
    return [*request.query.getall("i", [])]


def quoting(
    instruments: Instruments, faults: Faults, most: int, shown: Callable[[Snapshot], Row]
) -> Answer:
    """Returns what answers one of the calls for quotes.

    Args:
        instruments: Those that have quotes; the others are left out of an answer.
        faults: Which names a call may not have.
        most: How many instruments a call may ask for.
        shown: What is shown of each.
    """

    async def answer(request: web.Request, _entry: Entry) -> object:
        names = request.query.getall("i", [])
        if not names:
            raise InputError("Expected an instrument as in ?i=NSE:INFY, got none.")
        if len(names) > most:
            raise InputError(f"Expected at most {most} instruments in a call, got {len(names)}.")
        faults.check(names)
        now = int(time.time())
        known = {name: instruments.by_name.get(name) for name in names}
        return {name: shown(Snapshot.of(each.token, now)) for name, each in known.items() if each}

    return answer


def last_price(snapshot: Snapshot) -> Row:
    """Returns the price alone, for `/quote/ltp`."""
    return {"instrument_token": snapshot.token, "last_price": _rupees(snapshot.last)}


def day_prices(snapshot: Snapshot) -> Row:
    """Returns the prices of the day, for `/quote/ohlc`."""
    ohlc = {
        "open": _rupees(snapshot.opened),
        "high": _rupees(snapshot.highest),
        "low": _rupees(snapshot.lowest),
        "close": _rupees(snapshot.closed),
    }
    return last_price(snapshot) | {"ohlc": ohlc}


def full_quote(snapshot: Snapshot) -> Row:
    """Returns all there is, for `/quote`."""
    timestamp = f"{datetime.fromtimestamp(snapshot.at, INDIA):%Y-%m-%d %H:%M:%S}"
    return day_prices(snapshot) | {
        "timestamp": timestamp,
        "last_trade_time": timestamp,
        "last_quantity": 1,
        "buy_quantity": snapshot.wanted,
        "sell_quantity": snapshot.offered,
        "volume": snapshot.volume,
        "average_price": _rupees(snapshot.last),
        "oi": 0,
        "oi_day_high": 0,
        "oi_day_low": 0,
        "net_change": _rupees(snapshot.last - snapshot.closed),
        "lower_circuit_limit": _rupees(STEP),
        "upper_circuit_limit": _rupees(2 * snapshot.closed),
        "depth": {"buy": _levels(snapshot.bids), "sell": _levels(snapshot.offers)},
    }


def _levels(levels: Sequence[Level]) -> list[Row]:
    return [
        {"price": _rupees(level.price), "quantity": level.quantity, "orders": level.orders}
        for level in levels
    ]


def _rupees(paise: int) -> float:
    return paise / 100
