"""Where Wicker has what, and how its answers begin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from examples.trading.brokers.base import BaseBroker, Book
from examples.trading.brokers.errors import BrokerRefusalError
from examples.trading.money import rupees

from .holdings import map_holdings
from .market_data import WickerMarketData
from .order_data import map_orders
from .payloads import WickerHolding, WickerOrder, WickerPosition, WickerTrade
from .position_book import map_positions
from .trade_book import map_trades
from .transform_data import transform_data

if TYPE_CHECKING:
    from decimal import Decimal

    from examples.trading.brokers.base import Listed
    from examples.trading.requests import NewOrder

    from .payloads import WickerNewOrder


class WickerBroker(BaseBroker):
    """An invented broker, in the manner of Upstox: exchanges are parts of segments."""

    market = WickerMarketData()
    books: ClassVar = {
        "orders": Book("/book/orders", ("orders",), WickerOrder, map_orders),
        "trades": Book("/book/trades", ("trades",), WickerTrade, map_trades),
        "positions": Book("/book/positions", ("net", "rows"), WickerPosition, map_positions),
        "holdings": Book("/book/holdings", ("rows",), WickerHolding, map_holdings),
    }
    order_path = "/book/orders/new"
    margin_path = "/book/margin"

    def prepare_order_data(self, order: NewOrder, listed: Listed) -> WickerNewOrder:
        """Puts an order into Wicker's terms."""
        return transform_data(order, listed)

    def unwrap(self, answer: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """An answer is `{"data": …}` or `{"problem": {"detail": …}}`."""
        if "data" not in answer:
            raise BrokerRefusalError(answer.get("problem", {}).get("detail"))
        return answer["data"]

    def order_id(self, placed: Any) -> str:  # noqa: ANN401 - JSON
        """What is said of an order that was taken is `{"order": {"id": "…"}}`."""
        return str(placed["order"]["id"])

    def margin(self, answer: Any) -> Decimal:  # noqa: ANN401 - JSON
        """An answer is `{"required": {"amount": …}}`."""
        return rupees(answer["required"]["amount"])
