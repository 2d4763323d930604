# ruff: noqa: ANN401 - what requests bring may be anything
"""A request's JSON, where a view's rows came from: read if the view has parsed it.

It is never parsed for its own sake.

The views make objects of the body's rows one by one, so that nothing else holds them.
"""

from __future__ import annotations

import gc
import json
import threading
import weakref
from typing import TYPE_CHECKING, Any

import flask
import pytest
from flask import Flask

import dataloaders.scope
from dataloaders import DataLoader
from dataloaders.scope import LoaderRegistry
from dataloaders.symbols import get_token
from flask_dataloaders import DataLoaders
from tests.lookahead.test_shapes import Plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask.testing import FlaskClient

    from tests.lookahead.conftest import SqliteContract

pytestmark = pytest.mark.timeout(60)

COUNT = 25


class CountingRequest(flask.Request):
    """Counts who reads its body, and can be found again."""

    calls: list[str] = []  # noqa: RUF012 - for all of them
    made: list[weakref.ref[Any]] = []  # noqa: RUF012 - as above

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.made.append(weakref.ref(self))

    def get_json(self, *args: Any, **named: Any) -> Any:
        self.calls.append("get_json")
        return super().get_json(*args, **named)

    def get_data(self, *args: Any, **named: Any) -> Any:
        self.calls.append("get_data")
        return super().get_data(*args, **named)


class Order:
    __slots__ = ("at", "name")

    def __init__(self, name: Any, at: Any) -> None:
        self.name = name
        self.at = at


class Private(DataLoader[Any, Any]):
    """Answers a key with itself; one request's alone."""

    lookahead = "on"

    def batch_load(self, keys: list[Any]) -> Any:
        _asked.append(list(keys))
        return [("got", key) for key in keys]


_asked: list[list[Any]] = []
_pause: list[Callable[[], None]] = []


def one_by_one(parsed: Callable[[], Any]) -> Iterator[Order]:
    for row in parsed():
        yield Order(row["symbol"], row["exchange"])


def answered(parsed: Callable[[], Any]) -> list[Any]:
    found = []
    for order in one_by_one(parsed):
        found.append(get_token(order.name, order.at))  # noqa: PERF401 - the loop is what is tested
    return found


def answer_all() -> Any:
    return {"tokens": answered(lambda: flask.request.get_json()["orders"])}


def answer_forced() -> Any:
    return {"tokens": answered(lambda: flask.request.get_json(force=True)["orders"])}


def answer_silent() -> Any:
    body = flask.request.get_json(silent=True)
    return {"tokens": answered(lambda: (body or {}).get("orders", [])), "parsed": body is not None}


def answer_uncached() -> Any:
    return {"tokens": answered(lambda: flask.request.get_json(cache=False)["orders"])}


def answer_list() -> Any:
    return {"tokens": answered(lambda: flask.request.json)}


def answer_form() -> Any:
    pairs = zip(flask.request.form.getlist("symbol"), flask.request.form.getlist("at"), strict=True)
    return {"tokens": [get_token(symbol, at) for symbol, at in pairs]}


def read_nothing() -> Any:
    names = flask.request.args["names"].split(",")
    return {"tokens": [get_token(name, "NSE") for name in (each.strip() for each in names)]}


def read_the_stream() -> Any:
    names = flask.request.args["names"].split(",")
    tokens = [get_token(name, "NSE") for name in (each.strip() for each in names)]
    return {"tokens": tokens, "body": flask.request.stream.read().decode()}


def private() -> Any:
    found = []
    for order in one_by_one(lambda: flask.request.get_json()["orders"]):
        found.append(Private.current().get(order.name))
        if _pause:
            _pause[0]()
    return {"found": found}


VIEWS = (
    answer_all,
    answer_forced,
    answer_silent,
    answer_uncached,
    answer_list,
    answer_form,
    read_nothing,
    read_the_stream,
    private,
)


