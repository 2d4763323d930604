"""The application that `test_workers` has real workers serve.

A POST of `{"payload": ...}` runs a loop; its answer has the loop's result and the statements that
were sent for it. With `?together=N` the loop begins when so many requests have come.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Flask, g, has_request_context, request
from sqlalchemy import Engine, event

from dataloaders import symbols
from dataloaders.symbols import SymbolLoader
from flask_dataloaders import DataLoaders
from tests.lookahead.worker_holdings import HOLDING_LOOPS, HoldingLoader, find
from tests.lookahead.worker_loops import ASYNC_LOOPS, LOOPS, POOLS, in_pool

if TYPE_CHECKING:
    from collections.abc import Callable

QUERY_SECONDS = 0.003  # how far away the database is while requests come together
BARRIER_SECONDS = 20

app = Flask(__name__)
dataloaders = DataLoaders(app)

with app.app_context():
    engine = dataloaders.master.bind
    master = dataloaders.master
assert isinstance(engine, Engine)

sent: list[str] = []
"""The parameters of all statements of this process."""

_barriers: dict[str, threading.Barrier] = {}
_barriers_lock = threading.Lock()
_together = threading.Event()


@event.listens_for(engine, "before_cursor_execute")
def note(_connection: object, _cursor: object, _text: str, parameters: object, *_: object) -> None:
    sent.append(str(parameters))
    if has_request_context():
        g.sent.append(str(parameters))
    if _together.is_set():
        time.sleep(QUERY_SECONDS)


@app.before_request
def begin() -> None:
    g.sent = []
    g.before = len(sent)
    parties = request.args.get("together")
    if parties is None:
        _together.clear()
        # What threads without a scope know is of one second at most; so it is of this request.
        master._common_until = 0.0
        return
    _together.set()
    with _barriers_lock:
        barrier = _barriers.setdefault(request.args["round"], threading.Barrier(int(parties)))
    barrier.wait(BARRIER_SECONDS)


def answer(result: object) -> dict[str, Any]:
    """Returns a result with the statements of this request.

    Those of threads without a context are only told apart when requests come one at a time.
    """
    return {"result": result, "sent": g.sent, "sent_meanwhile": len(sent) - g.before}


def payload() -> Any:  # noqa: ANN401 - any JSON
    return request.get_json()["payload"]


@app.post("/loops/<name>")
def run_loop(name: str) -> dict[str, Any]:
    return answer(LOOPS[name].run(symbols, payload()))


@app.post("/pools/<name>")
def run_pool(name: str) -> dict[str, Any]:
    return answer(POOLS[name].run(symbols, payload()))


@app.post("/async/<name>")
async def run_async_loop(name: str) -> dict[str, Any]:
    return answer(await ASYNC_LOOPS[name].run(SymbolLoader.current(), payload()))


@app.post("/native/pool_map")
def run_native_pool() -> dict[str, Any]:
    """With a native thread, which gevent has for what blocks.

    One, because locks that gevent has patched hang when several native threads wait for them.
    """
    from gevent.threadpool import ThreadPoolExecutor

    return answer(in_pool(ThreadPoolExecutor(1), symbols, payload()))


@app.post("/holdings/<name>")
def run_holding_loop(name: str) -> dict[str, Any]:
    run: Callable[[Any], object] = partial(HOLDING_LOOPS[name], find, request.get_json()["user"])
    result = run(payload())
    store = HoldingLoader.current()._store
    assert isinstance(store.values, dict)
    return {**answer(result), "known": [*map(str, store.values), *map(str, store.ahead)]}


@app.get("/sent")
def all_sent() -> list[str]:
    return sent
