"""What the inspector shows, and what it does not."""

from __future__ import annotations

import asyncio
import gc
import logging
import re
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import FunctionType, SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from flask import Flask, Response, abort, request, stream_with_context
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, insert, text
from sqlalchemy.pool import StaticPool
from werkzeug.routing import IntegerConverter

from dataloaders import DataLoader
from dataloaders.errors import ConfigurationError
from dataloaders.observe.loader_record import MAX_LOOKUPS
from dataloaders.observe.record import MAX_BATCHES
from dataloaders.observe.texts import MAX_STATEMENTS
from dataloaders.sql import GroupedTableLoader, Shards, TableLoader
from dataloaders.symbols import (
    SymbolLoader,
    generate_contract,
    get_br_symbol,
    get_oa_symbol,
    get_symbol,
    get_symbols_batch,
    get_token,
    replace_contract,
)
from flask_dataloaders.inspector import pages
from flask_dataloaders.observing import Observing
from tests.flask_ext.inspecting import (
    ROOT,
    Document,
    Doubles,
    figures_of,
    make_app,
    pages_of,
    rows_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine

    from dataloaders.observe import Observer


# -- which requests


def test_the_last_requests_are_kept_and_no_more() -> None:
    client = make_app(DATALOADERS_INSPECTOR_REQUESTS=3).test_client()
    for count in range(1, 8):
        client.get(f"/look/{count}")
    rows = rows_of(client.get(ROOT).text)
    assert [row["Lookups"] for row in rows] == ["7", "6", "5"]
    assert sum(path.startswith(f"{ROOT}requests/") for path in pages_of(client)) == 3
    totals = client.get(f"{ROOT}totals.json").json
    assert totals is not None
    assert totals["look"]["scopes"] == 7
    assert totals["look"]["loaders"]["Doubles"]["lookups"] == sum(range(1, 8))


def test_requests_that_look_nothing_up_are_not_listed() -> None:
    app = make_app()
    app.add_url_rule("/nothing", view_func=lambda: "nothing")
    client = app.test_client()
    client.get("/nothing")
    assert "No request has looked anything up yet." in client.get(ROOT).text


def test_the_inspectors_own_requests_are_not_listed() -> None:
    app = make_app()

    @app.before_request
    def before() -> None:
        Doubles.current().get(1)

    client = app.test_client()
    client.get("/look/3")
    for _ in range(3):
        pages_of(client)
    (row,) = rows_of(client.get(ROOT).text)
    assert row["Request"] == "GET /look/<int:count>"


def test_threads_that_begin_at_once_are_each_listed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Observing._made

    def slowly(self: Observing, *, debug: bool) -> Observer | None:
        time.sleep(0.05)  # the others come in meanwhile
        return original(self, debug=debug)

    monkeypatch.setattr(Observing, "_made", slowly)
    app = make_app()
    barrier = threading.Barrier(8)

    def look() -> None:
        client = app.test_client()
        barrier.wait()
        client.get("/look/3")

    with ThreadPoolExecutor(8) as executor:
        for done in [executor.submit(look) for _ in range(8)]:
            done.result()
    totals = app.test_client().get(f"{ROOT}totals.json").json
    assert totals is not None
    assert totals["look"]["scopes"] == 8
    assert len(rows_of(app.test_client().get(ROOT).text)) == 8


def test_a_request_inside_a_request_has_its_own_row() -> None:
    app = make_app()

    @app.get("/outer")
    def outer() -> str:
        Doubles.current().get(1)
        inner = app.test_client().get("/look/5").text
        Doubles.current().get(2)
        return inner

    client = app.test_client()
    assert client.get("/outer").text == "20"
    rows = rows_of(client.get(ROOT).text)
    assert [(row["Request"], row["Lookups"]) for row in rows] == [
        ("GET /outer", "2"),
        ("GET /look/<int:count>", "5"),
    ]


def test_an_async_view() -> None:
    app = make_app()

    @app.get("/gathered")
    async def gathered() -> str:
        return str(sum(await asyncio.gather(*map(Doubles.current().load, range(7)))))

    client = app.test_client()
    assert client.get("/gathered").text == "42"
    (row,) = rows_of(client.get(ROOT).text)
    assert (row["Lookups"], row["Queries"]) == ("7", "1")


def test_a_request_whose_route_depends_on_a_lookup() -> None:
    app = make_app()

    class Doubled(IntegerConverter):
        def to_python(self, value: str) -> Any:  # noqa: ANN401 - as its base
            return Doubles.current().get(super().to_python(value))

    app.url_map.converters["doubled"] = Doubled
    app.add_url_rule("/doubled/<doubled:number>", "doubled", lambda number: f"{number}")
    client = app.test_client()
    answer = client.get("/doubled/21")
    assert answer.text == "42"
    assert "1 lookups" in answer.headers["Server-Timing"]
    (row,) = rows_of(client.get(ROOT).text)
    assert row["Request"] == "GET /doubled/<doubled:number>"
    totals = client.get(f"{ROOT}totals.json").json
    assert totals is not None
    assert list(totals) == ["doubled"]


def test_a_stream_that_looks_up_after_its_view() -> None:
    """Flask ends a stream's context once before it begins; all that it looks up is seen."""
    app = make_app()

    @app.get("/stream")
    def stream() -> Response:
        Doubles.current().get(1)
        parts = (str(Doubles.current().get(number)) for number in range(2, 6))
        return Response(stream_with_context(parts))

    client = app.test_client()
    assert client.get("/stream").text == "46810"
    rows = rows_of(client.get(ROOT).text)
    assert {row["Request"].split("\n")[0] for row in rows} == {"GET /stream"}
    assert sum(int(row["Lookups"]) for row in rows) == 5


def test_requests_that_fail_are_listed() -> None:
    app = make_app()
    app.config["PROPAGATE_EXCEPTIONS"] = False

    class Fails(DataLoader[int, int]):
        def batch_load(self, keys: list[int]) -> dict[int, int]:
            raise OSError(f"no {keys}")

    app.add_url_rule("/fails", view_func=lambda: str(Fails.current().get(1)))
    client = app.test_client()
    assert client.get("/fails").status_code == 500
    pages = pages_of(client)
    page = next(text for path, text in pages.items() if "/requests/" in path)
    assert figures_of(page)["Keys in error"] == "1"
    assert "1 in error (OSError)" in page


def test_the_sums_of_a_page_are_what_was_asked() -> None:
    app = make_app()

    @app.get("/several")
    def several() -> str:
        doubles = Doubles.current()
        doubles.get_many([1, 2, 3])
        doubles.get(3)
        doubles.get_many([3, 4])
        return ""

    client = app.test_client()
    client.get("/several")
    page = next(text for path, text in pages_of(client).items() if "/requests/" in path)
    figures = figures_of(page)
    assert figures["Lookups"] == "6"
    assert figures["Queries"] == "2"
    assert figures["Saved"] == "4"
    assert figures["Already known"] == "33 %"
    said = Document(page).text
    assert "Doubles: 3 keys, 1 \u00d7 waited" in said
    assert "Doubles: 1 key, 1 \u00d7 known" in said
    assert "Batch 2 of Doubles\n1 asked for" in said


# -- a request that did a lot


def widths_of(page: str, kind: str) -> list[tuple[float, float]]:
    """Returns where the marks of a kind begin and end, from 0 to 1,000."""
    found = re.findall(rf'<rect class="{kind}" x="([^"]+)" width="([^"]+)"', page)
    return [(float(x), float(x) + float(width)) for x, width in found]


def page_after(app: Flask, path: str) -> str:
    client = app.test_client()
    client.get(path)
    (page,) = [text for path, text in pages_of(client).items() if "/requests/" in path]
    return page


def test_what_is_sent_after_many_batches_is_drawn_as_well() -> None:
    app = make_app()

    class Fails(DataLoader[int, int]):
        def batch_load(self, keys: list[int]) -> dict[int, int]:
            raise OSError(f"no {keys}")

    @app.get("/heavy")
    def heavy() -> str:
        for number in range(300):
            Doubles.current().get(number)
        with suppress(OSError):
            Fails.current().get(1)
        return ""

    page = page_after(app, "/heavy")
    said = Document(page).text
    assert figures_of(page)["Queries"] == "301"
    assert re.search(r"300 batches of Doubles\s+from .*test_inspector.py:\d+ in .*heavy", said)
    assert "300 asked for;" in said
    assert "300 queries" in said
    assert re.search(r"Batch 301 of Fails\s+1 asked for; .* 1 in error \(OSError\)", said)
    assert "not drawn" not in said
    (failed,) = widths_of(page, "failed")
    sent = widths_of(page, "sent")
    assert 30 < len(sent) < 400
    assert failed[0] >= max(begin for begin, _ in sent)
    # All are named in the marks: each is told of once, however many share a mark.
    titles = re.findall("<title>(?:(\\d+) \u00d7 )?batch under way", page)
    assert sum(int(count or 1) for count in titles) == 300


def test_of_many_batches_those_that_failed_and_the_slowest_are_told_of() -> None:
    app = make_app()

    class Some(DataLoader[int, int]):
        def batch_load(self, keys: list[int]) -> dict[int, Any]:
            if keys == [40]:
                time.sleep(0.05)
            return {key: OSError("no") if key in {30, 50} else key for key in keys}

    @app.get("/some")
    def some() -> str:
        for number in range(60):
            with suppress(OSError):
                Some.current().get(number)
        return ""

    page = page_after(app, "/some")
    told = [int(number) for number in re.findall(r"<h4>Batch (\d+)</h4>", page)]
    assert {31, 41, 51} < set(told)
    assert told == sorted(told)
    assert len(told) == 10
    assert "The 10 of them that failed or took longest" in page


def test_the_lookups_of_a_long_loop_are_drawn_to_the_last() -> None:
    app = make_app()

    @app.get("/long")
    def long() -> str:
        doubles = Doubles.current()
        doubles.get(1)
        time.sleep(0.01)
        for number in range(1_500):
            if number % 100 == 0:
                time.sleep(0.002)
            doubles.get(1)
        return ""

    page = page_after(app, "/long")
    marks = widths_of(page, "loader")
    assert marks[-1][1] == pytest.approx(1_000, abs=4)
    assert len(marks) < 400
    titles = re.findall("<title>(?:(\\d+) \u00d7 )?lookup of a known key", page)
    assert sum(int(count or 1) for count in titles) == 1_500


def test_lookups_that_are_not_drawn_are_counted() -> None:
    app = make_app()

    @app.get("/long")
    def long() -> str:
        for number in range(MAX_LOOKUPS + 123):
            Doubles.current().get(number % 7)
        return ""

    said = Document(page_after(app, "/long")).text
    assert "123 more keys were asked for, in lookups that are not drawn." in said
    assert "more keys" not in Document(page_after(make_app(), "/look/9")).text


def test_what_is_wrong_with_a_request_stands_in_the_list() -> None:
    app = make_app()

    class Fails(DataLoader[int, int]):
        def batch_load(self, keys: list[int]) -> dict[int, int]:
            raise OSError(f"no {keys}")

    @app.get("/wrong")
    def wrong() -> str:
        for number in range(5):
            with suppress(OSError):
                Fails.current().get(number)
            Doubles.current().get(number)
        return ""

    client = app.test_client()
    client.get("/wrong")
    client.get("/look/3")
    fine, wrong_row = rows_of(client.get(ROOT).text)
    assert fine["Request"] == "GET /look/<int:count>"
    found = {line.strip() for line in wrong_row["Request"].splitlines()}
    assert found > {"GET /wrong", "n+1: Doubles", "5 keys in error"}
    totals = Document(client.get(f"{ROOT}totals").text).text
    assert re.search(r"wrong\s+\d+ findings?", totals)
    assert not re.search(r"look\s+\d+ findings?", totals)


# -- what is not shown

MARK = "SECRET"  # what is sent everywhere begins with it; it is in no line that looks up


class Item(TableLoader[Any]):
    table = Table(
        "item",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("name", String(80)),
        Column("kind", String(80)),
    )
    key = ("name", "kind")


class Kind(GroupedTableLoader[Any]):
    table = Item.table
    key = ("kind",)


def secretive_app(engine: Engine, **config: Any) -> Flask:  # noqa: ANN401 - settings
    app = make_app(engine, **config)

    @app.errorhandler(404)
    def unknown(error: Exception) -> tuple[str, int]:
        get_token(request.path, request.query_string.decode())
        return str(error), 404

    @app.post("/all/<name>", endpoint="everything")
    def everything(name: str) -> str:
        body = request.get_json()
        for lookup in (get_token, get_symbol, get_br_symbol, get_oa_symbol):
            lookup(name, body["exchange"])
        get_symbols_batch([(row["token"], row["exchange"]) for row in body["rows"]])
        for row in body["rows"]:
            get_token(row["symbol"], row["exchange"])
        for symbol, held in body["held"].items():
            get_token(symbol, held["exchange"])
        SymbolLoader.current().expect([(name, "BSE")])
        cookie, header = request.cookies["name"], request.headers["X-Name"]
        Item(engine).get_many([(cookie, header), (header, cookie)])
        Item.current().get((cookie, request.args["name"]))
        Kind.current().get_many([(header,), (cookie,)])
        return ""

    @app.post("/fails/<name>")
    def fails(name: str) -> str:
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE item RENAME TO other"))
        try:
            Item.current().get((name, name))
        except Exception as error:  # noqa: BLE001 - the drivers' are others
            abort(409, description=str(error))
        finally:
            with engine.begin() as connection:
                connection.execute(text("ALTER TABLE other RENAME TO item"))
        return ""

    return app


def send_secrets(app: Flask) -> None:
    client = app.test_client()
    client.set_cookie("name", f"{MARK}-cookie")
    row = {"symbol": f"{MARK}-symbol", "exchange": f"{MARK}-exchange", "token": f"{MARK}-token"}
    rows = [{key: f"{value}{number}" for key, value in row.items()} for number in range(30)]
    held = {f"{MARK}-held{number}": row for number in range(5)}
    body = {"rows": rows, "exchange": f"{MARK}-body", "held": held}
    for _ in range(3):  # look-ahead learns
        for path, status in (("/all", 200), ("/fails", 409), ("/unknown", 404)):
            answer = client.post(
                f"{path}/{MARK}-path",
                json=body,
                query_string={"name": f"{MARK}-query"},
                headers={"X-Name": f"{MARK}-header", "Authorization": f"Bearer {MARK}-token"},
            )
            assert answer.status_code == status
            assert MARK not in str(answer.headers)


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def item_engine(request: pytest.FixtureRequest, database: Path) -> Iterator[Engine]:
    """A database with a master contract and a table of items."""
    if request.param == "sqlite":
        engine = create_engine(f"sqlite:///{database}")
    else:
        url = request.getfixturevalue(f"{request.param}_url")
        engine = create_engine(url)
        if request.param == "mariadb":
            with engine.begin() as connection:
                connection.execute(text("CREATE DATABASE IF NOT EXISTS inspected"))
            engine.dispose()
            engine = create_engine(f"{url.rstrip('/')}/inspected")
        replace_contract(engine, generate_contract(100))
    Item.table.drop(engine, checkfirst=True)
    Item.table.create(engine)
    with engine.begin() as connection:
        connection.execute(insert(Item.table), [{"id": 1, "name": "a", "kind": "b"}])
    yield engine
    Item.table.drop(engine)
    engine.dispose()


def test_nothing_of_what_was_sent_is_shown(
    item_engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dataloaders")
    record = tmp_path / "record.jsonl"
    app = secretive_app(item_engine, DATALOADERS_LOG="on", DATALOADERS_RECORD=str(record))
    send_secrets(app)
    pages = pages_of(app.test_client())
    assert len(pages) == 13
    shown = "".join(pages.values())
    assert shown.count("parameters hidden") >= 9
    assert "in error" in shown
    for path, page in pages.items():
        found = page.find(MARK)
        assert found < 0, (path, page[max(found - 300, 0) : found + 100])
    messages = [line.getMessage() for line in caplog.records if line.name == "dataloaders.requests"]
    assert len(messages) == 9
    assert MARK not in "".join(messages)
    assert record.read_text().count("\n") == 9
    assert MARK not in record.read_text()


def named_app(engine: Engine, **config: Any) -> Flask:  # noqa: ANN401 - settings
    """An application with data in which a user's name is a key, or an attribute."""
    app = make_app(engine, **config)

    @app.post("/nested/<user>")
    def nested(user: str) -> str:
        body = request.get_json()
        for row in body["held"][user]:
            get_token(row["symbol"], row["exchange"])
        return ""

    @app.post("/column/<user>")
    def column(user: str) -> str:
        rows = [{user: row["symbol"], "on": row["exchange"]} for row in request.get_json()["rows"]]
        for row in rows:
            get_token(row[user], row["on"])
        return ""

    @app.post("/attribute/<user>")
    def attribute(user: str) -> str:
        rows = [SimpleNamespace(**{user: row["symbol"]}) for row in request.get_json()["rows"]]
        for row in rows:
            get_token(getattr(row, user), "NSE")
        return ""

    @app.post("/written/<user>")
    def written(user: str) -> str:
        rows = [(row["symbol"], SimpleNamespace(on=user)) for row in request.get_json()["rows"]]
        for row in rows:
            get_token(row[0], row[1].on)
        return ""

    return app


def origins_after(app: Flask) -> dict[str, str]:
    """Returns what is said of where look-ahead found keys, by view."""
    client = app.test_client()
    rows = [{"symbol": f"symbol{number}", "exchange": "NSE"} for number in range(20)]
    body = {"rows": rows, "held": {f"{MARK}name": rows}}
    for view in ("nested", "column", "attribute", "written"):
        assert client.post(f"/{view}/{MARK}name", json=body).status_code == 200
    found = {}
    for page in pages_of(client).values():
        said = Document(page).text
        origin = re.search("known by: (.*)", said)
        if origin is not None:
            found[re.findall(r"POST /(\w+)/", said)[0]] = origin[1]
    return found


def test_names_in_data_are_hidden_where_look_ahead_went_by_them(engine: Engine) -> None:
    origins = origins_after(named_app(engine))
    assert MARK not in str(origins)
    # What the code itself has is shown.
    assert origins["nested"].startswith("the variable body['held'][a key][\u2026]: ['symbol'],")
    assert origins["column"] == "the variable rows[\u2026]: [a key], ['on']."
    assert origins["attribute"].startswith("the variable rows[\u2026]: .(an attribute), ")
    assert origins["written"].startswith("the variable rows[\u2026]: [0], [1].on.")


def test_names_in_data_are_shown_where_keys_are(engine: Engine) -> None:
    origins = origins_after(named_app(engine, DATALOADERS_INSPECTOR_KEYS="on"))
    assert f"body['held']['{MARK}name'][\u2026]" in origins["nested"]
    assert f".{MARK}name" in origins["attribute"]


def test_no_record_has_the_keys_in_memory(engine: Engine) -> None:
    """What is not shown is not kept either, once the request is over."""
    Item.table.create(engine)
    app = secretive_app(engine)
    send_secrets(app)
    gc.collect()
    kept = app.extensions["dataloaders"].observing.kept
    seen: set[int] = set()
    waiting: list[Any] = [record for _, record in kept.newest()]
    assert len(waiting) == 9
    modules = (
        *("dataloaders.observe", "dataloaders.stats", "dataloaders.lookahead.ledger"),
        "flask_dataloaders.inspector",
    )
    texts = 0
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, str | bytes):
            texts += 1
            assert MARK not in str(value)
        elif isinstance(value, list | tuple | set | frozenset | dict) or (
            type(value).__module__.startswith(modules)
        ):
            waiting += gc.get_referents(value)
    assert texts > 20


def test_keys_are_shown_where_that_is_set_and_nothing_else(engine: Engine) -> None:
    Item.table.create(engine)
    app = secretive_app(engine, DATALOADERS_INSPECTOR_KEYS="on")
    send_secrets(app)
    shown = "".join(pages_of(app.test_client()).values())
    for sent in ("path", "body", "symbol29", "held0", "cookie", "query", "header"):
        assert f"{MARK}-{sent}" in shown, sent
    assert "Bearer" not in shown
    assert f"{MARK}-query=" not in shown
    assert f"?name={MARK}" not in shown


# -- escaping

HOSTILE = [
    "<script>alert(1)</script>",
    "</pre></code><img src=x onerror=alert(1)>",
    "\"'><svg/onload=alert(1)>",
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "k" * 10_000,
    "a\x00b\x1b[31m\x7f",
    "\ud800\udfff",
    "\u202egnp.exe\u2066",
    "line\r\nSet-Cookie: a=b",
    "\u2028\ufeff\ufffe",
]


def hostile_app(hostile: str) -> Flask:
    """An application in which all that has a name is called that, and asks for that."""
    engine = create_engine("sqlite://")
    columns = (Column("id", Integer, primary_key=True), Column("key", String(80)))
    # No database has all of them as names.
    is_name = hostile.isprintable() and len(hostile) < 100
    type_name = hostile.replace("\x00", "").encode(errors="ignore").decode()
    items = Table(hostile if is_name else "item", MetaData(), *columns)
    items.create(engine)

    class Hostile(DataLoader[Any, Any]):
        name = hostile

        def batch_load(self, keys: list[Any]) -> dict[Any, Any]:
            return dict.fromkeys(keys, hostile)

    class Fails(Hostile):
        def batch_load(self, keys: list[Any]) -> dict[Any, Any]:
            raise type(type_name, (OSError,), {})(hostile, keys)

    class Rows(TableLoader[Any]):
        table, key, name = items, ("key",), hostile

    def look() -> str:
        Hostile.current().get_many([hostile, hostile.encode("utf-8", "surrogatepass"), (hostile,)])
        for number in range(4):
            Hostile.current().get(f"{number}{hostile}")
        with suppress(OSError):
            Fails.current().get(hostile)
        Rows.current().get(hostile if is_name else "key")
        return ""

    named = look.__code__.replace(co_filename=f"/{hostile}/{hostile}", co_qualname=hostile)
    app = make_app(engine, DATALOADERS_INSPECTOR_KEYS="on")
    app.add_url_rule(
        "/hostile",
        hostile.replace(".", ""),
        FunctionType(named, globals(), closure=look.__closure__),
    )
    # A path that is none of the routes is shown as it is.
    app.register_error_handler(404, lambda _error: str(Doubles.current().get(1)))
    return app


def shapes_of(pages: dict[str, str]) -> list[Any]:
    """The elements of pages, with the names of their attributes; of marks, what kinds there are."""
    shapes = []
    for page in pages.values():
        if "<html" in page:
            found = [(tag, sorted(attributes)) for tag, attributes in Document(page).elements]
            in_marks = [each for each in found if each[0] in {"rect", "title"}]
            others = [each for each in found if each not in in_marks]
            # Rows are in the order of their names.
            shapes.append((sorted(others), sorted({str(each) for each in in_marks})))
    return shapes


def pages_after(app: Flask, path: str) -> dict[str, str]:
    client = app.test_client()
    assert client.get("/hostile").status_code == 200
    client.get(f"/{quote(path, errors='replace')}")
    pages = pages_of(client)
    assert len(pages) == 6
    app.extensions["dataloaders"].registry.bind.dispose()
    return pages


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: ascii(hostile[:12]))
def test_hostile_texts_are_nothing_but_text(hostile: str) -> None:
    pages = pages_after(hostile_app(hostile), hostile)
    harmless = pages_after(hostile_app("harmless"), "harmless")
    assert shapes_of(pages) == shapes_of(harmless)
    for path, page in pages.items():
        if "<html" not in page:
            continue
        said = Document(page).text
        assert not [each for each in said if not (each.isprintable() or each == "\n")]
        if hostile.isprintable() and "GET /hostile" in said and "/requests/" in path:
            assert said.count(hostile) >= 10