@pytest.fixture
def client(
    sqlite_contract: SqliteContract, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FlaskClient]:
    for name in ("_identify_request", "_open_for_request"):
        monkeypatch.setattr(dataloaders.scope, name, getattr(dataloaders.scope, name))
    monkeypatch.setattr(dataloaders.scope, "_registries", weakref.WeakSet())
    app = Flask("tests.lookahead.application")
    app.request_class = CountingRequest
    DataLoaders(app, engine=sqlite_contract.engine)
    for view in VIEWS:
        app.add_url_rule(f"/{view.__name__}", view_func=view, methods=["GET", "POST"])
    for noted in (CountingRequest.calls, CountingRequest.made, _asked, _pause):
        noted.clear()
    yield app.test_client()
    dataloaders.scope._current.set(None)


def orders(contract: SqliteContract, offset: int = 0) -> list[dict[str, Any]]:
    found = contract.plain.execute(
        "SELECT symbol, exchange FROM symtoken WHERE id % 17 = 3 ORDER BY id LIMIT ? OFFSET ?",
        (COUNT - 1, offset),
    ).fetchall()
    rows = [{"symbol": symbol, "exchange": exchange} for symbol, exchange in found]
    return [*rows, {"symbol": "NO SUCH", "exchange": "NSE"}]


def expected(contract: SqliteContract, rows: list[dict[str, Any]]) -> list[Any]:
    """One plain query for each lookup."""
    plain = Plain(contract)
    return [plain.get_token(row["symbol"], row["exchange"]) for row in rows]


def post(client: FlaskClient, view: Callable[[], Any], **request: Any) -> Any:
    response = client.post(f"/{view.__name__}", **request)
    assert response.status_code == 200, response.text
    return response.get_json()


# -- it pays


@pytest.mark.parametrize("view", [answer_all, answer_forced, answer_silent])
def test_rows_that_were_turned_into_objects(
    sqlite_contract: SqliteContract, client: FlaskClient, view: Callable[[], Any]
) -> None:
    for offset in range(2):  # other rows, so nothing remembered helps
        rows = orders(sqlite_contract, COUNT * offset)
        answer = expected(sqlite_contract, rows)
        sqlite_contract.statements.clear()
        assert post(client, view, json={"orders": rows})["tokens"] == answer
        assert len(sqlite_contract.statements) <= 2


def test_a_body_that_is_a_list(sqlite_contract: SqliteContract, client: FlaskClient) -> None:
    rows = orders(sqlite_contract)
    answer = expected(sqlite_contract, rows)
    sqlite_contract.statements.clear()
    assert post(client, answer_list, json=rows)["tokens"] == answer
    assert len(sqlite_contract.statements) <= 2


def test_a_body_whose_content_type_says_nothing(
    sqlite_contract: SqliteContract, client: FlaskClient
) -> None:
    rows = orders(sqlite_contract)
    body = json.dumps({"orders": rows})
    answer = expected(sqlite_contract, rows)
    found = post(client, answer_forced, data=body, content_type="text/plain")
    assert found["tokens"] == answer
    assert post(client, answer_silent, data=body, content_type="text/plain") == {
        "tokens": [],
        "parsed": False,
    }


def test_a_body_that_nobody_keeps(sqlite_contract: SqliteContract, client: FlaskClient) -> None:
    rows = orders(sqlite_contract)
    answer = expected(sqlite_contract, rows)
    assert post(client, answer_uncached, json={"orders": rows})["tokens"] == answer
    assert CountingRequest.calls.count("get_json") == 1


# -- it is never parsed for its own sake


@pytest.mark.parametrize("view", [read_nothing, read_the_stream])
@pytest.mark.parametrize(
    "body", ["{broken", "null", '"NSE"', '{"orders": [{"symbol": "TCS"}]}', ""]
)
def test_a_body_that_the_view_does_not_read(
    sqlite_contract: SqliteContract, client: FlaskClient, view: Callable[[], Any], body: str
) -> None:
    names = ["RELIANCE", "TCS", "NO SUCH"]
    answer = expected(sqlite_contract, [{"symbol": name, "exchange": "NSE"} for name in names])
    found = post(
        client,
        view,
        data=body,
        content_type="application/json",
        query_string={"names": ", ".join(names)},
    )
    assert found["tokens"] == answer
    assert found.get("body", body) == body
    assert CountingRequest.calls == []


