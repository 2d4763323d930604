"""A request to each endpoint, made of instruments of the contract at hand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import create_engine, func, select
from sqlalchemy.pool import NullPool

from dataloaders.symbols import symtoken

from .broker_side.account import POSITIONS
from .contract_sample import WATCHABLE, pick_instruments

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .contract_sample import Instrument

LEGS: Final = 10
SUBSCRIBED: Final = 20
SLICES: Final = 10
QUOTED: Final = 50
CHARTED: Final = 10
ANALYSED: Final = 200


@dataclass(frozen=True, slots=True)
class Operation:
    """A request, and what it takes.

    Attributes:
        name: What it is called.
        method: GET or POST.
        path: Where it goes.
        body: The JSON that goes with it, if any does.
        lookups: How many lookups it takes; None if that depends on the broker.
        own_queries: How many queries its service sends that are no lookups.
        batches: The most queries that its lookups may take when they are batched.
    """

    name: str
    method: str
    path: str
    body: str | None = None
    lookups: int | None = None
    own_queries: int = 0
    batches: int = 1


def promised_operations(database: str) -> list[Operation]:
    """Returns a basket order, the position book and a subscription.

    Args:
        database: SQLAlchemy's URL of the contract.

    Raises:
        ContractTooSmallError: The contract has too few instruments.
    """
    watched = pick_instruments(database, SUBSCRIBED, WATCHABLE)
    subscription = {"mode": "quote", "symbols": _pairs(watched)}
    return [
        _post(f"basket order ({LEGS} legs)", "/basket", _basket(database), 3 * LEGS),
        Operation(f"position book ({POSITIONS} rows)", "GET", "/positions", lookups=3 * POSITIONS),
        _post(
            f"subscription ({SUBSCRIBED} symbols)", "/subscription", subscription, 3 * SUBSCRIBED
        ),
    ]


def operations_on(database: str) -> list[Operation]:
    """Returns a request to each endpoint; see `promised_operations`, which are among them."""
    [leg] = pick_instruments(database, 1)
    whole = _order(leg, 1) | {"quantity": SLICES * leg.lotsize, "slice": leg.lotsize}
    period = {"interval": "5minute", "from": "2026-08-18 09:15:00", "to": "2026-08-18 10:15:00"}
    quoted, charted, analysed = (
        {"symbols": _pairs(pick_instruments(database, count, WATCHABLE))}
        for count in (QUOTED, CHARTED, ANALYSED)
    )
    return [
        *promised_operations(database),
        Operation("order book", "GET", "/orders"),
        Operation("trade book", "GET", "/trades"),
        # Where a broker does not name the exchange, each that is tried takes a query.
        Operation("holdings", "GET", "/holdings", batches=2),
        _post(f"split order ({SLICES} slices)", "/split", whole, 3 * SLICES),
        _post(f"margin ({LEGS} orders)", "/margin", _basket(database), 3 * LEGS),
        _post(f"quotes ({QUOTED} symbols)", "/quotes", quoted, 3 * QUOTED),
        _post(f"history ({CHARTED} symbols)", "/history", period | charted, 3 * CHARTED),
        _post(f"analytics ({ANALYSED} symbols)", "/analytics", analysed, 4 * ANALYSED),
        _option_chain(database),
    ]


def _post(name: str, path: str, document: object, lookups: int) -> Operation:
    return Operation(name, "POST", path, json.dumps(document), lookups)


def _basket(database: str) -> dict[str, object]:
    legs = pick_instruments(database, LEGS)
    return {"orders": [_order(leg, number) for number, leg in enumerate(legs)]}


def _order(instrument: Instrument, number: int) -> dict[str, object]:
    order: dict[str, object] = {
        "symbol": instrument.symbol,
        "exchange": instrument.exchange,
        "action": ("BUY", "SELL")[number % 2],
        "product": "NRML",
        "quantity": instrument.lotsize,
    }
    if number % 3:
        return order | {"pricetype": "LIMIT", "price": "101.05"}
    return order | {"pricetype": "MARKET"}


def _pairs(instruments: Iterable[Instrument]) -> list[dict[str, str]]:
    return [{"symbol": each.symbol, "exchange": each.exchange} for each in instruments]


def _option_chain(database: str) -> Operation:
    """The longest chain, the first of several."""
    columns = symtoken.c
    chain = (columns.exchange, columns.name, columns.expiry)
    longest = (
        select(*chain, func.count())
        .where(columns.instrumenttype.in_(("CE", "PE")))
        .group_by(*chain)
        .order_by(func.count().desc(), *chain)
        .limit(1)
    )
    with create_engine(database, poolclass=NullPool).connect() as connection:
        exchange, name, expiry, count = connection.execute(longest).one()
    path = f"/options/{exchange}/{name}/{expiry}"
    return Operation(
        f"option chain ({count} options)", "GET", path, lookups=4 * count, own_queries=1
    )
