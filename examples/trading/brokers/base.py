"""What every broker is to the rest of the application."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from examples.trading.lookups import get_br_symbol, get_brexchange, get_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from decimal import Decimal

    from examples.trading.requests import NewOrder, Period, WantedSymbol
    from examples.trading.shown import Candle, Prices

    from .subscription import Subscription


@dataclass(frozen=True, slots=True)
class Book:
    """Something that a broker shows as rows.

    Attributes:
        path: Where it is.
        at: The fields that lead to its rows, a list or a dict by id, in what the broker sends.
        row: The TypedDict that says what a row has to have.
        translate: Puts the rows into the application's terms; one answer for each.
    """

    path: str
    at: tuple[str, ...]
    row: type
    translate: Callable[[Any], Sequence[object]]


class Question(NamedTuple):
    """What is sent to a broker.

    Attributes:
        method: GET or POST.
        target: The path, and what follows it.
        document: What goes with it as JSON, if anything does.
    """

    method: str
    target: str
    document: object = None


class Listed(NamedTuple):
    """What the master contract has of a symbol that a broker is to be told."""

    token: str
    brsymbol: str
    brexchange: str


def find_listed(symbol: str, exchange: str) -> Listed | None:
    """Returns what a broker calls a symbol; None if the master contract does not have it."""
    token = get_token(symbol, exchange)
    if token is None:
        return None
    return Listed(
        token,
        get_br_symbol(symbol, exchange) or symbol,
        get_brexchange(symbol, exchange) or exchange,
    )


class BaseMarketData(ABC):
    """What a broker is asked for prices, and what its answers mean.

    Attributes:
        feed_path: Where it takes subscriptions.
    """

    feed_path: ClassVar[str]

    @abstractmethod
    def subscription_to(self, wanted: Sequence[WantedSymbol], mode: str) -> Subscription:
        """Returns the subscription to the wanted symbols, in a mode."""

    @abstractmethod
    def ask_for_quotes(self, instruments: Sequence[Listed]) -> Question:
        """Returns the question for the prices of some instruments."""

    @abstractmethod
    def read_quotes(self, answer: Any, instruments: Sequence[Listed]) -> list[Prices | None]:  # noqa: ANN401 - JSON
        """Reads each instrument's prices; None for one that the broker has none of."""

    @abstractmethod
    def ask_for_candles(self, instrument: Listed, period: Period) -> Question:
        """Returns the question for an instrument's prices in the past."""

    @abstractmethod
    def read_candles(self, answer: Any) -> list[Candle]:  # noqa: ANN401 - JSON
        """Reads such prices."""


class BaseBroker(ABC):
    """What a broker is asked of orders and books, and what its answers mean.

    Attributes:
        market: The same of prices.
        books: What the broker shows, under the application's names.
        order_path: Where it takes an order.
        margin_path: Where it says what orders would tie up.
    """

    market: ClassVar[BaseMarketData]
    books: ClassVar[Mapping[str, Book]]
    order_path: ClassVar[str]
    margin_path: ClassVar[str]

    def get_symbols_for_orders(self, orders: Iterable[NewOrder]) -> list[Listed | None]:
        """Returns what the broker calls each order's symbol; None where nobody knows."""
        return [find_listed(order.symbol, order.exchange) for order in orders]

    @abstractmethod
    def prepare_order_data(self, order: NewOrder, listed: Listed) -> Mapping[str, object]:
        """Puts an order into the broker's terms."""

    @abstractmethod
    def unwrap(self, answer: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """Takes what was asked for out of the object that the broker answers with.

        Raises:
            BrokerRefusalError: It holds a refusal.
        """

    @abstractmethod
    def order_id(self, placed: Any) -> str:  # noqa: ANN401 - JSON
        """Returns an order's id, out of what the broker says when it has taken one."""

    @abstractmethod
    def margin(self, answer: Any) -> Decimal:  # noqa: ANN401 - JSON
        """Returns the rupees that some orders would tie up."""
