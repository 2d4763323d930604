"""The application that `test_servers` starts under real servers.

Its database is that of DATALOADERS_DATABASE_URI. Each view answers a POST of
`{"pairs": [[symbol, exchange], ...]}` with the tokens; `/stats` says what the views did.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from flask import Flask, Response, g, has_app_context, request, stream_with_context
from sqlalchemy import Engine, event

from dataloaders import LoaderScope, ScopeThreadPoolExecutor, current_scope
from dataloaders.symbols import SymbolLoader, get_token
from flask_dataloaders import DataLoaders

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator

POOL_THREADS = 8
POOL_QUERY_SECONDS = 0.01  # how far away the database of the /pool view is
FILLER = "x" * 8_192


class DeliberateError(Exception):
    """What the /raises view raises; it is not logged."""


class Stats:
    """What the views did, over all requests."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.started = 0
        self.finished = 0
        self.shared_scopes = 0
        self.unclosed_scopes = 0
        self.without_scope = 0
        self.several_scopes = 0
        self.statements: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self.statements_outside = 0
        self.lookups_outside = 0
        self.owners: WeakKeyDictionary[LoaderScope, int] = WeakKeyDictionary()


stats = Stats()
app = Flask(__name__)


@app.before_request
def begin() -> None:
    if request.endpoint == "report":
        return
    with stats.lock:
        stats.started += 1
        g.number = stats.started
    g.endpoint = request.endpoint
    g.statements = 0
    g.scopes = set()


# Registered before the extension's own, and so called after it.
@app.teardown_appcontext
def finish(_error: BaseException | None) -> None:
    if "number" not in g:
        return
    with stats.lock:
        stats.unclosed_scopes += sum(not scope.closed for scope in g.scopes)
        if g.endpoint == "stream" and not g.get("streaming"):
            return  # Flask ends the context here, and once more after the stream
        stats.finished += 1
        stats.without_scope += not g.scopes
        stats.several_scopes += len(g.scopes) > 1
        stats.statements[g.endpoint][g.statements] += 1


dataloaders = DataLoaders(app)

with app.app_context():
    engine = dataloaders.master.bind
assert isinstance(engine, Engine)


@event.listens_for(engine, "before_cursor_execute")
def count(*_arguments: object) -> None:
    with stats.lock:
        if has_app_context() and "number" in g:
            g.statements += 1
        else:
            stats.statements_outside += 1
    if has_app_context() and g.get("endpoint") == "pool":
        time.sleep(POOL_QUERY_SECONDS)


def note_scope() -> None:
    """Notes to whom the current scope belongs."""
    scope = current_scope()
    with stats.lock:
        if scope is None:
            stats.lookups_outside += 1
            return
        stats.shared_scopes += stats.owners.setdefault(scope, g.number) != g.number
        g.scopes.add(scope)


def asked() -> list[tuple[str, str]]:
    return [(symbol, exchange) for symbol, exchange in request.get_json()["pairs"]]


def noted_token(symbol: str, exchange: str) -> str | None:
    token = get_token(symbol, exchange)
    note_scope()
    return token


@app.post("/many")
def many() -> list[str | None]:
    records = SymbolLoader.current().get_many(asked())
    note_scope()
    return [None if record is None else record.token for record in records]


@app.post("/loop")
def loop() -> list[str | None]:
    return [noted_token(symbol, exchange) for symbol, exchange in asked()]


@app.post("/pool")
def pool() -> list[str | None]:
    with ScopeThreadPoolExecutor(POOL_THREADS) as executor:
        return list(executor.map(lambda pair: noted_token(*pair), asked()))


@app.post("/gathered")
async def gathered() -> list[str | None]:
    async def token(pair: tuple[str, str]) -> str | None:
        record = await SymbolLoader.current().load(pair)
        note_scope()
        return None if record is None else record.token

    return list(await asyncio.gather(*map(token, asked())))


@app.post("/stream")
def stream() -> Response:
    pairs = asked()
    SymbolLoader.current().get(pairs[0])
    note_scope()
    filler = FILLER if "filled" in request.args else ""

    def lines() -> Iterator[str]:
        g.streaming = True
        for symbol, exchange in pairs:
            yield f"{noted_token(symbol, exchange) or ''}{filler}\n"

    return Response(stream_with_context(lines()), mimetype="text/plain")


@app.post("/raises")
def raises() -> Response:
    SymbolLoader.current().get_many(asked())
    note_scope()
    raise DeliberateError


@app.post("/nothing")
def nothing() -> list[str]:
    return []


@app.get("/stats")
def report() -> dict[str, Any]:
    with stats.lock:
        return {
            "started": stats.started,
            "finished": stats.finished,
            "shared_scopes": stats.shared_scopes,
            "unclosed_scopes": stats.unclosed_scopes,
            "without_scope": stats.without_scope,
            "several_scopes": stats.several_scopes,
            "statements": {name: dict(counts) for name, counts in stats.statements.items()},
            "statements_outside": stats.statements_outside,
            "lookups_outside": stats.lookups_outside,
        }


def _is_unexpected(record: logging.LogRecord) -> bool:
    return not (record.exc_info and record.exc_info[0] is DeliberateError)


app.logger.addFilter(_is_unexpected)
