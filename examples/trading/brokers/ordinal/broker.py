"""Where Ordinal has what, and who translates it."""

from __future__ import annotations

from typing import Any, Final

from examples.trading.brokers.broker import Book, Broker
from examples.trading.brokers.errors import BrokerRefusalError

from .order_book import map_orders
from .order_data import new_orders
from .payloads import OrdinalOrder, OrdinalPosition
from .position_book import map_positions
from .subscription import subscription_to


def _unwrap(answer: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """An answer is `{"rc": 0, "rs": …}`, or `{"rc": a code, "ms": …}`; so is that for one order."""
    if answer.get("rc") != 0:
        raise BrokerRefusalError(answer.get("ms"))
    return answer.get("rs")


ORDINAL: Final = Broker(
    unwrap=_unwrap,
    books={
        "orders": Book("/ob", (), OrdinalOrder, map_orders),
        "positions": Book("/pb", (), OrdinalPosition, map_positions),
    },
    basket_path="/no",
    new_orders=new_orders,
    order_id=lambda answer: str(_unwrap(answer)),
    feed_path="/fd",
    subscription_to=subscription_to,
)
