"""The Flask extension: a scope for each request, and the settings."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import pytest
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    g,
    jsonify,
    request,
    stream_with_context,
)
from sqlalchemy import (
    URL,
    Column,
    Engine,
    Integer,
    String,
    Table,
    create_engine,
    insert,
    make_url,
    select,
)
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from dataloaders import DataLoader, LoaderScope, ScopeThreadPoolExecutor, current_scope
from dataloaders.errors import (
    ConfigurationError,
    NoRegistryError,
    NoScopeError,
    ScopeClosedError,
)
from dataloaders.symbols import (
    Symbol,
    SymbolLoader,
    SymbolMaster,
    TokenLoader,
    generate_contract,
    get_br_symbol,
    get_br_symbols_batch,
    get_brexchange,
    get_oa_symbol,
    get_symbol,
    get_symbol_info,
    get_symbols_batch,
    get_token,
    get_tokens_batch,
    replace_contract,
    symtoken,
)
from flask_dataloaders import DataLoaders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Tokens = dict[tuple[str, str], str]

RELIANCE = ("RELIANCE", "NSE")


class OwnLoader(DataLoader[int, int]):
    """A loader of what only this request's user may see."""

    def batch_load(self, keys: list[int]) -> dict[int, int]:
        return {key: key * 2 for key in keys}


@pytest.fixture
def app(engine: Engine) -> Flask:
    app = Flask("app")
    DataLoaders(app, engine=engine)
    return app


def set_token(database: Path, token: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "UPDATE symtoken SET token = ? WHERE symbol = ? AND exchange = ?", (token, *RELIANCE)
        )


def the_scope() -> LoaderScope:
    scope = current_scope()
    assert scope is not None
    return scope


def of_requests(scopes: list[LoaderScope]) -> list[LoaderScope]:
    """All but those that answer callers outside of requests."""
    return [scope for scope in scopes if scope.registry._common is not scope]


def token_of(record: Symbol | None) -> str | None:
    return None if record is None else record.token


def all_closed(scopes: list[LoaderScope]) -> bool:
    return all(scope.closed for scope in scopes)


# -- when the scope opens and closes


def test_the_scope_opens_at_the_first_lookup_and_closes_at_the_end(
    app: Flask, scopes: list[LoaderScope], tokens: Tokens
) -> None:
    @app.get("/")
    def view() -> str:
        assert scopes == []
        token = get_token(*RELIANCE)
        (scope,) = scopes
        assert current_scope() is scope
        assert not scope.closed
        assert get_token(*RELIANCE) == token
        assert get_token("TCS", "NSE") == tokens["TCS", "NSE"]
        assert SymbolLoader.current() is scope.loader(SymbolLoader)
        return str(token)

    assert app.test_client().get("/").text == tokens[RELIANCE]
    assert len(scopes) == 1
    assert scopes[0].closed
    assert scopes[0].loaders == {}
    assert current_scope() is None


def test_current_scope_opens_it_too(app: Flask, scopes: list[LoaderScope]) -> None:
    app.add_url_rule("/", view_func=lambda: str(current_scope() is current_scope()))
    assert app.test_client().get("/").text == "True"
    assert len(scopes) == 1
    assert scopes[0].closed


def test_a_loader_that_is_not_shared_works_in_a_request_only(app: Flask) -> None:
    app.add_url_rule("/", view_func=lambda: str(OwnLoader.current().get(4)))
    assert app.test_client().get("/").text == "8"
    with pytest.raises(NoScopeError):
        OwnLoader.current()


