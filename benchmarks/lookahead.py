"""What look-ahead saves a loop over rows, and what it costs a lookup that has no use for it.

The loops run on the generated contract in SQLite, each in a new scope; the first time means that
nothing is known of the place that asks.

Lookups that find no peers are measured apart from any source, because a query's time varies by more
than they cost: a loader whose batch function answers at once is asked by a function that a function
calls that a Flask view calls, each with the variables that such functions have. The clock runs
around the lookup alone, so what that takes longer than with look-ahead off is the time of
`peers_of`. It is made once in a request, or three times in a loop. Of a round's lookups the median
counts: what a place that is left alone costs is without the search that one lookup in 64 makes.
"""

from __future__ import annotations

import json
import random
import statistics
import time
from typing import TYPE_CHECKING, Any, ClassVar

from flask import Flask, request
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session, registry

from dataloaders import DataLoader, LoaderScope
from dataloaders.lookahead.sites import TRIES, forget_sites
from dataloaders.symbols import SymbolLoader, SymbolMaster, get_token, symtoken

from .measure import ADDED, compare, repeated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection, Engine

    from .measure import Result, Timed

    Order = dict[str, Any]

ROWS = 50
LOOPS_PER_ROUND = 10
NAIVE_LOOPS_PER_ROUND = 1  # they take tens of times as long
HITS_PER_ROUND = 10_000
REQUESTS_PER_ROUND = 20


def results(rounds: int, contract: Path) -> Iterator[Result]:
    """Yields the comparisons, on a generated contract of 150,000 rows."""
    engine = create_engine(f"sqlite:///{contract}")
    yield from _loops(rounds, engine)
    yield _hit(rounds, engine)
    engine.dispose()
    yield from _without_peers(rounds)


# -- loops over rows


class SymToken:
    """A row of the contract as the ORM has it."""

    token: str


registry().map_imperatively(SymToken, symtoken)


def add_tokens(orders: list[Order]) -> None:
    """A loop as applications have it."""
    for order in orders:
        order["token"] = get_token(order["symbol"], order["exchange"])


def add_tokens_by_orm(orders: list[Order], session: Session) -> None:
    """The same loop, where each lookup is a query for an entity."""
    for order in orders:
        query = session.query(SymToken)
        row = query.filter_by(symbol=order["symbol"], exchange=order["exchange"]).first()
        order["token"] = row.token if row else None


def add_tokens_by_core(orders: list[Order], connection: Connection) -> None:
    """The same loop, where each lookup is a query for a row."""
    columns = symtoken.c
    for order in orders:
        query = select(symtoken).where(
            columns.symbol == order["symbol"], columns.exchange == order["exchange"]
        )
        row = connection.execute(query).first()
        order["token"] = row.token if row else None


def _loops(rounds: int, engine: Engine) -> Iterator[Result]:
    master = SymbolMaster(engine)
    payload = _payload(engine)
    keys = [(order["symbol"], order["exchange"]) for order in json.loads(payload)]

    def one_by_one(orders: list[Order]) -> None:
        with master.scope():
            add_tokens(orders)

    def at_once(_orders: list[Order]) -> None:
        with master.scope():
            master.symbols.get_many(keys)

    def by_orm(orders: list[Order]) -> None:
        with Session(engine) as session:
            add_tokens_by_orm(orders, session)

    def by_core(orders: list[Order]) -> None:
        with engine.connect() as connection:
            add_tokens_by_core(orders, connection)

    _check(payload, master, (one_by_one, by_orm, by_core))
    title = f"`get_token` in a loop over {ROWS} rows, and the scope that it is in"
    for when, forget, wanted in (("the first time", True, 1.8), ("from then on", False, 1.4)):
        yield compare(
            f"{title}, {when}",
            _timed(one_by_one, payload, LOOPS_PER_ROUND, forget=forget),
            _timed(at_once, payload, LOOPS_PER_ROUND),
            against="one `get_many` of the same keys, and the scope that it is in",
            units=LOOPS_PER_ROUND,
            unit="loop",
            rounds=rounds,
            wanted=wanted,
        )
    for naive, query in ((by_orm, "the ORM's"), (by_core, "SQLAlchemy Core's")):
        yield compare(
            f"{title}, from then on",
            _timed(one_by_one, payload, NAIVE_LOOPS_PER_ROUND),
            _timed(naive, payload, NAIVE_LOOPS_PER_ROUND),
            against=f"the loop with one query for each row, {query} `first()`",
            units=NAIVE_LOOPS_PER_ROUND,
            unit="loop",
            rounds=rounds,
        )
    master.close()


def _payload(engine: Engine) -> str:
    """Returns orders of different symbols, as a client would send them."""
    with engine.connect() as connection:
        pairs = connection.execute(select(symtoken.c.symbol, symtoken.c.exchange)).all()
    chosen = random.Random(ROWS).sample(pairs, ROWS)  # noqa: S311 - which keys is no secret
    return json.dumps(
        [
            {
                "symbol": symbol,
                "exchange": exchange,
                "action": "BUY",
                "quantity": 10 * number,
                "product": "MIS",
                "pricetype": "MARKET",
            }
            for number, (symbol, exchange) in enumerate(chosen, start=1)
        ]
    )


