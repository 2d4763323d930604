from dataclasses import dataclass, field

from tests.lookahead.brokers.damson.mapping.exchanges import map_exchange
from tests.lookahead.token_db import get_symbol


@dataclass
class Fill:
    symbol: str
    exchange: str
    qty: int
    price: float
    order_id: str = ""

    @classmethod
    def from_row(cls, row):
        exchange = map_exchange(row["exchangeSegment"])
        symbol = get_symbol(row["securityId"], exchange)
        return cls(
            symbol=symbol or row.get("customSymbol") or "",
            exchange=exchange,
            qty=int(row["tradedQuantity"]),
            price=float(row["tradedPrice"]),
            order_id=str(row["orderId"]),
        )


@dataclass
class Position:
    security_id: int
    segment: str
    net: int
    buy_avg: float = 0.0
    symbol: str = ""
    exchange: str = ""


@dataclass
class Leg:
    symbol: str
    exchange: str
    quantity: int
    action: str = "BUY"
    price: float = 0.0


@dataclass
class Basket:
    name: str
    legs: list = field(default_factory=list)