@pytest.mark.parametrize("propagate", [True, False])
def test_closed_after_an_exception(
    app: Flask, scopes: list[LoaderScope], *, propagate: bool
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = propagate

    @app.get("/")
    def view() -> str:
        get_token(*RELIANCE)
        raise LookupError("in the view")

    client = app.test_client()
    if propagate:
        with pytest.raises(LookupError, match="in the view"):
            client.get("/")
    else:
        assert client.get("/").status_code == 500
    assert len(scopes) == 1
    assert scopes[0].closed


def test_closed_after_abort(app: Flask, scopes: list[LoaderScope]) -> None:
    @app.get("/")
    def view() -> str:
        get_token(*RELIANCE)
        abort(404)

    assert app.test_client().get("/").status_code == 404
    assert len(scopes) == 1
    assert scopes[0].closed


def test_the_error_handler_shares_the_scope(
    app: Flask, scopes: list[LoaderScope], statements: list[str]
) -> None:
    @app.errorhandler(LookupError)
    def handle(_error: LookupError) -> tuple[str, int]:
        return str(get_token(*RELIANCE)), 418

    @app.get("/")
    def view() -> str:
        get_token(*RELIANCE)
        raise LookupError

    assert app.test_client().get("/").status_code == 418
    assert len(scopes) == len(statements) == 1


@pytest.mark.parametrize("registered", ["before", "after"])
def test_errors_of_the_applications_teardown_functions(
    engine: Engine, scopes: list[LoaderScope], tokens: Tokens, registered: str
) -> None:
    app = Flask("app")

    def fail(_error: BaseException | None) -> None:
        raise OSError("in the teardown function")

    if registered == "before":
        app.teardown_appcontext(fail)
    DataLoaders(app, engine=engine)
    if registered == "after":
        app.teardown_appcontext(fail)
    app.add_url_rule("/", view_func=lambda: str(get_token(*RELIANCE)))
    client = app.test_client()
    for number in range(1, 6):
        with pytest.raises(OSError, match="in the teardown function"):
            client.get("/")
        assert len(scopes) == number
    assert all_closed(scopes)
    app.teardown_appcontext_funcs.remove(fail)
    assert client.get("/").text == tokens[RELIANCE]


@pytest.mark.parametrize("registered", ["before", "after"])
def test_a_failing_teardown_function_leaks_no_scopes(engine: Engine, registered: str) -> None:
    app = Flask("app")

    def fail(_error: BaseException | None) -> None:
        raise OSError

    if registered == "before":
        app.teardown_appcontext(fail)
    DataLoaders(app, engine=engine)
    if registered == "after":
        app.teardown_appcontext(fail)
    seen: list[weakref.ref[LoaderScope]] = []

    @app.get("/")
    def view() -> str:
        get_token(*RELIANCE)
        seen.append(weakref.ref(the_scope()))
        return ""

    client = app.test_client()
    for _ in range(20):
        with pytest.raises(OSError):  # noqa: PT011 - it says nothing
            client.get("/")
    gc.collect()
    assert len(seen) == 20
    assert sum(reference() is not None for reference in seen) <= 1


@pytest.mark.parametrize("registered", ["before", "after"])
def test_lookups_in_a_teardown_function(
    engine: Engine, scopes: list[LoaderScope], tokens: Tokens, registered: str
) -> None:
    app = Flask("app")
    found = []

    def look(_error: BaseException | None) -> None:
        found.append(get_token(*RELIANCE))

    if registered == "before":
        app.teardown_appcontext(look)
    DataLoaders(app, engine=engine)
    if registered == "after":
        app.teardown_appcontext(look)
    app.add_url_rule("/", view_func=lambda: str(get_token("TCS", "NSE")))
    assert app.test_client().get("/").text == tokens["TCS", "NSE"]
    assert found == [tokens[RELIANCE]]
    assert all_closed(of_requests(scopes))


def test_hooks_and_view_share_the_scope(
    app: Flask, scopes: list[LoaderScope], statements: list[str], tokens: Tokens
) -> None:
    found: list[str | None] = []

    def look(*_arguments: object) -> None:
        found.append(get_token(*RELIANCE))

    app.before_request(look)
    app.teardown_request(look)

    @app.after_request
    def after(response: Response) -> Response:
        look()
        return response

    @app.context_processor
    def values() -> dict[str, str | None]:
        return {"token": get_token(*RELIANCE)}

    @app.get("/")
    def view() -> str:
        look()
        return current_app.jinja_env.from_string("{{ token }}").render(values())

    assert app.test_client().get("/").text == tokens[RELIANCE]
    assert found == [tokens[RELIANCE]] * 4
    assert len(scopes) == len(statements) == 1
    assert scopes[0].closed


def test_blueprints(
    app: Flask, scopes: list[LoaderScope], statements: list[str], tokens: Tokens
) -> None:
    inner, outer = Blueprint("inner", __name__), Blueprint("outer", __name__)

    @outer.before_request
    def before() -> None:
        get_token(*RELIANCE)

    @inner.get("/token/<symbol>")
    def view(symbol: str) -> str:
        return str(get_token(symbol, "NSE"))

    outer.register_blueprint(inner, url_prefix="/inner")
    app.register_blueprint(outer, url_prefix="/outer")
    assert app.test_client().get("/outer/inner/token/RELIANCE").text == tokens[RELIANCE]
    assert len(scopes) == len(statements) == 1
    assert scopes[0].closed


# -- async views


def test_an_async_view_gathers_into_one_statement(
    app: Flask, scopes: list[LoaderScope], statements: list[str], tokens: Tokens
) -> None:
    pairs = list(tokens)[:30]

    @app.get("/")
    async def view() -> list[str | None]:
        records = await asyncio.gather(*map(SymbolLoader.current().load, pairs))
        return [token_of(record) for record in records]

    assert app.test_client().get("/").json == [tokens[pair] for pair in pairs]
    assert len(statements) == len(scopes) == 1
    assert scopes[0].closed


def test_tasks_of_an_async_view_share_its_scope(
    app: Flask, scopes: list[LoaderScope], statements: list[str], tokens: Tokens
) -> None:
    pairs = list(tokens)[:30]

    async def token(pair: tuple[str, str]) -> str:
        return str(token_of(await SymbolLoader.current().load(pair)))

    @app.get("/")
    async def view() -> list[str]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(token(pair)) for pair in pairs]
        return [task.result() for task in tasks]

    assert app.test_client().get("/").json == [tokens[pair] for pair in pairs]
    assert len(statements) == len(scopes) == 1
    assert scopes[0].closed


def test_sync_hooks_and_async_view_share_the_scope(
    app: Flask, scopes: list[LoaderScope], statements: list[str], tokens: Tokens
) -> None:
    @app.before_request
    def before() -> None:
        get_token(*RELIANCE)

    @app.after_request
    async def after(response: Response) -> Response:
        assert get_token("TCS", "NSE") == tokens["TCS", "NSE"]
        return response

    @app.get("/")
    async def view() -> str:
        tcs = await SymbolLoader.current().load(("TCS", "NSE"))
        return f"{get_token(*RELIANCE)} {token_of(tcs)}"

    expected = f"{tokens[RELIANCE]} {tokens['TCS', 'NSE']}"
    assert app.test_client().get("/").text == expected
    assert len(statements) == 2
    assert len(scopes) == 1


def test_closed_after_an_exception_in_an_async_view(app: Flask, scopes: list[LoaderScope]) -> None:
    @app.get("/")
    async def view() -> str:
        await SymbolLoader.current().load(RELIANCE)
        abort(404)

    assert app.test_client().get("/").status_code == 404
    assert len(scopes) == 1
    assert scopes[0].closed


def test_an_async_engine(database: Path, scopes: list[LoaderScope], tokens: Tokens) -> None:
    pytest.importorskip("aiosqlite")
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    app = Flask("app")
    # Each async view has an event loop of its own, to which a connection would belong.
    engine = create_async_engine(f"sqlite+aiosqlite:///{database}", poolclass=NullPool)
    extension = DataLoaders(app, engine=engine)
    pairs = list(tokens)[:30]

    @app.get("/")
    async def view() -> list[str | None]:
        records = await asyncio.gather(*map(SymbolLoader.current().load, pairs))
        return [token_of(record) for record in records]

    for _ in range(2):
        assert app.test_client().get("/").json == [tokens[pair] for pair in pairs]
    assert len(scopes) == 2
    assert all_closed(scopes)
    with app.app_context():
        assert isinstance(extension.master.bind, AsyncEngine)


# -- streamed responses


