"""What is on its way to one client: of each symbol the newest price only."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

Pair = tuple[str, str]


class Outbox:
    """Prices that wait to be sent; a client that is slow misses some, and holds nobody up."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._prices: dict[Pair, Decimal] = {}
        self._is_closed = False

    def put(self, pair: Pair, price: Decimal) -> None:
        """Has a price be sent, in place of the one before."""
        with self._changed:
            self._prices[pair] = price
            self._changed.notify()

    def take(self) -> dict[Pair, Decimal]:
        """Waits for prices and returns them; none if it is closed."""
        with self._changed:
            while not (self._prices or self._is_closed):
                self._changed.wait()
            prices, self._prices = self._prices, {}
            return {} if self._is_closed else prices

    def close(self) -> None:
        """Ends the waiting."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
