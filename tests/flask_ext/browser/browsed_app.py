"""The application whose inspector the browser looks at.

Its database is that of DATALOADERS_DATABASE_URI. With BROWSED_TOOLBAR it has the debug toolbar.
"""

from __future__ import annotations

import os
import time
from time import perf_counter
from types import FunctionType
from typing import Any

from flask import Flask, g, request

from dataloaders import DataLoader
from dataloaders.symbols import SymbolLoader, get_token
from flask_dataloaders import DataLoaders

HOSTILE = "<script>document.title = 'harmed'</script><b class=harm>\"'&{{ 7 * 7 }}\u202ehcetni\x00"

SLEEPS = {1: 0.2, 2: 0.1}  # seconds that the batch of a key takes

app = Flask(__name__)
app.config["SECRET_KEY"] = "browsed"
DataLoaders(app)
if os.environ.get("BROWSED_TOOLBAR"):
    from flask_debugtoolbar import DebugToolbarExtension

    app.config["DEBUG_TB_ENABLED"] = True
    app.config["DEBUG_TB_PANELS"] = ["flask_dataloaders.toolbar.DataLoadersPanel"]
    DebugToolbarExtension(app)


class Slow(DataLoader[int, int]):
    """Sleeps, and says when."""

    def batch_load(self, keys: list[int]) -> dict[int, int]:
        begun = perf_counter()
        time.sleep(sum(SLEEPS[key] for key in keys))
        g.batches.append((begun, perf_counter()))
        return {key: -key for key in keys}


class Plain(DataLoader[str, str]):
    def batch_load(self, keys: list[str]) -> dict[str, str]:
        return {key: key for key in keys}


class Failing(DataLoader[str, str]):
    def batch_load(self, keys: list[str]) -> dict[str, str]:
        raise OSError(f"no {keys}")


@app.get("/timed")
def timed() -> dict[str, Any]:
    """Answers when what happened, in seconds from the first lookup."""
    g.batches = []
    slow = Slow.current()
    begun = perf_counter()
    slow.get(1)
    time.sleep(0.1)
    slow.get(2)
    time.sleep(0.1)
    slow.get(1)
    ended = perf_counter()
    return {
        "batches": [(first - begun, last - begun) for first, last in g.batches],
        "seconds": ended - begun,
    }


@app.get("/repeated")
def repeated() -> list[str]:
    return [Plain.current().get(f"key {number}") or "" for number in range(5)]


@app.get("/popped")
def popped() -> list[str]:
    keys = [f"key {number}" for number in range(5)]
    found = []
    while keys:
        found.append(Plain.current().get(keys.pop()) or "")
    return found


@app.get("/failing/<key>")
def failing(key: str) -> str:
    try:
        Failing.current().get(key)
    except OSError:
        return "failed"
    return "did not fail"


@app.post("/orders")
def orders() -> list[str | None]:
    rows = request.get_json()
    return [get_token(row["symbol"], row["exchange"]) for row in rows]


@app.get("/one/<symbol>")
def one(symbol: str) -> list[str | None]:
    record = SymbolLoader.current().get((symbol, "NSE"))
    return [None if record is None else record.token]


class Hostile(Plain):
    """Has a name that is none, and is asked for keys of the kind."""

    name = HOSTILE

    def batch_load(self, keys: list[Any]) -> dict[Any, str]:
        return dict.fromkeys(keys, "value")


def ask_hostile() -> None:
    keys: list[Any] = [HOSTILE, "k" * 10_000, b"\x00\xff", "\ud800"]
    Hostile.current().get_many(keys)


# What a place in the code is called is up to whoever wrote it.
hostile_names = FunctionType(
    ask_hostile.__code__.replace(co_filename=f"/{HOSTILE}.py", co_qualname=HOSTILE), globals()
)


@app.get("/hostile", endpoint=HOSTILE.replace(".", ""))
def hostile() -> str:
    hostile_names()
    return "done"


@app.get("/page")
def page() -> str:
    """A page of the application's own, whose names are those of the panel."""
    get_token("RELIANCE", "NSE")
    if "hostile" in request.args:
        hostile_names()
    return """<!doctype html><html lang="en"><head><title>Page</title><style>
h2 { color: rgb(1, 2, 3); } .row { display: inline; } .track { height: 7px; }
#waterfall { top: 1px; }
</style></head><body class="number"><h2 id="waterfall">Own</h2><h3>Own</h3>
<p class="row note">Own</p><pre class="source">Own</pre><a href="/">Own</a>
<div class="track figures">Own</div></body></html>"""


@app.get("/nothing")
def nothing() -> str:
    """A page without any lookup."""
    return "<!doctype html><html lang=en><title>Nothing</title><body>nothing</body></html>"
