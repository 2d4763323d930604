"""The broker's side of one client's account: what it holds, what it ordered, what it may order."""

from __future__ import annotations

import threading
from collections import deque
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from examples.trading.contract_sample import SHARES, pick_instruments

from .errors import OrderRefusedError
from .listing import Listing
from .prices import close_paise, last_paise, rupees_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from examples.trading.contract_sample import Instrument

    Row = dict[str, Any]

POSITIONS: Final = 50
ORDERS: Final = 12
HOLDINGS: Final = 20
SHOWN: Final = 200
"""Of the orders and trades, so many of the newest are shown; the broker keeps all orders."""

_TIMESTAMP = "2026-08-18 10:15:00"


class Placed(NamedTuple):
    """What the broker keeps of each order: its id, of which instrument, and how many units."""

    order_id: str
    token: int
    quantity: int


class BrokerAccount:
    """An account, kept in rows as Kite Connect sends them.

    Args:
        listing: The broker's instruments, which orders are checked against.
        positions: The net positions.
        orders: The orders so far; new ones are added, and the newest `SHOWN` are shown.
        day_positions: The positions of the day's trades alone.
        trades: The trades so far; an order that is filled is one more.
        holdings: The shares that were delivered.
    """

    def __init__(
        self,
        listing: Listing,
        positions: Iterable[Row] = (),
        orders: Iterable[Row] = (),
        *,
        day_positions: Iterable[Row] = (),
        trades: Iterable[Row] = (),
        holdings: Iterable[Row] = (),
    ) -> None:
        self.listing = listing
        self._numbers = count(1)
        self._lock = threading.Lock()
        self.positions = list(positions)
        self.day_positions = list(day_positions)
        self.holdings = list(holdings)
        self._orders = deque(orders, SHOWN)  # guarded by _lock: each request has a thread
        self._trades = deque(trades, SHOWN)  # as well
        self._placed: list[Placed] = []  # as well

    @classmethod
    def with_a_history(cls, database: str) -> BrokerAccount:
        """Returns the account of a client who traded instruments of this very contract.

        Raises:
            ContractTooSmallError: The contract has too few instruments.
        """
        positions = [_position(each) for each in pick_instruments(database, POSITIONS)]
        shares = pick_instruments(database, HOLDINGS, SHARES)
        account = cls(
            Listing(database),
            positions,
            day_positions=positions[::2],
            holdings=[_holding(instrument) for instrument in shares],
        )
        for instrument in pick_instruments(database, ORDERS):
            account.place(_market_order(instrument))
        return account

    def orders(self) -> list[Row]:
        """Returns the newest orders."""
        with self._lock:
            return list(self._orders)

    def trades(self) -> list[Row]:
        """Returns the newest trades."""
        with self._lock:
            return list(self._trades)

    def placed(self) -> list[Placed]:
        """Returns all orders that were placed."""
        with self._lock:
            return list(self._placed)

    def place(self, order: Row) -> str:
        """Takes an order; returns its id.

        Raises:
            OrderRefusedError: Its token, symbol and exchange do not name one instrument, or a
                field is missing.
        """
        try:
            self._check(order)
            row = _order_row(order, f"{next(self._numbers):015}")
        except (KeyError, TypeError, ArithmeticError) as error:
            raise OrderRefusedError(f"The order is incomplete: {error!r}.") from error
        with self._lock:
            self._orders.append(row)
            self._placed.append(
                Placed(row["order_id"], int(row["instrument_token"]), int(row["quantity"]))
            )
            if row["filled_quantity"]:
                self._trades.append(_trade(row))
        return str(row["order_id"])

    def margin_of(self, orders: Iterable[Row]) -> int:
        """Returns what orders would tie up, in paise: a fifth of their value.

        Raises:
            OrderRefusedError: As `place`.
        """
        total = 0
        for order in orders:
            try:
                self._check(order)
                total += last_paise(int(order["instrument_token"])) * int(order["quantity"])
            except (KeyError, TypeError, ValueError) as error:
                raise OrderRefusedError(f"The order is incomplete: {error!r}.") from error
        return total // 5

    def _check(self, order: Row) -> None:
        name = order["tradingsymbol"], order["exchange"]
        self.listing.check_name(*name, order["instrument_token"])


