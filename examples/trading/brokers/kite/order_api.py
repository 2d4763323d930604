"""Where Kite has what, and how its answers begin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from examples.trading.brokers.base import BaseBroker, Book
from examples.trading.brokers.errors import BrokerRefusalError
from examples.trading.money import rupees

from .holdings import map_holdings
from .market_data import KiteMarketData
from .order_data import map_orders
from .payloads import KiteHolding, KiteOrder, KitePosition, KiteTrade
from .position_book import map_positions
from .trade_book import map_trades
from .transform_data import transform_data

if TYPE_CHECKING:
    from decimal import Decimal

    from examples.trading.brokers.base import Listed
    from examples.trading.requests import NewOrder

    from .payloads import KiteNewOrder


class KiteBroker(BaseBroker):
    """Zerodha's Kite Connect."""

    market = KiteMarketData()
    books: ClassVar = {
        "orders": Book("/orders", (), KiteOrder, map_orders),
        "trades": Book("/trades", (), KiteTrade, map_trades),
        "positions": Book("/portfolio/positions", ("net",), KitePosition, map_positions),
        "positions/day": Book("/portfolio/positions", ("day",), KitePosition, map_positions),
        "holdings": Book("/portfolio/holdings", (), KiteHolding, map_holdings),
    }
    order_path = "/orders/regular"
    margin_path = "/margins/basket"

    def prepare_order_data(self, order: NewOrder, listed: Listed) -> KiteNewOrder:
        """Puts an order into Kite's terms."""
        return transform_data(order, listed)

    def unwrap(self, answer: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """An answer is `{"status": "success", "data": …}`, or it has a `message`."""
        if answer.get("status") != "success":
            raise BrokerRefusalError(answer.get("message"))
        return answer.get("data")

    def order_id(self, placed: Any) -> str:  # noqa: ANN401 - JSON
        """What is said of an order that was taken is `{"order_id": "…"}`."""
        return str(placed["order_id"])

    def margin(self, answer: Any) -> Decimal:  # noqa: ANN401 - JSON
        """An answer is `{"final": {"total": …}, …}`: what the orders tie up together."""
        return rupees(answer["final"]["total"])
