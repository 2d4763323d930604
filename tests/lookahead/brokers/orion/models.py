"""Rows of Orion as objects."""

from collections import namedtuple
from dataclasses import asdict, dataclass, field
from functools import cached_property

from tests.lookahead.token_db import (
    get_br_symbol,
    get_brexchange,
    get_oa_symbol,
    get_symbol,
    get_symbol_info,
    get_token,
)

MARKETS = {
    "NSECM": "NSE",
    "BSECM": "BSE",
    "NSEFO": "NFO",
    "BSEFO": "BFO",
    "NSECD": "CDS",
    "MCXFO": "MCX",
}

Trade = namedtuple("Trade", "trade_id scrip market side quantity price")
Listing = namedtuple("Listing", "market scrip_code")


class UnknownInstrument(ValueError):
    """The contract has no such instrument."""


@dataclass
class OrderRow:
    app_order_id: int
    instrument_id: object
    market: str
    side: str
    quantity: int
    status: str
    trading_symbol: str = ""
    tags: list = field(default_factory=list)

    @property
    def exchange(self):
        return MARKETS.get(self.market, self.market)

    @property
    def symbol(self):
        if self.instrument_id in (None, ""):
            return self.trading_symbol
        return get_symbol(str(self.instrument_id), self.exchange) or self.trading_symbol

    def as_row(self):
        try:
            self.trading_symbol = self.symbol
        except (TypeError, ValueError):
            self.trading_symbol = "?"
        return {
            "orderid": str(self.app_order_id),
            "symbol": self.trading_symbol,
            "exchange": self.exchange,
            "action": self.side.upper(),
            "order_status": self.status.lower(),
        }


@dataclass
class Leg:
    """One leg of a basket: knows its wire names as soon as it exists."""

    symbol: str
    exchange: str
    quantity: int
    action: str = "BUY"
    token: str = ""

    def __post_init__(self):
        self.token = get_token(self.symbol, self.exchange)
        if self.token is None:
            raise UnknownInstrument(self.symbol)
        self.symbol = get_br_symbol(self.symbol, self.exchange)

    def payload(self):
        return {k: v for k, v in asdict(self).items() if k in ("token", "symbol", "quantity")}


@dataclass
class PositionRow:
    scrip: str
    market: str
    net: int
    ltp: float

    def resolve(self):
        """Turns wire names into the application's, in place."""
        self.market = MARKETS.get(self.market, self.market)
        if (name := get_oa_symbol(self.scrip, self.market)) is not None:
            self.scrip = name
        return self

    def __lt__(self, other):
        return (self.market, self.scrip or "") < (other.market, other.scrip or "")


@dataclass(frozen=True)
class Holding:
    isin: str
    listings: tuple
    quantity: int

    @cached_property
    def symbol(self):
        for market, scrip_code in self.listings:
            if (name := get_symbol(scrip_code, MARKETS[market])) is not None:
                return name
        return None


class Strike:
    """Call and put of a strike, looked up when asked for."""

    def __init__(self, name, expiry, strike, exchange="NFO"):
        self.stem = f"{name}{expiry}{strike:g}"
        self.exchange = exchange

    def _info(self, kind):
        return get_symbol_info(symbol=self.stem + kind, exchange=self.exchange)

    @property
    def call(self):
        return self._info("CE")

    @property
    def put(self):
        return self._info("PE")


@dataclass
class Subscription:
    symbol: str
    exchange: str

    @property
    def channel(self):
        segment = get_brexchange(self.symbol, self.exchange)
        return segment and f"{segment.lower()}.{get_token(self.symbol, self.exchange)}"