def test_what_is_marked_as_code_is_escaped_too() -> None:
    marked = pages._marked("<b>`<i>` and `x`\u202e")
    assert marked == "&lt;b&gt;<code>&lt;i&gt;</code> and <code>x</code>\\u202e"


# -- how much is kept


def test_the_worst_requests_take_two_megabytes_each() -> None:
    kept = 5
    engine = create_engine("sqlite://")
    columns = [Column(f"{'column' * 20}{number}", String(9)) for number in range(100)]
    wide = Table("wide", MetaData(), Column("id", Integer, primary_key=True), *columns)
    wide.create(engine)

    class Wide(TableLoader[Any]):
        table, key, lookahead = wide, ("id",), "off"

    class Texts(DataLoader[Any, Any]):
        def batch_load(self, keys: list[Any]) -> dict[Any, Any]:
            return dict.fromkeys(keys)

    app = make_app(engine, DATALOADERS_INSPECTOR_REQUESTS=kept, DATALOADERS_INSPECTOR_KEYS="on")

    @app.get("/worst")
    def worst() -> str:
        loader, texts = Wide.current(), Texts.current()
        for number in range(MAX_STATEMENTS // 2):
            loader.get(number)
        for number in range(MAX_BATCHES):
            texts.get_many([("x" * 10_000, number, part) for part in range(60)])
        for number in range(MAX_LOOKUPS):
            loader.get(number % 9)
        return ""

    client = app.test_client()
    client.get("/worst")
    sizes = []
    tracemalloc.start()
    try:
        for _ in range(3):
            for _ in range(kept):
                client.get("/worst")
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    engine.dispose()
    assert sizes[0] < kept * 2_000_000
    assert sizes[2] < sizes[0] * 1.05
    pages = pages_of(client)
    assert len(pages) == kept + 4
    assert max(map(len, pages.values())) < 5_000_000


def test_statements_of_many_kinds_are_kept_as_far_as_there_is_room() -> None:
    kinds = 70
    engine = create_engine("sqlite://")
    metadata = MetaData()
    loaders: list[type[TableLoader[Any]]] = []
    for kind in range(kinds):
        columns = [Column(f"{'column' * 20}{number}", String(9)) for number in range(100)]
        wide = Table(f"wide{kind}", metadata, Column("id", Integer, primary_key=True), *columns)
        parts = {"table": wide, "key": ("id",), "name": f"Wide{kind}"}
        loaders.append(type(f"Wide{kind}", (TableLoader,), parts))
    metadata.create_all(engine)
    app = make_app(engine)
    app.add_url_rule("/", view_func=lambda: [loader.current().get(1) for loader in loaders])
    client = app.test_client()
    assert client.get("/").status_code == 200
    engine.dispose()
    page = next(text for path, text in pages_of(client).items() if "/requests/" in path)
    kept = re.findall('<pre class="sql"><code>(.*?)</code>', page, re.DOTALL)
    assert 150_000 < sum(map(len, kept)) <= 200_000
    assert len(kept) == len(set(kept)) < kinds
    assert page.count("1 more statements are not kept.") == kinds - len(kept)


def test_of_a_batch_of_many_statements_so_many_are_kept_and_all_are_counted() -> None:
    table = Table("sharded", MetaData(), Column("id", Integer, primary_key=True))
    engines = {
        number: create_engine(
            "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
        )
        for number in range(MAX_STATEMENTS + 20)
    }
    for engine in engines.values():
        table.create(engine)

    class Sharded(TableLoader[Any]):
        key, lookahead = ("id",), "off"

    Sharded.table = table
    app = make_app(Shards(engines, by="id"))
    app.add_url_rule("/", view_func=lambda: Sharded.current().get_many([*engines]))
    client = app.test_client()
    assert client.get("/").json == [None] * len(engines)
    for engine in engines.values():
        engine.dispose()
    page = next(text for path, text in pages_of(client).items() if "/requests/" in path)
    assert page.count('<pre class="sql">') == MAX_STATEMENTS
    assert "20 more statements are not kept." in page


def test_loaders_with_ever_new_names_do_not_add_up() -> None:
    app = make_app()

    @app.get("/new/<int:number>")
    def new(number: int) -> str:
        class New(Doubles):
            name = f"loader {number}"

        New.current().get(1)
        return ""

    client = app.test_client()
    for number in range(1_200):
        client.get(f"/new/{number}")
    kept = app.extensions["dataloaders"].observing.kept
    assert len(kept._quickest) <= 1_000
    totals = client.get(f"{ROOT}totals.json").json
    assert totals is not None
    loaders = totals["new"]["loaders"]
    assert len(loaders) <= 1_001
    assert sum(loader["lookups"] for loader in loaders.values()) == 1_200


# -- headers, log, recording


def parse_server_timing(value: str) -> list[tuple[str, dict[str, str]]]:
    """Parses the header as https://www.w3.org/TR/server-timing/ and RFC 9110 have it, and no more.

    Raises:
        AssertionError: It is no such header.
    """
    token = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
    quoted = r'"(?:[\t \x21\x23-\x5b\x5d-\x7e]|\\[\t \x21-\x7e])*"'
    metric = rf"({token})((?:[ \t]*;[ \t]*{token}[ \t]*=[ \t]*(?:{token}|{quoted}))*)"
    assert re.fullmatch(rf"{metric}(?:[ \t]*,[ \t]*{metric})*", value), value
    found = []
    for name, rest in re.findall(metric, value):
        parameters = re.findall(rf"({token})=({token}|{quoted})", rest)
        found.append((name, {key: text.strip('"') for key, text in parameters}))
    return found


@pytest.mark.parametrize("name", [*HOSTILE, "", "a,b;c=d", "ж"], ids=lambda name: ascii(name[:12]))
def test_server_timing_is_what_its_grammar_says(name: str) -> None:
    app = make_app()

    @app.get("/named")
    def named() -> str:
        class Named(Doubles):
            pass

        Named.name = name or "\n"
        Doubles.current().get_many([1, 2])
        Named.current().get(1)
        return ""

    header = app.test_client().get("/named").headers["Server-Timing"]
    metrics = parse_server_timing(header)
    assert [metrics[0][0], metrics[1][0]] == ["dataloaders", "Doubles"]
    assert len(metrics) == 3
    assert metrics[0][1]["desc"] == "3 lookups, 2 queries, 1 saved"
    for _, parameters in metrics:
        assert set(parameters) == {"dur", "desc"}
        assert 0 <= float(parameters["dur"]) < 1_000
    assert len(header) < 500


def test_server_timing_names_ten_loaders_at_most() -> None:
    app = make_app()

    @app.get("/many")
    def many() -> str:
        for number in range(30):
            type(f"Loader{number}", (Doubles,), {}).current().get(1)  # type: ignore[attr-defined]  # of its base
        return ""

    metrics = parse_server_timing(app.test_client().get("/many").headers["Server-Timing"])
    assert len(metrics) == 11
    assert metrics[0][1]["desc"] == "30 lookups, 30 queries, 0 saved"


def test_server_timing_is_for_debug_mode_or_where_it_is_set() -> None:
    def header(**config: Any) -> str | None:  # noqa: ANN401 - settings
        return make_app(**config).test_client().get("/look/1").headers.get("Server-Timing")

    assert header(debug=True)
    assert not header(debug=False)
    assert not header(debug=True, DATALOADERS_SERVER_TIMING="off")
    assert header(debug=False, DATALOADERS_SERVER_TIMING="on")


def test_each_request_is_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "dataloaders.requests")
    app = make_app(debug=False, DATALOADERS_LOG="on", DATALOADERS_INSPECTOR_KEYS="on")
    app.register_error_handler(404, lambda _error: str(Doubles.current().get_many([1, 2])))
    client = app.test_client()
    client.get("/look/4")
    client.get("/forged%0aline%0d%1b")
    first, second = [record.getMessage() for record in caplog.records]
    assert re.fullmatch(
        r"GET /look/<int:count>: 4 lookups in 1 queries \(3 saved\), 0% known, [\d.]+ ms a query",
        first,
    )
    assert second.startswith("GET (no route): 2 lookups")


