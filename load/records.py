"""What is written down of a run by clients and workers; times are of the monotonic clock."""

from __future__ import annotations

from typing import Any, NamedTuple

OK = 200


class Request(NamedTuple):
    """A request that a client sent.

    Attributes:
        name: Its endpoint.
        begin: When, in seconds.
        seconds: How long it took.
        status: Of HTTP; 0 if there was no answer.
        queries: What the database was asked for it.
        fault: What was not as it has to be; empty if all was.
    """

    name: str
    begin: float
    seconds: float
    status: int
    queries: int
    fault: str


class Told(NamedTuple):
    """An order that a client sent, and what it was told of it.

    Attributes:
        order_id: The broker's number; None if the client was told of none.
        symbol: Of what.
        exchange: Where.
        quantity: Units; no other order of the run has as many, but for the slices of a split one.
        begin: When the request began, in seconds.
        end: When its answer was there.
    """

    order_id: str | None
    symbol: str
    exchange: str
    quantity: int
    begin: float
    end: float


class Seen(NamedTuple):
    """A price that a client of the stream had: the first of its contract.

    Attributes:
        contracts: Those whose token for the symbol has had that price of late.
        begin: When the client subscribed, in seconds.
        at: When the price came.
        symbol: Of what.
    """

    contracts: tuple[int, ...]
    begin: float
    at: float
    symbol: str


class Heard(NamedTuple):
    """What clients wrote down."""

    requests: list[Request]
    orders: list[Told]
    prices: list[Seen]
    subscriptions: int

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Heard:
        """Reads what a generator wrote."""
        return cls(
            [Request(*row) for row in document["requests"]],
            [Told(*row) for row in document["orders"]],
            [Seen(tuple(row[0]), *row[1:]) for row in document["prices"]],
            document["subscriptions"],
        )


class Size(NamedTuple):
    """How much of the memory a worker has: seconds, and MiB that are resident."""

    at: float
    mib: float
