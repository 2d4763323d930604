"""Amounts in rupees, exact."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Final

PAISA: Final = Decimal("0.01")


def rupees(value: object) -> Decimal:
    """Returns an amount as it was written.

    Args:
        value: A number or its text; a float is refused, because its digits are not what was meant.

    Raises:
        ValueError: It is no finite amount.
    """
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise ValueError(f"{value!r} is no amount")  # noqa: TRY004 - to callers it is a bad value like any other
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"{value!r} is no amount") from None
    if not amount.is_finite():
        raise ValueError(f"{value!r} is no finite amount")
    return amount


def to_paisa(amount: Decimal) -> Decimal:
    """Rounds a computed amount to whole paise."""
    return amount.quantize(PAISA)


def profit(quantity: int, last_price: object, buy_value: object, sell_value: object) -> Decimal:
    """Returns what was earned so far, if everything were sold at the last price.

    Args:
        quantity: The units that are held; below 0 if they are owed.
        last_price: The price of one.
        buy_value: What was paid for all that was bought.
        sell_value: What was received for all that was sold.
    """
    worth = quantity * rupees(last_price)
    return to_paisa(rupees(sell_value) - rupees(buy_value) + worth)
