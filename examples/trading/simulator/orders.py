"""Orders: all of them are taken, if they are of an instrument and complete."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final

from .errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from .calls import Answer
    from .instruments import Instruments
    from .log import Entry

_CHOICES: Final = {
    "transaction_type": ("BUY", "SELL"),
    "order_type": ("MARKET", "LIMIT", "SL", "SL-M"),
    "product": ("CNC", "NRML", "MIS", "MTF"),
    "validity": ("DAY", "IOC", "TTL"),
}


def ordering(instruments: Instruments) -> Answer:
    """Returns what takes an order of one of the instruments."""
    numbers = count(1)

    async def answer(request: web.Request, entry: Entry) -> object:
        form = {name: str(value) for name, value in (await request.post()).items()}
        name = f"{form.get('exchange', '')}:{form.get('tradingsymbol', '')}"
        entry.instruments = [name]
        if name not in instruments.by_name:
            raise InputError(f"Expected an instrument's exchange and tradingsymbol, got {name}.")
        _check(form)
        return {"order_id": f"{next(numbers):015}"}

    return answer


def _check(form: Mapping[str, str]) -> None:
    for field, choices in _CHOICES.items():
        if form.get(field) not in choices:
            raise InputError(
                f"Expected one of {', '.join(choices)} for {field}, got {form.get(field)!r}."
            )
    quantity = form.get("quantity", "")
    if not quantity.isdecimal() or int(quantity) == 0:
        raise InputError(f"Expected 1 or more for quantity, got {quantity!r}.")
