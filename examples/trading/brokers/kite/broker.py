"""Where Kite has what, and who translates it."""

from __future__ import annotations

from typing import Any, Final

from examples.trading.brokers.broker import Book, Broker
from examples.trading.brokers.errors import BrokerRefusalError

from .holdings import map_holdings
from .order_book import map_orders
from .order_data import new_orders
from .payloads import KiteHolding, KiteOrder, KitePosition, KiteQuote, KiteTrade
from .position_book import map_positions
from .quotes import map_quotes
from .subscription import subscription_to
from .trade_book import map_trades


def _unwrap(answer: dict[str, Any]) -> object:
    if answer.get("status") != "success":
        raise BrokerRefusalError(answer.get("message"))
    return answer.get("data")


def _order_id(answer: dict[str, Any]) -> str:
    if "order_id" not in answer:
        raise BrokerRefusalError(answer.get("error", {}).get("message"))
    return str(answer["order_id"])


KITE: Final = Broker(
    unwrap=_unwrap,
    books={
        "orders": Book("/orders", (), KiteOrder, map_orders),
        "trades": Book("/trades", (), KiteTrade, map_trades),
        "positions": Book("/portfolio/positions", ("net",), KitePosition, map_positions),
        "positions/day": Book("/portfolio/positions", ("day",), KitePosition, map_positions),
        "holdings": Book("/portfolio/holdings", (), KiteHolding, map_holdings),
        "quotes": Book("/quote", (), KiteQuote, map_quotes),
    },
    basket_path="/orders/basket",
    new_orders=new_orders,
    order_id=_order_id,
    feed_path="/ticker/subscriptions",
    subscription_to=subscription_to,
)
