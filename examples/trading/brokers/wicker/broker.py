"""Where Wicker has what, and who translates it."""

from __future__ import annotations

from typing import Any, Final

from examples.trading.brokers.broker import Book, Broker
from examples.trading.brokers.errors import BrokerRefusalError

from .order_book import map_orders
from .order_data import new_orders
from .payloads import WickerOrder, WickerPosition
from .position_book import map_positions
from .subscription import subscription_to


def _unwrap(answer: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """An answer is `{"data": …}` or `{"problem": {"detail": …}}`; so is that for one order."""
    if "data" not in answer:
        raise BrokerRefusalError(answer.get("problem", {}).get("detail"))
    return answer["data"]


WICKER: Final = Broker(
    unwrap=_unwrap,
    books={
        "orders": Book("/book/orders", ("orders",), WickerOrder, map_orders),
        "positions": Book("/book/positions", ("net", "rows"), WickerPosition, map_positions),
    },
    basket_path="/book/orders/new",
    new_orders=new_orders,
    order_id=lambda answer: str(_unwrap(answer)["order"]["id"]),
    feed_path="/feed",
    subscription_to=subscription_to,
)
