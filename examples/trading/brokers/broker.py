"""What a broker is to the rest of the application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from examples.trading.requests import BasketLeg, WantedSymbol

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


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker's own ways.

    Attributes:
        unwrap: Takes what was asked for out of the object that the broker answers with. Raises a
            BrokerRefusalError if it holds a refusal.
        books: What the broker shows, under the application's names.
        basket_path: Where it takes orders, several at once.
        new_orders: Returns each leg's order, or None for one whose symbol the master contract does
            not have.
        order_id: Returns a placed order's id, out of the broker's answer for this order. Raises a
            BrokerRefusalError if it was not taken.
        feed_path: Where it takes subscriptions.
        subscription_to: Returns the subscription to the wanted symbols, in a mode.
    """

    unwrap: Callable[[dict[str, Any]], object]
    books: Mapping[str, Book]
    basket_path: str
    new_orders: Callable[[Sequence[BasketLeg]], Sequence[object]]
    order_id: Callable[[dict[str, Any]], str]
    feed_path: str
    subscription_to: Callable[[Sequence[WantedSymbol], str], Subscription]