def _market_order(instrument: Instrument) -> Row:
    return {
        "tradingsymbol": instrument.brsymbol,
        "exchange": instrument.brexchange,
        "instrument_token": int(instrument.token),
        "transaction_type": "BUY",
        "order_type": "MARKET",
        "product": "NRML",
        "validity": "DAY",
        "quantity": instrument.lotsize,
        "price": "0",
    }


def _trade(order: Row) -> Row:
    """The trade that filled an order."""
    of_order = ("order_id", "exchange", "tradingsymbol", "instrument_token", "product")
    return {name: order[name] for name in (*of_order, "transaction_type", "exchange_order_id")} | {
        "trade_id": f"T{order['order_id']}",
        "average_price": order["average_price"],
        "quantity": order["filled_quantity"],
        "fill_timestamp": order["order_timestamp"],
        "exchange_timestamp": order["order_timestamp"],
    }


def _order_row(order: Row, order_id: str) -> Row:
    """A market order is filled at once, a limit order waits."""
    quantity = order["quantity"]
    filled = quantity if order["order_type"] == "MARKET" else 0
    return {
        "placed_by": "AB1234",
        "order_id": order_id,
        "exchange_order_id": f"X{order_id}",
        "status": "COMPLETE" if filled else "OPEN",
        "status_message": None,
        "order_timestamp": _TIMESTAMP,
        "variety": "regular",
        "exchange": order["exchange"],
        "tradingsymbol": order["tradingsymbol"],
        "instrument_token": order["instrument_token"],
        "order_type": order["order_type"],
        "transaction_type": order["transaction_type"],
        "validity": order["validity"],
        "product": order["product"],
        "quantity": quantity,
        "price": _as_number(Decimal(order["price"])),
        "average_price": rupees_of(last_paise(order["instrument_token"])) if filled else 0,
        "filled_quantity": filled,
        "pending_quantity": quantity - filled,
        "cancelled_quantity": 0,
        "tag": None,
    }


def _position(instrument: Instrument) -> Row:
    """A position bought in two lots and sold in one or both, at prices that its token decides."""
    token = int(instrument.token)
    tick = Decimal(str(instrument.tick_size)) or Decimal("0.05")
    bought, sold, last = (tick * (2_000 + token // part % 400) for part in (1, 7, 31))
    buy_quantity = 2 * instrument.lotsize
    sell_quantity = instrument.lotsize * (1 + token // 256 % 2)
    quantity = buy_quantity - sell_quantity
    buy_value, sell_value = bought * buy_quantity, sold * sell_quantity
    profit = sell_value - buy_value + last * quantity
    return {
        "tradingsymbol": instrument.brsymbol,
        "exchange": instrument.brexchange,
        "instrument_token": token,
        "product": "NRML",
        "quantity": quantity,
        "overnight_quantity": 0,
        "multiplier": 1,
        "average_price": _as_number(bought if quantity else Decimal(0)),
        "close_price": 0,
        "last_price": _as_number(last),
        "pnl": _as_number(profit),
        "buy_quantity": buy_quantity,
        "buy_price": _as_number(bought),
        "buy_value": _as_number(buy_value),
        "sell_quantity": sell_quantity,
        "sell_price": _as_number(sold),
        "sell_value": _as_number(sell_value),
    }


def _holding(instrument: Instrument) -> Row:
    """Shares that were bought at the price of the day before."""
    token = int(instrument.token)
    bought, last = close_paise(token), last_paise(token)
    quantity = instrument.lotsize * (1 + token // 256 % 3)
    return {
        "tradingsymbol": instrument.brsymbol,
        "exchange": instrument.brexchange,
        "instrument_token": token,
        "product": "CNC",
        "quantity": quantity,
        "t1_quantity": 0,
        "average_price": rupees_of(bought),
        "last_price": rupees_of(last),
        "close_price": rupees_of(close_paise(token)),
        "pnl": rupees_of((last - bought) * quantity),
    }


def _as_number(amount: Decimal) -> float:
    """Makes a JSON number, as Kite sends amounts; it is written with the digits of the amount."""
    return float(amount)
