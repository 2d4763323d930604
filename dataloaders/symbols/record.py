"""One row of the master contract, as plain data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Symbol:
    """An instrument as one broker names it.

    A plain record with slots, no ORM entity: it belongs to no session, survives the request, and
    costs a tenth of an entity to make. Not frozen only because a frozen dataclass takes half as
    long again to fill.

    Attributes:
        id: The row's primary key.
        symbol: The name the application uses.
        brsymbol: The name the broker uses.
        name: The company or the underlying.
        exchange: The exchange, as the application names it.
        brexchange: The exchange, as the broker names it.
        token: The broker's instrument number, as text.
        expiry: The expiry date as `DD-MMM-YY`, or an empty text.
        strike: The strike price in rupees, or 0.
        lotsize: The units in one lot.
        instrumenttype: EQ, FUT, CE, PE, …
        tick_size: The least price step in rupees.
        contract_value: The value of one lot per point of price, where the broker states it.
    """

    id: int
    symbol: str
    brsymbol: str
    name: str | None = None
    exchange: str | None = None
    brexchange: str | None = None
    token: str | None = None
    expiry: str | None = None
    strike: float | None = None
    lotsize: int | None = None
    instrumenttype: str | None = None
    tick_size: float | None = None
    contract_value: float | None = None