def test_paths_in_the_log_forge_no_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "dataloaders.requests")
    app = make_app(DATALOADERS_LOG="on", DATALOADERS_INSPECTOR_KEYS="on")
    app.register_error_handler(404, lambda _error: str(Doubles.current().get_many([1, 2])))
    app.test_client().get("/forged%0aline%0d%1b")
    (record,) = caplog.records
    assert record.getMessage().startswith(r"GET /forged\nline\r\x1b: 2 lookups")


# -- settings


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("INSPECTOR", "on", "debug, off, or a function"),
        ("INSPECTOR", True, "debug, off, or a function"),
        ("INSPECTOR", ["debug"], "debug, off, or a function"),
        ("INSPECTOR_KEYS", "yes", "on or off"),
        ("INSPECTOR_KEYS", {}, "on or off"),
        ("INSPECTOR_KEYS", 1, "on or off"),
        ("INSPECTOR_REQUESTS", 0, "a number from 1 to 10000"),
        ("INSPECTOR_REQUESTS", -1, "a number from 1 to 10000"),
        ("INSPECTOR_REQUESTS", 10_001, "a number from 1 to 10000"),
        ("INSPECTOR_REQUESTS", "9" * 5_000, "a number from 1 to 10000"),
        ("INSPECTOR_REQUESTS", "²", "a number from 1 to 10000"),
        ("INSPECTOR_REQUESTS", True, "a number from 1 to 10000"),
        ("INSPECTOR_REQUESTS", 5.0, "a number from 1 to 10000"),
        ("DETECT", "debug", "one of off, log, raise"),
        ("DETECT", [], "one of off, log, raise"),
        ("DETECT_ALLOW", 5, "a list of patterns"),
        ("DETECT_ALLOW", [5], "a list of patterns"),
        ("SERVER_TIMING", "debug", "on or off"),
        ("LOG", "info", "on or off"),
        ("RECORD", 5, "the path of a file"),
        ("RECORD", True, "the path of a file"),
        ("RECORD", "/no/such/directory/record", "a file that can be written"),
        ("RECORD", ".", "a file that can be written"),
        ("RECORD", "a\x00b", "a file that can be written"),
        ("INSPECTORS", "on", "one of DATALOADERS_"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_wrong_setting_is_refused(name: str, value: object, expected: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_app(**{f"DATALOADERS_{name}": value})  # type: ignore[arg-type]  # settings
    assert f"DATALOADERS_{name}" in str(caught.value)
    assert expected in str(caught.value)
    assert len(str(caught.value)) < 1_500


def test_settings_come_from_the_environment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATALOADERS_INSPECTOR_REQUESTS", "2")
    monkeypatch.setenv("DATALOADERS_SERVER_TIMING", "off")
    client = make_app().test_client()
    for _ in range(4):
        assert "Server-Timing" not in client.get("/look/1").headers
    assert len(rows_of(client.get(ROOT).text)) == 2
    monkeypatch.setenv("DATALOADERS_INSPECTOR", "off")
    assert make_app().test_client().get(ROOT).status_code == 404