def test_the_view_alone_parses(sqlite_contract: SqliteContract, client: FlaskClient) -> None:
    post(client, answer_all, json={"orders": orders(sqlite_contract)})
    assert CountingRequest.calls == ["get_json", "get_data"]  # the second by the first


@pytest.mark.parametrize("body", ["{broken", "", "[1,"])
def test_a_body_that_is_no_json(client: FlaskClient, body: str) -> None:
    found = post(client, answer_silent, data=body, content_type="application/json")
    assert found == {"tokens": [], "parsed": False}


def test_a_form(sqlite_contract: SqliteContract, client: FlaskClient) -> None:
    rows = orders(sqlite_contract)
    form = {"symbol": [row["symbol"] for row in rows], "at": [row["exchange"] for row in rows]}
    assert post(client, answer_form, data=form)["tokens"] == expected(sqlite_contract, rows)
    assert CountingRequest.calls == []


def test_bodies_that_hold_odd_things(sqlite_contract: SqliteContract, client: FlaskClient) -> None:
    odd: list[Any] = [
        None,
        "",
        0,
        "0",
        True,
        1.5,
        "x" * 100_000,
        "\ud800".encode("utf-8", "replace").decode(),
    ]
    rows = [{"symbol": each, "exchange": "NSE"} for each in odd]
    rows += orders(sqlite_contract)
    rows.append({"symbol": "TCS", "exchange": None})
    answer = expected(sqlite_contract, rows)
    for body in ({"orders": rows}, {"orders": rows, "deep": [[[[[[rows]]]]]], "n": {"": {}}}):
        assert post(client, answer_all, json=body)["tokens"] == answer


# -- one request's alone


def test_bodies_of_requests_at_once(client: FlaskClient) -> None:
    barrier = threading.Barrier(4)

    def pause() -> None:
        # All are in the midst of their loops when each looks around.
        barrier.wait(20)

    _pause.append(pause)
    found: dict[int, Any] = {}

    def one(number: int) -> None:
        # Each has the first row in common, so its text is in every body.
        names = ["COMMON", *(f"U{number}-{index}" for index in range(3))]
        rows = [{"symbol": name, "exchange": "NSE"} for name in names]
        own = client.application.test_client()
        found[number] = own.post("/private", json={"orders": rows}).get_json()["found"]

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(4):
        names = ["COMMON", *(f"U{number}-{index}" for index in range(3))]
        assert found[number] == [["got", name] for name in names]
    for batch in _asked:
        assert len({key.partition("-")[0] for key in batch} - {"COMMON"}) <= 1


# -- what is kept


def test_requests_are_freed_after_the_response(
    sqlite_contract: SqliteContract, client: FlaskClient
) -> None:
    for offset in range(3):
        post(client, answer_all, json={"orders": orders(sqlite_contract, offset)})
    gc.collect()
    assert len(CountingRequest.made) == 3
    # Werkzeug's test client keeps none, and neither does a scope.
    assert [made() for made in CountingRequest.made] == [None, None, None]


def test_a_scope_keeps_no_body_when_it_is_over() -> None:
    class Body(dict[str, Any]):
        """A body that can be referred to weakly."""

    registry = LoaderRegistry()
    body = Body(orders=[])
    reference = weakref.ref(body)
    scope = registry.scope()
    with scope:
        scope.body = lambda held=body: held
        scope.loader(Private).get("k")
    del body
    gc.collect()
    assert reference() is None


@pytest.mark.parametrize("body", [lambda: 1 // 0, lambda: 5, lambda: "text", object])
def test_a_body_that_is_not_there_or_no_rows(body: Callable[[], Any]) -> None:
    def loop(loader: Private) -> list[Any]:
        return [loader.get("-".join(("k", str(number * number)))) for number in range(5)]

    with LoaderRegistry().scope() as scope:
        scope.body = body
        assert loop(scope.loader(Private)) == [("got", f"k-{n * n}") for n in range(5)]