def test_a_stream_is_part_of_its_request(
    app: Flask, scopes: list[LoaderScope], tokens: Tokens
) -> None:
    @app.get("/")
    def view() -> Response:
        def parts() -> Iterator[str]:
            for symbol in ("RELIANCE", "TCS"):
                yield f"{get_token(symbol, 'NSE')}\n"
                assert not the_scope().closed
                assert of_requests([the_scope()])

        return Response(stream_with_context(parts()))

    lines = app.test_client().get("/").text.splitlines()
    assert lines == [tokens[RELIANCE], tokens["TCS", "NSE"]]
    assert len(scopes) == 1
    assert scopes[0].closed


def test_a_stream_goes_on_in_a_scope_after_lookups_in_the_view(
    app: Flask, scopes: list[LoaderScope], tokens: Tokens
) -> None:
    @app.get("/")
    def view() -> Response:
        get_token(*RELIANCE)

        def parts() -> Iterator[str]:
            # Neither the common scope nor none: who is not shared needs a request's.
            yield str(OwnLoader.current().get(4))
            assert of_requests([the_scope()])
            yield f" {get_token('TCS', 'NSE')}"

        return Response(stream_with_context(parts()))

    assert app.test_client().get("/").text == f"8 {tokens['TCS', 'NSE']}"
    assert scopes
    assert all_closed(scopes)


def test_streams_share_no_cache(app: Flask, database: Path) -> None:
    @app.get("/")
    def view() -> Response:
        before = get_token(*RELIANCE)

        def parts() -> Iterator[str]:
            yield f"{before} {get_token(*RELIANCE)}"

        return Response(stream_with_context(parts()))

    client = app.test_client()
    for token in ("1", "2", "3"):
        set_token(database, token)
        assert client.get("/").text == f"{token} {token}"


def test_a_stream_in_a_process_with_two_applications(
    app: Flask, tmp_path: Path, tokens: Tokens
) -> None:
    other = Flask("other")
    other_engine = create_engine(f"sqlite:///{tmp_path}/other.db")
    DataLoaders(other, engine=other_engine)

    @app.get("/")
    def view() -> Response:
        get_token("TCS", "NSE")
        return Response(stream_with_context(str(get_token(*RELIANCE)) for _ in range(1)))

    assert app.test_client().get("/").text == tokens[RELIANCE]
    other_engine.dispose()


@pytest.mark.parametrize("lookup_in_view", [False, True])
def test_a_stream_that_the_client_leaves(
    app: Flask, scopes: list[LoaderScope], *, lookup_in_view: bool
) -> None:
    ended = []

    @app.get("/")
    def view() -> Response:
        if lookup_in_view:
            get_token(*RELIANCE)

        def parts() -> Iterator[str]:
            try:
                while True:
                    yield str(get_token("TCS", "NSE"))
            finally:
                ended.append(True)

        return Response(stream_with_context(parts()))

    response = app.test_client().get("/", buffered=False)
    parts = response.iter_encoded()
    assert next(parts)
    assert next(parts)
    response.close()
    assert ended == [True]
    assert all_closed(of_requests(scopes))
    assert current_scope() is None


def test_a_stream_that_is_never_read(app: Flask, scopes: list[LoaderScope]) -> None:
    @app.get("/")
    def view() -> Response:
        get_token(*RELIANCE)
        return Response(stream_with_context(str(get_token("TCS", "NSE")) for _ in range(9)))

    app.test_client().get("/", buffered=False).close()
    assert scopes
    assert all_closed(of_requests(scopes))


def test_a_stream_that_fails(app: Flask, scopes: list[LoaderScope]) -> None:
    @app.get("/")
    def view() -> Response:
        def parts() -> Iterator[str]:
            yield str(get_token(*RELIANCE))
            raise LookupError("in the stream")

        return Response(stream_with_context(parts()))

    with pytest.raises(LookupError, match="in the stream"):
        _ = app.test_client().get("/").text
    assert len(scopes) == 1
    assert scopes[0].closed


def test_a_generator_without_context_is_outside(app: Flask, tokens: Tokens) -> None:
    @app.get("/")
    def view() -> Response:
        loader = SymbolLoader.current()
        loader.get(RELIANCE)

        def parts() -> Iterator[str]:
            assert current_scope() is None
            yield str(get_token(*RELIANCE))
            with pytest.raises(ScopeClosedError):
                loader.get(RELIANCE)
            with pytest.raises(NoScopeError):
                OwnLoader.current()

        return Response(parts())

    assert app.test_client().get("/").text == tokens[RELIANCE]


# -- requests beside, within and after each other


def test_requests_share_no_cache(app: Flask, database: Path) -> None:
    app.add_url_rule("/", view_func=lambda: str(get_token(*RELIANCE)))
    client = app.test_client()
    for token in ("1", "2", "3"):
        set_token(database, token)
        assert client.get("/").text == token


def test_requests_of_one_application_context_share_no_cache(app: Flask, database: Path) -> None:
    """As where tests push one context around all of their requests."""
    app.add_url_rule("/", view_func=lambda: str(get_token(*RELIANCE)))
    with app.app_context():
        client = app.test_client()
        for token in ("1", "2", "3"):
            set_token(database, token)
            assert client.get("/").text == token


def test_a_kept_client_context_shares_no_cache(app: Flask, database: Path) -> None:
    app.add_url_rule("/", view_func=lambda: str(get_token(*RELIANCE)))
    with app.test_client() as client:
        for token in ("1", "2", "3"):
            set_token(database, token)
            assert client.get("/").text == token


def test_a_request_within_a_request_of_the_same_application(
    app: Flask, scopes: list[LoaderScope]
) -> None:
    app.add_url_rule("/inner", view_func=lambda: str(id(the_scope())))

    @app.get("/outer")
    def outer() -> str:
        scope = the_scope()
        loader = SymbolLoader.current()
        assert app.test_client().get("/inner").text != str(id(scope))
        assert the_scope() is scope
        assert not scope.closed
        assert SymbolLoader.current() is loader
        return "done"

    assert app.test_client().get("/outer").text == "done"
    assert len(scopes) == 2
    assert all_closed(scopes)


