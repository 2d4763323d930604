"""A Flask view that looks 50 positions up, three times each: batched, and by a query each time."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from flask import Flask

import dataloaders.symbols
from examples.trading.lookups.naive import NaiveLookups
from flask_dataloaders import DataLoaders

from .databases import THREADS
from .measure import compare, repeated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .databases import Database
    from .measure import Result

POSITIONS = 50
LATENCY, THROUGHPUT = "latency", "throughput"
REQUESTS = {LATENCY: 4, THROUGHPUT: 4 * THREADS}
WANTED = {
    ("SQLite", LATENCY): 15,
    ("SQLite", THROUGHPUT): 25,
    ("PostgreSQL", LATENCY): 28,
    ("PostgreSQL", THROUGHPUT): 45,
}
"""How many times as fast the batched view has to be."""


def results(rounds: int, databases: list[Database]) -> Iterator[Result]:
    """Yields the comparisons."""
    for database in databases:
        payload = json.dumps(
            [
                {"symbol": symbol, "exchange": exchange, "quantity": 75}
                for symbol, exchange in database.pairs(POSITIONS)
            ]
        )
        batched, one_by_one = Flask("batched"), Flask("one_by_one")
        DataLoaders(batched, engine=database.engine)
        add_view(batched, dataloaders.symbols, payload)
        naive = NaiveLookups(database.engine)
        one_by_one.teardown_appcontext(naive.close_sessions)
        add_view(one_by_one, naive, payload)
        if batched.test_client().get("/").data != one_by_one.test_client().get("/").data:
            raise SystemExit(f"{database.name}: the two views gave different answers.")
        for kind, timed, title in (
            (LATENCY, _one_after_another, "one request after another"),
            (THROUGHPUT, _at_once, f"requests of {THREADS} threads"),
        ):
            wanted = WANTED.get((database.name, kind))
            yield compare(
                f"a view of {POSITIONS} positions with 3 lookups each, on {database.name}, {title}",
                timed(batched),
                timed(one_by_one),
                against=f"the same view with {POSITIONS * 3} queries of the ORM",
                units=REQUESTS[kind],
                unit="request",
                rounds=max(4, rounds // 3),
                wanted=None if wanted is None else 1 / wanted,
            )


def add_view(app: Flask, lookups: Any, payload: str) -> None:  # noqa: ANN401 - a module, or an object
    """Adds the view to an application, on given lookups."""

    def view() -> list[dict[str, Any]]:
        positions: list[dict[str, Any]] = json.loads(payload)  # as a broker's answer would be
        for position in positions:
            symbol, exchange = position["symbol"], position["exchange"]
            position["token"] = lookups.get_token(symbol, exchange)
            position["brsymbol"] = lookups.get_br_symbol(symbol, exchange)
            info = lookups.get_symbol_info(symbol, exchange)
            position["lots"] = position["quantity"] / info.lotsize if info else None
        return positions

    app.add_url_rule("/", view_func=view)


def _one_after_another(app: Flask) -> Callable[[], float]:
    return repeated(lambda: app.test_client().get("/"), REQUESTS[LATENCY])


def _at_once(app: Flask) -> Callable[[], float]:
    def timed() -> float:
        with ThreadPoolExecutor(THREADS) as pool:
            begin = time.perf_counter()
            for _ in pool.map(
                lambda _: app.test_client().get("/").data, range(REQUESTS[THROUGHPUT])
            ):
                pass
            return time.perf_counter() - begin

    return timed
