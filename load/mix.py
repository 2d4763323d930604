"""What a client sends: requests to every endpoint, drawn by a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .contracts import Known, Market

LEGS: Final = 10
SLICES: Final = 10
SUBSCRIBED: Final = 20
QUOTED: Final = 50
CHARTED: Final = 10
ANALYSED: Final = 100
ORDERS_OF_A_CLIENT: Final = 1_000_000
BOOKS: Final = ("orders", "trades", "positions", "positions/day", "holdings")


@dataclass(frozen=True, slots=True)
class Planned:
    """A request that is to be sent.

    Attributes:
        name: Its endpoint.
        method: Of HTTP.
        path: Where to.
        body: What goes with it as JSON.
        orders: The orders that it is to place: of what, and how many units.
        fault: Says what is wrong with the data of the answer; nothing if all is well.
    """

    name: str
    method: str
    path: str
    body: dict[str, Any] | None = None
    orders: Sequence[tuple[Known, int]] = ()
    fault: Callable[[Any], str] = field(default=lambda _data: "")


class Client:
    """One of many clients; the same seed and number make the same requests.

    Args:
        market: What can be asked for.
        seed: Of the run.
        number: Of the client, from 0 up.
    """

    def __init__(self, market: Market, seed: int, number: int) -> None:
        self._draw = random.Random(f"{seed}/{number}")  # noqa: S311 - no secret
        self._market = market
        self._tradable = market.tradable
        self._next_quantity = number * ORDERS_OF_A_CLIENT

    def requests(self) -> Iterator[Planned]:
        """Yields requests without end."""
        kinds: dict[Callable[[], Planned], int] = {
            self._book: 20,
            self._page: 8,
            self._basket: 5,
            self._split: 3,
            self._margin: 5,
            self._quotes: 6,
            self._history: 3,
            self._options: 3,
            self._analytics: 4,
            self._subscription: 5,
        }
        while True:
            [kind] = self._draw.choices([*kinds], [*kinds.values()])
            yield kind()

    def thinks(self, seconds: float) -> float:
        """Returns for how long it thinks, if that is so many seconds on average."""
        return self._draw.uniform(0.0, 2 * seconds)

    def _book(self) -> Planned:
        path = f"/{self._draw.choice(BOOKS)}"
        return Planned(path, "GET", path)

    def _page(self) -> Planned:
        path = f"/pages/{self._draw.choice(BOOKS)}"
        return Planned(path, "GET", path)

    def _basket(self) -> Planned:
        orders = [(each, self._quantity()) for each in self._pick(self._tradable, LEGS)]
        body = {"orders": [self._order(*order) for order in orders]}
        return Planned("/basket", "POST", "/basket", body, orders)

    def _split(self) -> Planned:
        [what] = self._pick(self._tradable, 1)
        units = self._quantity()
        body = self._order(what, units * SLICES) | {"slice": units}
        return Planned("/split", "POST", "/split", body, [(what, units)] * SLICES)

    def _margin(self) -> Planned:
        legs = self._pick(self._tradable, LEGS)
        body = {"orders": [self._order(each, each.lotsize) for each in legs]}
        return Planned("/margin", "POST", "/margin", body, fault=_unknown)

    def _quotes(self) -> Planned:
        body = self._symbols(QUOTED)
        return Planned("/quotes", "POST", "/quotes", body, fault=_without_prices)

    def _history(self) -> Planned:
        period = {"interval": "5minute", "from": "2026-08-18 09:15:00", "to": "2026-08-18 10:15:00"}
        body = period | self._symbols(CHARTED)
        return Planned("/history", "POST", "/history", body, fault=_without_candles)

    def _options(self) -> Planned:
        path = f"/options/{self._draw.choice(self._market.chains)}"
        return Planned("/options", "GET", path, fault=_empty)

    def _analytics(self) -> Planned:
        body = self._symbols(ANALYSED)
        return Planned("/analytics", "POST", "/analytics", body, fault=_unknown)

    def _subscription(self) -> Planned:
        body = {"mode": "quote"} | self._symbols(SUBSCRIBED)
        return Planned("/subscription", "POST", "/subscription", body, fault=_unknown)

    def _symbols(self, count: int) -> dict[str, Any]:
        picked = self._pick(self._market.instruments, count)
        return {"symbols": [{"symbol": each.symbol, "exchange": each.exchange} for each in picked]}

    def _pick(self, among: Sequence[Known], count: int) -> list[Known]:
        return self._draw.sample(among, count)

    def _quantity(self) -> int:
        self._next_quantity += 1
        return self._next_quantity

    def _order(self, what: Known, quantity: int) -> dict[str, Any]:
        order = {
            "symbol": what.symbol,
            "exchange": what.exchange,
            "action": self._draw.choice(("BUY", "SELL")),
            "product": "NRML",
            "quantity": quantity,
        }
        if self._draw.random() < 0.5:  # noqa: PLR2004 - half of them
            return order | {"pricetype": "LIMIT", "price": "101.05"}
        return order | {"pricetype": "MARKET"}


def _unknown(data: Any) -> str:  # noqa: ANN401 - JSON
    return "with unknown symbols" if data["unknown"] else ""


def _without_prices(data: Any) -> str:  # noqa: ANN401 - JSON
    return "" if all(each["prices"] for each in data) else "without some prices"


def _without_candles(data: Any) -> str:  # noqa: ANN401 - JSON
    return "" if all(each["candles"] for each in data) else "without some candles"


def _empty(data: Any) -> str:  # noqa: ANN401 - JSON
    return "" if data else "without options"
