"""The three requests that the demo compares, made of instruments of the contract at hand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .broker_account import POSITIONS
from .contract_sample import pick_instruments

if TYPE_CHECKING:
    from pathlib import Path

    from .contract_sample import Instrument

LEGS: Final = 10
SUBSCRIBED: Final = 20


@dataclass(frozen=True, slots=True)
class Operation:
    """A request, and how many lookups it takes: as many queries as that when they are naive."""

    name: str
    method: str
    path: str
    body: str | None
    lookups: int


def operations_on(database: Path) -> list[Operation]:
    """Returns the operations.

    Args:
        database: The SQLite file with the contract.

    Raises:
        ContractTooSmallError: The contract has too few instruments.
    """
    legs = pick_instruments(database, LEGS, tradable=True)
    watched = pick_instruments(database, SUBSCRIBED, tradable=False)
    basket = {"orders": [_leg(instrument, number) for number, instrument in enumerate(legs)]}
    subscription = {
        "mode": "quote",
        "symbols": [{"symbol": each.symbol, "exchange": each.exchange} for each in watched],
    }
    return [
        Operation(f"basket order ({LEGS} legs)", "POST", "/basket", json.dumps(basket), 3 * LEGS),
        Operation(f"position book ({POSITIONS} rows)", "GET", "/positions", None, 3 * POSITIONS),
        Operation(
            f"subscription ({SUBSCRIBED} symbols)",
            "POST",
            "/subscription",
            json.dumps(subscription),
            3 * SUBSCRIBED,
        ),
    ]


def _leg(instrument: Instrument, number: int) -> dict[str, object]:
    leg: dict[str, object] = {
        "symbol": instrument.symbol,
        "exchange": instrument.exchange,
        "action": ("BUY", "SELL")[number % 2],
        "product": "NRML",
        "quantity": instrument.lotsize,
    }
    if number % 3:
        return leg | {"pricetype": "LIMIT", "price": "101.05"}
    return leg | {"pricetype": "MARKET"}