@pytest.mark.parametrize("lookup_first", [False, True])
def test_a_request_within_a_request_of_another_application(
    app: Flask, tmp_path: Path, scopes: list[LoaderScope], tokens: Tokens, *, lookup_first: bool
) -> None:
    other = Flask("other")
    other_engine = create_engine(f"sqlite:///{tmp_path}/other.db")
    replace_contract(other_engine, generate_contract(100, seed=5))
    with other_engine.connect() as connection:
        other_token = connection.scalar(
            select(symtoken.c.token).filter_by(symbol="RELIANCE", exchange="NSE")
        )
    DataLoaders(other, engine=other_engine)
    other.add_url_rule("/", view_func=lambda: str(get_token(*RELIANCE)))

    @app.get("/")
    def outer() -> str:
        scope = the_scope() if lookup_first else None
        inner = other.test_client().get("/").text
        assert scope in {None, the_scope()}
        return f"{inner} {get_token(*RELIANCE)}"

    assert other_token != tokens[RELIANCE]
    assert app.test_client().get("/").text == f"{other_token} {tokens[RELIANCE]}"
    assert len(scopes) == 2
    assert all_closed(scopes)
    other_engine.dispose()


def test_a_context_of_its_own_within_a_request(app: Flask, scopes: list[LoaderScope]) -> None:
    @app.get("/")
    def view() -> str:
        outer = the_scope()
        with app.app_context():
            assert the_scope() is outer
        assert not outer.closed
        return "done"

    assert app.test_client().get("/").text == "done"
    assert len(scopes) == 1
    assert all_closed(scopes)


def test_a_scope_opened_by_hand_within_a_request(
    app: Flask, scopes: list[LoaderScope], statements: list[str], tokens: Tokens
) -> None:
    extension: DataLoaders = DataLoaders()

    @app.get("/")
    def view() -> str:
        outer = the_scope()
        get_token(*RELIANCE)
        with extension.scope() as inner:
            assert the_scope() is inner
            assert get_token(*RELIANCE) == tokens[RELIANCE]
        assert the_scope() is outer
        return str(get_token(*RELIANCE))

    assert app.test_client().get("/").text == tokens[RELIANCE]
    assert len(statements) == len(scopes) == 2
    assert all_closed(scopes)


def test_concurrent_requests_have_scopes_of_their_own(app: Flask, tokens: Tokens) -> None:
    both_inside = threading.Barrier(2, timeout=10)

    @app.get("/<symbol>")
    def view(symbol: str) -> list[str | int | None]:
        scope = the_scope()
        both_inside.wait()
        token = get_token(symbol, "NSE")
        both_inside.wait()
        assert the_scope() is scope
        return [token, id(scope), len(scope.loaders)]

    symbols = ("RELIANCE", "TCS")
    with ThreadPoolExecutor(2) as executor:
        answers: Any = list(
            executor.map(lambda symbol: app.test_client().get(f"/{symbol}").json, symbols)
        )
    assert [token for token, _, _ in answers] == [tokens[symbol, "NSE"] for symbol in symbols]
    assert answers[0][1] != answers[1][1]


def test_no_scope_outlives_its_request(app: Flask) -> None:
    seen: list[weakref.ref[LoaderScope]] = []

    @app.get("/")
    def view() -> str:
        seen.append(weakref.ref(the_scope()))
        return str(get_token(*RELIANCE))

    client = app.test_client()
    for _ in range(1_000):
        client.get("/")
    gc.collect()
    assert len(seen) == 1_000
    assert sum(reference() is not None for reference in seen) <= 1


# -- threads


def test_a_plain_pool_is_outside_the_request(app: Flask, tokens: Tokens) -> None:
    def look() -> str | None:
        assert current_scope() is None
        with pytest.raises(NoScopeError):
            OwnLoader.current()
        return get_token(*RELIANCE)

    @app.get("/")
    def view() -> str:
        get_token("TCS", "NSE")
        with ThreadPoolExecutor(2) as executor:
            return str(executor.submit(look).result(10))

    assert app.test_client().get("/").text == tokens[RELIANCE]


def test_a_pool_that_carries_the_scope(
    app: Flask, scopes: list[LoaderScope], statements: list[str], tokens: Tokens
) -> None:
    @app.get("/")
    def view() -> list[str | None]:
        scope = the_scope()

        def look(symbol: str) -> str | None:
            assert the_scope() is scope
            assert OwnLoader.current().get(1) == 2
            return get_token(symbol, "NSE")

        get_token(*RELIANCE)
        with ScopeThreadPoolExecutor(2) as executor:
            return list(executor.map(look, ["RELIANCE"] * 10))

    assert app.test_client().get("/").json == [tokens[RELIANCE]] * 10
    assert len(scopes) == len(statements) == 1
    assert scopes[0].closed


@pytest.mark.parametrize("way", ["copy_context", "run"])
def test_a_thread_that_is_given_the_scope(
    app: Flask, scopes: list[LoaderScope], tokens: Tokens, way: str
) -> None:
    @app.get("/")
    def view() -> str:
        scope = the_scope()
        run: Callable[..., Any] = copy_context().run if way == "copy_context" else scope.run
        with ThreadPoolExecutor(1) as executor:
            assert executor.submit(run, get_token, *RELIANCE).result(10) == tokens[RELIANCE]
            assert executor.submit(run, OwnLoader.current).result(10) is OwnLoader.current()
        return "done"

    assert app.test_client().get("/").text == "done"
    assert len(scopes) == 1
    assert scopes[0].closed


