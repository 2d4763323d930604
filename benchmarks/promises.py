"""The trading example's requests, end to end: with a query for each lookup, and batched.

Both sides are the same application in two modes. A request goes through Flask and the loops of one
broker (Kite's rows), and the broker answers in the same process, so that what is compared is the
application. A second row has the broker behind HTTP, in a process of its own.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections import Counter
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from examples.trading.app import NAIVE, close_app, create_app
from examples.trading.measuring import BATCHED, faults_of
from examples.trading.metering import LOOKUPS_HEADER, QUERIES_HEADER
from examples.trading.operations import operations_on, promised_operations
from examples.trading.serving import Answer, broker_process

from .measure import BYTES, COUNT, compare, repeated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from flask import Flask
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from examples.trading.operations import Operation

    from .databases import Database
    from .measure import Result, Timed

MEMORY: Final = "memory:"
REQUESTS: Final = 3
_SHOWN: Final = 10
TIMES_FASTER: Final = {
    ("/basket", "SQLite"): 6,
    ("/basket", "PostgreSQL"): 6,
    ("/positions", "SQLite"): 15,
    ("/positions", "PostgreSQL"): 28,
    ("/subscription", "SQLite"): 8,
    ("/subscription", "PostgreSQL"): 8,
}
MEMORY_LEFT: Final = 0.4
QUERIES_LEFT: Final = 0.1


def results(rounds: int, databases: list[Database]) -> Iterator[Result]:
    """Yields the comparisons."""
    for database in databases:
        url = database.engine.url.render_as_string(hide_password=False)
        with variants(url, MEMORY) as (batched, naive):
            for operation in promised_operations(url):
                yield _end_to_end(operation, database.name, batched, naive, rounds)
                yield _memory(operation, database.name, batched, naive)
        with broker_process(url) as broker_url, variants(url, broker_url) as (batched, naive):
            yield _queries(operations_on(url), database.name, batched, naive)
            for operation in promised_operations(url):
                yield _end_to_end(
                    operation, database.name, batched, naive, rounds, broker=" behind HTTP"
                )


@contextmanager
def variants(database_url: str, broker_url: str) -> Iterator[tuple[FlaskClient, FlaskClient]]:
    """Makes the application in both modes; gives a client of each, the batched one's first."""
    settings = {"TRADING_DATABASE_URI": database_url, "TRADING_BROKER_URL": broker_url}
    with ExitStack() as stack:

        def made(mode: str) -> Flask:
            app = create_app(settings | {"DATALOADERS_MODE": mode})
            stack.callback(close_app, app)
            return app

        yield made("on").test_client(), made(NAIVE).test_client()


def _end_to_end(
    operation: Operation,
    database: str,
    batched: FlaskClient,
    naive: FlaskClient,
    rounds: int,
    *,
    broker: str = "",
) -> Result:
    _check(operation, batched, naive)
    times = None if broker else TIMES_FASTER.get((operation.path, database))
    return compare(
        f"{operation.name}, the broker{broker or ' in memory'}, on {database}: a request",
        repeated(_request(batched, operation), REQUESTS),
        repeated(_request(naive, operation), REQUESTS),
        against=f"the same application with {operation.lookups} queries of the ORM",
        units=REQUESTS,
        unit="request",
        rounds=max(4, rounds // 2),
        wanted=None if times is None else 1 / times,
        facts=_facts("time", operation, database) | {"broker": "HTTP" if broker else "memory"},
    )


def _memory(
    operation: Operation, database: str, batched: FlaskClient, naive: FlaskClient
) -> Result:
    return compare(
        f"{operation.name}, on {database}: the most memory that a request has at a time",
        _peak(_request(batched, operation)),
        _peak(_request(naive, operation)),
        against=f"the same application with {operation.lookups} queries of the ORM",
        units=1,
        unit="request",
        rounds=4,
        wanted=MEMORY_LEFT,
        quantity=BYTES,
        facts=_facts("memory", operation, database),
    )


def _queries(
    operations: list[Operation], database: str, batched: FlaskClient, naive: FlaskClient
) -> Result:
    sent = Counter[str]()
    for operation in operations:
        for variant, answer in _check(operation, batched, naive).items():
            sent[variant] += answer.queries
    return compare(
        f"a request to each of the {len(operations)} endpoints, on {database}: queries",
        lambda: sent[BATCHED],
        lambda: sent[NAIVE],
        against="the same application with a query for each lookup",
        units=1,
        unit="round",
        rounds=1,
        wanted=QUERIES_LEFT,
        quantity=COUNT,
        facts={"figure": "queries", "database": database},
    )


def _facts(figure: str, operation: Operation, database: str) -> dict[str, str | int]:
    return {
        "figure": figure,
        "operation": operation.name,
        "database": database,
        "lookups": operation.lookups or 0,
        "queries": operation.batches,
    }


def _check(operation: Operation, batched: FlaskClient, naive: FlaskClient) -> Mapping[str, Answer]:
    """Returns the answers; ends the run if they differ, or queries are not what they have to be."""
    answers = {NAIVE: _ask(naive, operation), BATCHED: _ask(batched, operation)}
    faults = faults_of(operation, answers)
    if faults:
        raise SystemExit("\n".join((operation.name, *faults[:_SHOWN])))
    return answers


def _ask(client: FlaskClient, operation: Operation) -> Answer:
    response = _request(client, operation)()
    return Answer(
        response.status_code,
        response.get_json(),
        int(response.headers[LOOKUPS_HEADER]),
        int(response.headers[QUERIES_HEADER]),
    )


def _request(client: FlaskClient, operation: Operation) -> Callable[[], TestResponse]:
    return partial(
        client.open,
        operation.path,
        method=operation.method,
        data=operation.body,
        content_type="application/json",
    )


def _peak(call: Callable[[], object]) -> Timed:
    """Returns what says how many bytes more a call had at its peak than before it."""

    def peak() -> float:
        call()
        gc.collect()
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            call()
            return tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()

    return peak
