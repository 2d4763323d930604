"""What it costs a request of 50 lookups that somebody counts them, or wants to see each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Flask, request

from dataloaders.symbols import get_token
from flask_dataloaders import DataLoaders

from .measure import compare, repeated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .databases import Database
    from .measure import Result

ORDERS = 50
REQUESTS_PER_ROUND = 40
NOBODY: dict[str, object] = {"INSPECTOR": "off"}
COUNTED: dict[str, object] = {"INSPECTOR": "off", "SERVER_TIMING": "on"}
INSPECTED: dict[str, object] = {
    "INSPECTOR": lambda: True,
    "SERVER_TIMING": "on",
}
DETECTED: dict[str, object] = INSPECTED | {"DETECT": "log"}


def results(rounds: int, database: Database) -> Iterator[Result]:
    """Yields the comparisons, through Flask's test client."""
    orders = [
        {"symbol": symbol, "exchange": exchange} for symbol, exchange in database.pairs(ORDERS)
    ]
    nobody = _requests(database, NOBODY, orders)
    for title, settings, wanted in (
        ("counted, with a `Server-Timing` header", COUNTED, 1.05),
        ("kept for the inspector, with that header", INSPECTED, 1.25),
        ("kept for the inspector, with that header and the detector", DETECTED, None),
    ):
        yield compare(
            f"a request of {ORDERS} lookups, on {database.name}, {title}",
            _requests(database, settings, orders),
            nobody,
            against="the same request that nobody watches",
            units=REQUESTS_PER_ROUND,
            unit="request",
            rounds=rounds,
            wanted=wanted,
        )


def _requests(
    database: Database, settings: dict[str, object], orders: list[dict[str, Any]]
) -> Callable[[], float]:
    app = Flask(__name__)
    app.config |= {f"DATALOADERS_{name}": value for name, value in settings.items()}
    DataLoaders(app, engine=database.engine)

    @app.post("/")
    def place() -> list[dict[str, Any]]:
        placed: list[dict[str, Any]] = request.get_json()
        for order in placed:
            order["token"] = get_token(order["symbol"], order["exchange"])
        return placed

    client = app.test_client()
    answer = client.post("/", json=orders)
    if not all(order["token"] for order in answer.get_json()):
        raise SystemExit("Not all symbols were found.")
    if ("Server-Timing" in answer.headers) != ("SERVER_TIMING" in settings):
        raise SystemExit("What was set is not what is measured.")
    return repeated(lambda: client.post("/", json=orders), REQUESTS_PER_ROUND)