def test_threads_that_look_up_before_the_view_does_share_one_scope(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both threads find no scope yet; one must not open a second that nobody closes."""
    meeting = threading.Barrier(2)
    original = SymbolMaster.scope

    def slow(self: SymbolMaster) -> LoaderScope:
        with suppress(threading.BrokenBarrierError):  # or there is only one that opens it
            meeting.wait(1)
        return original(self)

    monkeypatch.setattr(SymbolMaster, "scope", slow)
    found: list[LoaderScope] = []

    @app.get("/")
    def view() -> str:
        with ScopeThreadPoolExecutor(2) as executor:
            calls = [executor.submit(the_scope) for _ in range(2)]
            found.extend(call.result(10) for call in calls)
        found.append(the_scope())
        return "done"

    assert app.test_client().get("/").text == "done"
    assert len(set(found)) == 1
    assert all_closed(found)


# -- after the request


@pytest.mark.parametrize("use", ["get", "get_many", "require"])
def test_a_loader_that_is_kept_beyond_its_request(app: Flask, use: str) -> None:
    kept: list[SymbolLoader] = []

    @app.get("/")
    def view() -> str:
        kept.append(SymbolLoader.current())
        return str(kept[0].get(RELIANCE) is not None)

    assert app.test_client().get("/").text == "True"
    argument: Any = [RELIANCE] if use == "get_many" else RELIANCE
    with pytest.raises(ScopeClosedError, match="SymbolLoader belongs to a scope that is closed"):
        getattr(kept[0], use)(argument)


def test_a_scope_that_is_kept_beyond_its_request(app: Flask) -> None:
    kept: list[LoaderScope] = []

    @app.get("/")
    def view() -> str:
        kept.append(the_scope())
        return "done"

    app.test_client().get("/")
    with pytest.raises(ScopeClosedError):
        kept[0].loader(SymbolLoader)
    with pytest.raises(ScopeClosedError):
        kept[0].run(print)


def test_a_context_that_is_kept_beyond_its_request(app: Flask, tokens: Tokens) -> None:
    """A background thread that was given the request's context goes on, outside of any scope."""
    contexts = []

    @app.get("/")
    def view() -> str:
        get_token("TCS", "NSE")
        contexts.append(copy_context())
        return "done"

    app.test_client().get("/")
    assert contexts[0].run(get_token, *RELIANCE) == tokens[RELIANCE]
    with pytest.raises(NoScopeError):
        contexts[0].run(OwnLoader.current)


# -- applications


def test_each_application_has_its_own_master(app: Flask, tmp_path: Path, tokens: Tokens) -> None:
    other = Flask("other")
    other_engine = create_engine(f"sqlite:///{tmp_path}/other.db")
    replace_contract(other_engine, generate_contract(100, seed=5))
    DataLoaders(other, engine=other_engine)
    inside = threading.Barrier(2, timeout=10)

    def view() -> str:
        token = get_token(*RELIANCE)
        inside.wait()  # both applications are serving
        assert get_token(*RELIANCE) == token
        return str(token)

    for each in (app, other):
        each.add_url_rule("/", view_func=view)
    with other_engine.connect() as connection:
        other_token = connection.scalar(
            select(symtoken.c.token).filter_by(symbol="RELIANCE", exchange="NSE")
        )
    with ThreadPoolExecutor(2) as executor:
        for _ in range(20):
            calls = [executor.submit(each.test_client().get, "/") for each in (app, other)]
            assert [call.result(20).text for call in calls] == [tokens[RELIANCE], other_token]
    assert other_token != tokens[RELIANCE]
    with pytest.raises(NoRegistryError, match="there are 2"):
        get_token(*RELIANCE)
    other_engine.dispose()


def test_one_extension_for_two_applications(database: Path, tmp_path: Path) -> None:
    extension = DataLoaders()
    masters = []
    for number, path in enumerate((database, tmp_path / "other.db")):
        app = Flask(f"app{number}")
        app.config["DATALOADERS_DATABASE_URI"] = f"sqlite:///{path}"
        extension.init_app(app)
        with app.app_context():
            masters.append(extension.master)
            assert extension.master is masters[-1]
            assert extension.scope().registry is masters[-1]
            assert the_scope().registry is masters[-1]
    first, second = masters
    assert isinstance(first.bind, Engine)
    assert isinstance(second.bind, Engine)
    assert first.bind.url.database == str(database)
    assert second.bind.url.database == str(tmp_path / "other.db")


@pytest.mark.parametrize("again", ["the same", "another"])
def test_an_application_is_set_up_once(engine: Engine, again: str) -> None:
    app = Flask("trading")
    extension = DataLoaders(app, engine=engine)
    with pytest.raises(ConfigurationError, match=r"DataLoaders\(trading\) must be set up once"):
        (extension if again == "the same" else DataLoaders(engine=engine)).init_app(app)
    assert len(app.teardown_appcontext_funcs) == 1


def test_an_application_without_the_extension(
    app: Flask, scopes: list[LoaderScope], tokens: Tokens
) -> None:
    plain = Flask("plain")

    @plain.get("/")
    def view() -> str:
        assert current_scope() is None
        with pytest.raises(NoScopeError):
            OwnLoader.current()
        with pytest.raises(ConfigurationError, match=r"set up with DataLoaders\(app\)"):
            _ = extension.master
        return str(get_token(*RELIANCE))

    extension = DataLoaders()
    assert plain.test_client().get("/").text == tokens[RELIANCE]
    app.add_url_rule("/", view_func=lambda: plain.test_client().get("/").text)
    assert app.test_client().get("/").text == tokens[RELIANCE]
    assert of_requests(scopes) == []


def test_the_master_needs_an_application(engine: Engine) -> None:
    extension = DataLoaders(Flask("app"), engine=engine)
    with pytest.raises(RuntimeError, match="application context"):
        _ = extension.master


def test_an_application_without_a_database_has_scopes_all_the_same(
    scopes: list[LoaderScope],
) -> None:
    app = Flask("app")
    extension = DataLoaders(app)

    @app.get("/")
    def view() -> str:
        with pytest.raises(ConfigurationError, match="DATALOADERS_DATABASE_URI must be"):
            _ = extension.master
        with pytest.raises(NoRegistryError, match="there is none"):
            get_token(*RELIANCE)
        return str(OwnLoader.current().get(21))

    assert app.test_client().get("/").text == "42"
    assert len(scopes) == 1
    assert scopes[0].closed


# -- settings


def bound(app: Flask, extension: DataLoaders) -> Any:  # noqa: ANN401 - an engine of any kind
    with app.app_context():
        return extension.master.bind


def test_an_engine_that_is_given(engine: Engine) -> None:
    app = Flask("app")
    app.config["DATALOADERS_DATABASE_URI"] = "sqlite:///not-this-one.db"
    assert bound(app, DataLoaders(app, engine=engine)) is engine


def test_a_function_that_gives_the_engine(engine: Engine, tokens: Tokens) -> None:
    class Database:
        """Like Flask-SQLAlchemy's: its engine is there within an application's context."""

        @property
        def engine(self) -> Engine:
            engine: Engine = current_app.extensions["database"]
            return engine

    app = Flask("app")
    db = Database()
    extension = DataLoaders(app, engine=lambda: db.engine)
    app.extensions["database"] = engine  # set up only afterwards
    app.add_url_rule("/", view_func=lambda: str(get_token(*RELIANCE)))
    assert app.test_client().get("/").text == tokens[RELIANCE]
    assert bound(app, extension) is engine


def test_threads_that_come_first_together_get_one_master(engine: Engine) -> None:
    meeting = threading.Barrier(2)

    def give() -> Engine:
        with suppress(threading.BrokenBarrierError):  # or there is only one that asks
            meeting.wait(1)
        return engine

    app = Flask("app")
    extension = DataLoaders(app, engine=give)

    @app.get("/")
    def view() -> str:
        the_scope()
        return str(id(extension.master))

    with ThreadPoolExecutor(2) as executor:
        calls = [executor.submit(app.test_client().get, "/") for _ in range(2)]
        masters = {call.result(10).text for call in calls}
    assert len(masters) == 1
    get_token(*RELIANCE)  # outside any request there is one to be asked


@pytest.mark.parametrize("where", ["config", "environment", "Flask-SQLAlchemy's"])
def test_where_the_database_is_set(
    database: Path, monkeypatch: pytest.MonkeyPatch, tokens: Tokens, where: str
) -> None:
    app = Flask("app")
    uri = f"sqlite:///{database}"
    if where == "environment":
        monkeypatch.setenv("DATALOADERS_DATABASE_URI", uri)
        # What belongs to the extension goes before what belongs to another.
        app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///not-this-one.db"
    elif where == "config":
        app.config["DATALOADERS_DATABASE_URI"] = uri
        monkeypatch.setenv("DATALOADERS_DATABASE_URI", "sqlite:///not-this-one.db")
    else:
        app.config["SQLALCHEMY_DATABASE_URI"] = uri
    extension = DataLoaders(app)
    app.add_url_rule("/", view_func=lambda: str(get_token(*RELIANCE)))
    assert app.test_client().get("/").text == tokens[RELIANCE]
    engine = bound(app, extension)
    assert engine.url.database == str(database)
    engine.dispose()


def test_a_database_url_as_an_object(engine: Engine) -> None:
    app = Flask("app")
    app.config["DATALOADERS_DATABASE_URI"] = URL.create(
        "sqlite", database=engine.url.database, query={"timeout": "7"}
    )
    url = bound(app, DataLoaders(app)).url
    assert (url.database, url.query["timeout"]) == (engine.url.database, "7")


def test_the_password_of_a_database_url_as_an_object(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def note(url: str | URL, **_options: object) -> Engine:
        made.append(make_url(url))
        return create_engine("sqlite://")

    monkeypatch.setattr("flask_dataloaders.settings.create_engine", note)
    app = Flask("app")
    url = make_url("postgresql://trader:p%40ss@db/symbols")
    app.config["DATALOADERS_DATABASE_URI"] = url
    DataLoaders(app)
    assert made == [url]


@pytest.mark.parametrize("where", ["config", "environment"])
def test_engine_options(database: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    app = Flask("app")
    app.config["DATALOADERS_DATABASE_URI"] = f"sqlite:///{database}"
    if where == "config":
        app.config["DATALOADERS_ENGINE_OPTIONS"] = {"pool_size": 7, "echo": False}
    else:
        monkeypatch.setenv("DATALOADERS_ENGINE_OPTIONS", '{"pool_size": 7, "echo": false}')
    assert bound(app, DataLoaders(app)).pool.size() == 7


def test_other_names_in_the_environment_are_not_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATALOADERS_TEST_GUNICORN25_PYTHON", "python")
    DataLoaders(Flask("app"))


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("DATABASE_URI", "not a url", "a SQLAlchemy database URL such as sqlite:///app.db"),
        ("DATABASE_URI", "sqlite:/app.db", "a SQLAlchemy database URL"),
        ("DATABASE_URI", 5, "a SQLAlchemy database URL"),
        ("DATABASE_URI", b"sqlite:///app.db", "a SQLAlchemy database URL"),
        ("DATABASE_URI", ["sqlite:///app.db"], "a SQLAlchemy database URL"),
        ("DATABASE_URI", "nosuchdb://host/name", "DATALOADERS_DATABASE_URI"),
        ("DATABASE_URI", "postgresql://host:port/name", "DATALOADERS_DATABASE_URI"),
        ("ENGINE_OPTIONS", "pool_size=7", "a dict of create_engine's arguments"),
        ("ENGINE_OPTIONS", "[7]", "a dict of create_engine's arguments"),
        ("ENGINE_OPTIONS", "7", "a dict of create_engine's arguments"),
        ("ENGINE_OPTIONS", 7, "a dict of create_engine's arguments"),
        ("ENGINE_OPTIONS", [("echo", True)], "a dict of create_engine's arguments"),
        ("ENGINE_OPTIONS", {"no_such_option": 1}, "DATALOADERS_ENGINE_OPTIONS"),
        ("ENGINE_OPTIONS", {7: 1}, "DATALOADERS_ENGINE_OPTIONS"),
        ("DATABASE_URL", "sqlite:///app.db", "DATALOADERS_DATABASE_URI"),
        ("TIMEOUT", 5, "DATALOADERS_DATABASE_URI, DATALOADERS_DETECT"),
    ],
)
def test_settings_that_cannot_be(database: Path, setting: str, value: object, said: str) -> None:
    app = Flask("app")
    app.config["DATALOADERS_DATABASE_URI"] = f"sqlite:///{database}"
    app.config[f"DATALOADERS_{setting}"] = value
    with pytest.raises(ConfigurationError) as caught:
        DataLoaders(app)
    assert f"DATALOADERS_{setting}" in str(caught.value)
    assert said in str(caught.value)
    assert "dataloaders" not in app.extensions
    assert app.teardown_appcontext_funcs == []


@pytest.mark.parametrize("value", ["pool_size=7", "[7]", "7", '{"pool_size": 7'])
def test_engine_options_that_are_no_json_object_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("DATALOADERS_ENGINE_OPTIONS", value)
    with pytest.raises(ConfigurationError, match="DATALOADERS_ENGINE_OPTIONS must be a dict"):
        DataLoaders(Flask("app"))


def test_a_password_is_not_shown_in_an_error() -> None:
    app = Flask("app")
    app.config["DATALOADERS_DATABASE_URI"] = "postgresql:/trader:secret@host/name"
    with pytest.raises(ConfigurationError) as caught:
        DataLoaders(app)
    assert "secret" not in str(caught.value)


def test_the_name_of_another_settings_place_is_told() -> None:
    app = Flask("app")
    app.config["SQLALCHEMY_DATABASE_URI"] = "not a url"
    with pytest.raises(ConfigurationError, match="SQLALCHEMY_DATABASE_URI"):
        DataLoaders(app)


@pytest.mark.parametrize("engine", ["sqlite://", 5])
def test_an_engine_that_is_none(engine: Any) -> None:  # noqa: ANN401 - what mypy would refuse
    app = Flask("app")
    with app.app_context(), pytest.raises(ConfigurationError, match="an Engine"):  # noqa: PT012 - at the latest at the first lookup
        DataLoaders(app, engine=engine)
        get_token(*RELIANCE)


# -- the application's own model


class Base(DeclarativeBase):
    pass


class FullModel(Base):
    __tablename__ = "master_contract"

    id: Mapped[int] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(String, index=True)
    brsymbol: Mapped[str] = mapped_column(String, index=True)
    name: Mapped[str | None]
    exchange: Mapped[str | None]
    brexchange: Mapped[str | None]
    token: Mapped[str | None] = mapped_column(String, index=True)
    expiry: Mapped[str | None]
    strike: Mapped[float | None]
    lotsize: Mapped[int | None]
    instrumenttype: Mapped[str | None]
    tick_size: Mapped[float | None]
    contract_value: Mapped[float | None]


class ModelWithoutContractValue(Base):
    __tablename__ = "symbols"

    id: Mapped[int] = mapped_column(primary_key=True)
    symbol: Mapped[str]
    brsymbol: Mapped[str]
    name: Mapped[str | None]
    exchange: Mapped[str | None]
    brexchange: Mapped[str | None]
    token: Mapped[str | None]
    expiry: Mapped[str | None]
    strike: Mapped[float | None]
    lotsize: Mapped[int | None]
    instrumenttype: Mapped[str | None]
    tick_size: Mapped[float | None]


@pytest.mark.parametrize("model", [FullModel, ModelWithoutContractValue])
def test_an_applications_own_model(
    engine: Engine,
    statements: list[str],
    tokens: Tokens,
    model: Any,  # noqa: ANN401 - a mapped class
) -> None:
    table: Table = model.__table__
    replace_contract(engine, generate_contract(2_000), table)
    with engine.begin() as connection:
        connection.execute(symtoken.delete())
    statements.clear()
    app = Flask("app")
    DataLoaders(app, engine=engine, table=model)

    @app.get("/")
    def view() -> Response:
        info = get_symbol_info(*RELIANCE)
        assert info is not None
        assert info.contract_value is None
        assert info.lotsize == 1
        assert info.instrumenttype == "EQ"
        token = str(get_token(*RELIANCE))
        return jsonify(token, get_symbol(token, "NSE"), get_oa_symbol("RELIANCE", "NSE"))

    assert app.test_client().get("/").json == [tokens[RELIANCE], "RELIANCE", "RELIANCE"]
    assert all(table.name in text for text in statements)
    assert len(statements) == 3
    assert get_token("TCS", "NSE") == tokens["TCS", "NSE"]  # outside of requests, too
    assert table.name in statements[-1]
    result = app.test_cli_runner().invoke(args=["symbols", "lookup", *RELIANCE])
    assert result.exit_code == 0, result.output
    assert tokens[RELIANCE] in result.stdout


def test_a_model_that_lacks_what_lookups_need(engine: Engine) -> None:
    app = Flask("app")
    table = Table(
        "few",
        Base.metadata,
        Column("id", Integer, primary_key=True),
        Column("symbol", String),
        Column("token", String),
        extend_existing=True,
    )
    with app.app_context(), pytest.raises(ConfigurationError, match="exchange"):  # noqa: PT012 - at the latest at the first lookup
        DataLoaders(app, engine=engine, table=table)
        get_token(*RELIANCE)


@pytest.mark.parametrize("table", ["symtoken", 5, int])
def test_a_table_that_is_none(engine: Engine, table: object) -> None:
    with pytest.raises(ConfigurationError, match="a table or a mapped class"):
        DataLoaders(Flask("app"), engine=engine, table=table)


# -- the lookups give what one query each gives


def by_query(engine: Engine, wanted: str, **where: object) -> Any:  # noqa: ANN401 - what the column holds
    query = select(symtoken.c[wanted]).filter_by(**where).order_by(symtoken.c.id).limit(1)
    with engine.connect() as connection:
        return connection.scalar(query)


@pytest.fixture
def odd_rows(engine: Engine) -> None:
    """Rows as they should not be, but are: no exchange, no token, names shared by several."""
    row = {"brsymbol": "ODD-BR", "exchange": "NSE", "brexchange": None, "token": "777"}
    with engine.begin() as connection:
        connection.execute(
            insert(symtoken),
            [
                row | {"symbol": "ODD1", "brexchange": "XNSE"},
                row | {"symbol": "ODD2"},
                row
                | {
                    "symbol": "NOWHERE",
                    "exchange": None,
                    "brsymbol": "NW",
                    "token": "778",
                    "brexchange": "X",
                },
                row | {"symbol": "TOKENLESS", "token": None, "brsymbol": "TL"},
                row | {"symbol": "QUOTE'\"\\%_é", "brsymbol": "null", "token": "007"},
            ],
        )


NAMES: list[Any] = ["RELIANCE", "ODD1", "ODD2", "NOWHERE", "TOKENLESS", "QUOTE'\"\\%_é", None, ""]
NAMES += ["NOSUCH", "reliance", "RELIANCE ", "null", "ODD-BR", "NW", "TL", 5]
EXCHANGES: list[Any] = ["NSE", "BSE", None, "", "NOSUCH", "nse"]
LOOKUPS: list[tuple[Any, str, str]] = [
    (get_token, "symbol", "token"),
    (get_br_symbol, "symbol", "brsymbol"),
    (get_brexchange, "symbol", "brexchange"),
    (get_oa_symbol, "brsymbol", "symbol"),
    (get_symbol, "token", "symbol"),
]


BATCHES: list[tuple[Any, str, str]] = [
    (get_tokens_batch, "symbol", "token"),
    (get_br_symbols_batch, "symbol", "brsymbol"),
    (get_symbols_batch, "token", "symbol"),
]


@pytest.mark.usefixtures("odd_rows")
@pytest.mark.parametrize("call", ["by position", "by name"])
@pytest.mark.parametrize("case", LOOKUPS, ids=lambda case: case[0].__name__)
def test_lookups_give_what_one_query_each_gives(
    app: Flask, engine: Engine, case: tuple[Any, str, str], call: str
) -> None:
    lookup, given, wanted = case
    with engine.connect() as connection:
        some = connection.execute(select(symtoken.c[given], symtoken.c.exchange)).all()
    values = [*NAMES, "777", 777, "778", "007", 7, "7"]
    pairs = [(name, exchange) for name in values for exchange in EXCHANGES]
    pairs += [(name, exchange) for name, exchange in some[::20]]
    found = {}

    @app.get("/")
    def view() -> str:
        for pair in pairs:
            if call == "by position":
                found[pair] = lookup(*pair)
            else:
                found[pair] = lookup(**dict(zip((given, "exchange"), pair, strict=True)))
        return ""

    app.test_client().get("/")
    assert len(found) > 100
    for (name, exchange), answer in found.items():
        text = None if name is None else str(name)
        expected = by_query(engine, wanted, **{given: text, "exchange": exchange})
        assert answer == expected, (name, exchange)
    assert any(answer is not None for (_, exchange), answer in found.items() if exchange is None)


@pytest.mark.usefixtures("odd_rows")
def test_the_whole_record(app: Flask, engine: Engine) -> None:
    with engine.connect() as connection:
        rows = connection.execute(select(symtoken).order_by(symtoken.c.id.desc())).mappings().all()
    expected = {(row["symbol"], row["exchange"]): dict(row) for row in rows}

    @app.get("/")
    def view() -> str:
        for pair in [*list(expected)[::15], ("NOWHERE", None)]:
            info: Any = get_symbol_info(*pair)
            assert {name: getattr(info, name) for name in expected[pair]} == expected[pair]
        assert get_symbol_info(symbol="NOSUCH", exchange="NSE") is None
        return "done"

    assert app.test_client().get("/").text == "done"


def test_numeric_tokens(app: Flask, engine: Engine, statements: list[str], tokens: Tokens) -> None:
    number = int(tokens[RELIANCE])
    expected = by_query(engine, "symbol", token=tokens[RELIANCE], exchange="NSE")

    @app.get("/")
    def view() -> str:
        statements.clear()
        assert get_symbol(number, "NSE") == get_symbol(str(number), "NSE") == expected
        assert get_symbols_batch([(number, "NSE")]) == {(number, "NSE"): expected}
        assert len(statements) == 1  # a number and its text are one key
        return "done"

    assert app.test_client().get("/").text == "done"


@pytest.mark.usefixtures("odd_rows")
@pytest.mark.parametrize("case", BATCHES, ids=lambda case: case[0].__name__)
def test_batches_give_what_one_query_each_gives(
    app: Flask, engine: Engine, statements: list[str], case: tuple[Any, str, str]
) -> None:
    batch, given, wanted = case
    with engine.connect() as connection:
        some = connection.execute(select(symtoken.c[given], symtoken.c.exchange)).all()
    pairs: list[Any] = [tuple(row) for row in some[::50]]
    pairs += [(name, exchange) for name in NAMES[:-1] for exchange in EXCHANGES]
    counted = []

    @app.get("/")
    def view() -> str:
        statements.clear()
        found = batch(pairs)
        counted.append(len(statements))
        for name, exchange in pairs:
            expected = by_query(engine, wanted, **{given: name, "exchange": exchange})
            assert found[name, exchange] == expected, (name, exchange)
        assert batch([]) == {}
        return "done"

    assert app.test_client().get("/").text == "done"
    assert counted == [1]


# -- statements


def test_get_many_is_one_statement(app: Flask, statements: list[str], tokens: Tokens) -> None:
    pairs = list(tokens)[:30]

    @app.get("/")
    def view() -> list[str | None]:
        return [token_of(record) for record in SymbolLoader.current().get_many(pairs)]

    assert app.test_client().get("/").json == [tokens[pair] for pair in pairs]
    assert len(statements) == 1


def test_what_a_request_knows_is_not_asked_for_again(
    app: Flask, statements: list[str], tokens: Tokens
) -> None:
    pairs = [pair for pair in tokens if pair[1] == "NSE"][:10]

    @app.get("/")
    def view() -> str:
        records = TokenLoader.current().get_many([(tokens[pair], pair[1]) for pair in pairs])
        for record in records:
            assert record is not None
            assert get_token(record.symbol, "NSE") == tokens[record.symbol, "NSE"]
        assert get_token("NOSUCH", "NSE") is None
        assert get_token("NOSUCH", "NSE") is None
        return "done"

    assert app.test_client().get("/").text == "done"
    assert len(statements) == 2


def test_a_view_without_lookups_is_no_statement_and_no_scope(
    app: Flask, statements: list[str], scopes: list[LoaderScope]
) -> None:
    app.add_url_rule("/", view_func=lambda: request.path + str(list(g)))
    assert app.test_client().get("/").text == "/[]"
    assert statements == []
    assert scopes == []
