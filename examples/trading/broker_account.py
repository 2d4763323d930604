"""The broker's side of one client's account: what it holds, what it ordered, what it may order."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from .contract_sample import pick_instruments

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from .contract_sample import Instrument

    Row = dict[str, Any]

POSITIONS: Final = 50
ORDERS: Final = 12
_TIMESTAMP = "2026-08-18 10:15:00"


class OrderRefusedError(Exception):
    """An order that the broker does not take."""


class BrokerAccount:
    """An account, kept in rows as Kite Connect sends them.

    Args:
        database: The SQLite file with the master contract, which orders are checked against.
        positions: The net positions.
        orders: The orders so far; new ones are added.
        day_positions: The positions of the day's trades alone.
        trades: The trades so far.
        holdings: The shares that were delivered.
        quotes: The quotes of what the client watches, by `EXCHANGE:TRADINGSYMBOL`.
    """

    def __init__(
        self,
        database: Path,
        positions: Iterable[Row] = (),
        orders: Iterable[Row] = (),
        *,
        day_positions: Iterable[Row] = (),
        trades: Iterable[Row] = (),
        holdings: Iterable[Row] = (),
        quotes: Mapping[str, Row] | None = None,
    ) -> None:
        self._listed = _listed_by_token(database)
        self._numbers = count(1)
        self._lock = threading.Lock()
        self.positions = list(positions)
        self.day_positions = list(day_positions)
        self.trades = list(trades)
        self.holdings = list(holdings)
        self.quotes = dict(quotes or {})
        self._orders = list(orders)  # guarded by _lock: each request has a thread

    @classmethod
    def with_a_history(cls, database: Path) -> BrokerAccount:
        """Returns the account of a client who traded instruments of this very contract.

        Raises:
            ContractTooSmallError: The contract has too few instruments.
        """
        held = pick_instruments(database, POSITIONS, tradable=True)
        account = cls(database, [_position(instrument) for instrument in held])
        for instrument in pick_instruments(database, ORDERS, tradable=True):
            account.place(_market_order(instrument))
        return account

    def orders(self) -> list[Row]:
        """Returns the orders so far."""
        with self._lock:
            return list(self._orders)

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
        return str(row["order_id"])

    def check_tokens(self, tokens: Iterable[object]) -> None:
        """Refuses tokens that no instrument has.

        Raises:
            OrderRefusedError: There are such.
        """
        unknown = [token for token in tokens if str(token) not in self._listed]
        if unknown:
            raise OrderRefusedError(f"No instrument has the token {unknown[0]!r}.")

    def _check(self, order: Row) -> None:
        wanted = (order["tradingsymbol"], order["exchange"])
        if wanted not in self._listed.get(str(order["instrument_token"]), ()):
            raise OrderRefusedError(
                f"{wanted[0]} on {wanted[1]} has another token than {order['instrument_token']}."
            )


def _listed_by_token(database: Path) -> dict[str, list[tuple[str, str]]]:
    """Reads which (broker's symbol, broker's exchange) each token stands for."""
    listed: dict[str, list[tuple[str, str]]] = {}
    query = "SELECT token, brsymbol, brexchange FROM symtoken"
    with closing(sqlite3.connect(database)) as connection:
        for token, brsymbol, brexchange in connection.execute(query):
            listed.setdefault(token, []).append((brsymbol, brexchange))
    return listed


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
        "average_price": 0,
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


def _as_number(amount: Decimal) -> float:
    """Makes a JSON number, as Kite sends amounts; it is written with the digits of the amount."""
    return float(amount)
