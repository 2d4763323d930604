"""The fields that the application reads of Ordinal's payloads, and those that it sends.

In all of them `tk` is an instrument's token, `sg` its segment's code, `pr` the product, `qy` a
quantity in units and `px` a price in rupees.
"""

from __future__ import annotations

from typing import TypedDict


class OrdinalPosition(TypedDict):
    """A row of the position book."""

    tk: int
    sg: str
    pr: str
    qy: str
    ml: str
    """Units of the price in one of the quantity."""
    ap: str
    """Average price."""
    lp: str
    """Last price."""
    bv: str
    """Value bought."""
    sv: str
    """Value sold."""


class OrdinalOrder(TypedDict):
    """A row of the order book."""

    no: int
    tk: str
    sg: int
    bs: str
    """BUY or SELL."""
    ty: str
    """MARKET or LIMIT."""
    pr: str
    st: str
    """Status."""
    ms: str
    """Message."""
    tm: str
    """Time."""
    qy: str
    fq: str
    """Quantity filled."""
    px: str
    ap: str
    """Average price."""


class OrdinalNewOrder(TypedDict):
    """An order to be placed; its name has to be that of the token."""

    tk: int
    sg: int
    nm: str
    """Name of the instrument."""
    bs: str
    ty: str
    pr: str
    qy: str
    px: str


class OrdinalTrade(TypedDict):
    """A row of the trade book."""

    tn: int
    """Number of the trade."""
    no: int
    """Number of the order."""
    it: str
    """The segment's code and the token, as `11:1594`."""
    bs: str
    pr: str
    tm: str
    """Time."""
    qy: str
    ap: str
    """Price of one, in rupees."""


class OrdinalHolding(TypedDict):
    """A row of the holdings, which do not say on which exchange they were bought."""

    tk: int
    pr: str
    qy: str
    ap: str
    """Average price."""
    lp: str
    """Last price."""
    pl: str
    """Profit, or loss."""