def _check(
    payload: str, master: SymbolMaster, ways: tuple[Callable[[list[Order]], None], ...]
) -> None:
    """Sees to it that all ways give the same tokens, and that look-ahead finds the rows."""
    answers = []
    for way in ways:
        orders = json.loads(payload)
        way(orders)
        answers.append([order["token"] for order in orders])
    if answers[1:] != answers[:-1]:
        raise SystemExit("The loops gave different answers.")
    for _ in ("first time", "second time"):
        with master.scope():
            add_tokens(json.loads(payload))
            if master.symbols.stats.used != ROWS - 1:
                raise SystemExit("Look-ahead did not find the rows of the loop.")


def _timed(
    loop: Callable[[list[Order]], None], payload: str, times: int, *, forget: bool = False
) -> Timed:
    def timed() -> float:
        seconds = 0.0
        for _ in range(times):
            orders = json.loads(payload)  # each request has rows of its own
            if forget:
                forget_sites()
            begin = time.perf_counter()
            loop(orders)
            seconds += time.perf_counter() - begin
        return seconds

    return timed


# -- a key that is known


class SymbolsAlone(SymbolLoader):
    """Symbols without look-ahead."""

    lookahead = "off"


def _hit(rounds: int, engine: Engine) -> Result:
    return compare(
        "`get` of a key that the loader knows",
        _timed_hits(SymbolLoader(engine)),
        _timed_hits(SymbolsAlone(engine)),
        against="the same with look-ahead off",
        units=HITS_PER_ROUND,
        unit="call",
        rounds=rounds,
        wanted=1.05,  # nothing, and the clock's own mood
    )


def _timed_hits(loader: SymbolLoader) -> Timed:
    key = ("RELIANCE", "NSE")
    loader.get(key)
    return repeated(lambda: loader.get(key), HITS_PER_ROUND)


# -- lookups that find no peers


class Prices(DataLoader[tuple[str, str], float]):
    """Answers at once; each class keeps the times that its callers have taken."""

    lookahead = "on"
    shared = True
    seconds: ClassVar[list[float]] = []

    def batch_load(self, keys: list[tuple[str, str]]) -> list[float]:
        """Answers a batch."""
        return [1.0] * len(keys)


class PricesAlone(Prices):
    """The same without look-ahead."""

    lookahead = "off"
    seconds: ClassVar[list[float]] = []


ORDER = {
    "symbol": "NIFTY",
    "exchange": "NFO",
    "action": "BUY",
    "quantity": "75",
    "product": "MIS",
    "pricetype": "LIMIT",
    "expiry": "29SEP26",
    "strike": "24500",
}


def price_of(prices: type[Prices], symbol: str, exchange: str) -> float:
    """Asks, and takes the time."""
    key = (symbol, exchange)
    begin = time.perf_counter()
    price = prices.current().get(key)
    prices.seconds.append(time.perf_counter() - begin)
    return price


def place_one(order: Order, prices: type[Prices]) -> Order:
    """Asks once, as what places a single order does."""
    products = ["CNC", "MIS", "NRML"]
    errors: list[str] = []
    if order["product"] not in products:
        errors.append("product")
    value = price_of(prices, order["symbol"], order["exchange"]) * int(order["quantity"])
    return {"status": "error" if errors else "success", "value": value}


def place_spread(order: Order, prices: type[Prices]) -> Order:
    """Asks for symbols that it makes one by one, as often as a place is searched."""
    values: list[float] = []
    for step in range(TRIES):
        symbol = f"{order['symbol']}{order['expiry']}{int(order['strike']) + 50 * step}CE"
        values.append(price_of(prices, symbol, order["exchange"]) * int(order["quantity"]))
    return {"status": "success", "value": sum(values)}


def _without_peers(rounds: int) -> Iterator[Result]:
    for when, place, forget, wanted in (
        ("the first time", place_one, True, 30_000),
        ("in a loop, the first times", place_spread, True, None),
        ("while the place is left alone", place_one, False, 2_000),
    ):
        yield compare(
            f"`get` in a view that has no peers to find, {when}",
            _timed_requests(place, Prices, forget=forget),
            _timed_requests(place, PricesAlone, forget=forget),
            against="the same with look-ahead off",
            units=1,
            unit="call",
            rounds=rounds,
            wanted=wanted,
            of=ADDED,
        )


def _timed_requests(
    place: Callable[[Order, type[Prices]], Order], prices: type[Prices], *, forget: bool
) -> Timed:
    app = Flask(__name__)

    def view() -> Order:
        order = request.args.to_dict()
        api_key = request.headers.get("X-API-KEY", "")
        with LoaderScope() as scope:
            scope.loader(prices)  # made here, not while the clock runs
            answer = place(order, prices)
            if scope.loader(prices).stats.expected:
                raise SystemExit("Look-ahead found peers where there are none.")
        return answer | {"user": api_key}

    app.add_url_rule("/orders", view_func=view)
    client = app.test_client()

    def timed() -> float:
        prices.seconds.clear()
        for _ in range(REQUESTS_PER_ROUND):
            if forget:
                forget_sites()
            client.get("/orders", query_string=ORDER)
        return statistics.median(prices.seconds)

    return timed
