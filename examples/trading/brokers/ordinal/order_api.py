"""Where Ordinal has what, and how its answers begin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from examples.trading.brokers.base import BaseBroker, Book
from examples.trading.brokers.errors import BrokerRefusalError
from examples.trading.money import rupees

from .holdings import map_holdings
from .market_data import OrdinalMarketData
from .order_data import map_orders
from .payloads import OrdinalHolding, OrdinalOrder, OrdinalPosition, OrdinalTrade
from .position_book import map_positions
from .trade_book import map_trades
from .transform_data import transform_data

if TYPE_CHECKING:
    from decimal import Decimal

    from examples.trading.brokers.base import Listed
    from examples.trading.requests import NewOrder

    from .payloads import OrdinalNewOrder


class OrdinalBroker(BaseBroker):
    """An invented broker, in the manner of Angel One: an instrument is a number in a text."""

    market = OrdinalMarketData()
    books: ClassVar = {
        "orders": Book("/ob", (), OrdinalOrder, map_orders),
        "trades": Book("/tb", (), OrdinalTrade, map_trades),
        "positions": Book("/pb", (), OrdinalPosition, map_positions),
        "holdings": Book("/hb", (), OrdinalHolding, map_holdings),
    }
    order_path = "/no"
    margin_path = "/mg"

    def prepare_order_data(self, order: NewOrder, listed: Listed) -> OrdinalNewOrder:
        """Puts an order into Ordinal's terms."""
        return transform_data(order, listed)

    def unwrap(self, answer: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """An answer is `{"rc": 0, "rs": …}`, or `{"rc": a code, "ms": …}`."""
        if answer.get("rc") != 0:
            raise BrokerRefusalError(answer.get("ms"))
        return answer.get("rs")

    def order_id(self, placed: Any) -> str:  # noqa: ANN401 - JSON
        """What is said of an order that was taken is its number."""
        return str(placed)

    def margin(self, answer: Any) -> Decimal:  # noqa: ANN401 - JSON
        """An answer is `{"mg": "…"}`."""
        return rupees(answer["mg"])
