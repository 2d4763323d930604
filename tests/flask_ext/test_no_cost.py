"""A request that looks nothing up pays nothing: shown by counting calls."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from sqlalchemy import Engine, event

import dataloaders
from dataloaders import DataLoader, LoaderRegistry, LoaderScope
from dataloaders.symbols import SymbolMaster, get_token
from flask_dataloaders import DataLoaders

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType


def make_app(engine: Engine | Callable[[], Engine]) -> Flask:
    app = Flask("app")
    DataLoaders(app, engine=engine)

    @app.get("/nothing")
    def nothing() -> str:
        return "nothing"

    @app.get("/one")
    def one() -> str:
        return str(get_token("RELIANCE", "NSE"))

    return app


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> list[str]:
    """What is made from now on: scopes, loaders, masters, connections, statements."""
    made: list[str] = []
    for kind in (LoaderScope, DataLoader, LoaderRegistry):
        original: Any = vars(kind)["__init__"]

        def note(
            self: object,
            *arguments: object,
            _name: str = kind.__name__,
            _original: Callable[..., None] = original,
            **named: object,
        ) -> None:
            made.append(_name)
            _original(self, *arguments, **named)

        monkeypatch.setattr(kind, "__init__", note)
    event.listen(engine.pool, "checkout", lambda *_: made.append("checkout"))
    event.listen(engine, "before_cursor_execute", lambda *_: made.append("statement"))
    return made


def test_a_view_without_lookups_makes_nothing(engine: Engine, calls: list[str]) -> None:
    app = make_app(engine=engine)
    calls.clear()  # the registry
    client = app.test_client()
    for _ in range(3):
        assert client.get("/nothing").text == "nothing"
    assert client.get("/unknown").status_code == 404
    assert calls == []
    client.get("/one")
    assert calls == ["LoaderScope", "DataLoader", "checkout", "statement"]


def test_a_function_that_gives_the_engine_is_not_called(engine: Engine) -> None:
    asked = []

    def give() -> Engine:
        asked.append(1)
        return engine

    client = make_app(engine=give).test_client()
    client.get("/nothing")
    assert asked == []
    client.get("/one")
    client.get("/one")
    assert asked == [1]


def test_an_engine_made_from_the_settings_connects_at_the_first_lookup(tmp_path: Path) -> None:
    path = tmp_path / "not" / "there.db"
    app = Flask("app")
    app.config["DATALOADERS_DATABASE_URI"] = f"sqlite:///{path}"
    DataLoaders(app)
    app.add_url_rule("/", view_func=lambda: "nothing")
    assert app.test_client().get("/").text == "nothing"
    assert not path.exists()


def test_two_teardown_functions_and_no_other_hook(engine: Engine) -> None:
    app, plain = make_app(engine=engine), Flask("plain")
    hooks = (
        "before_request_funcs",
        "after_request_funcs",
        "url_value_preprocessors",
        "url_default_functions",
        "template_context_processors",
    )
    for hook in hooks:
        assert {name: len(functions) for name, functions in getattr(app, hook).items()} == {
            name: len(functions) for name, functions in getattr(plain, hook).items()
        }
    assert plain.teardown_appcontext_funcs == []
    assert len(app.teardown_appcontext_funcs) == 1
    assert plain.teardown_request_funcs == {}
    assert [len(functions) for functions in app.teardown_request_funcs.values()] == [1]
    assert type(app).wsgi_app is Flask.wsgi_app
    assert "wsgi_app" not in vars(app)


def test_the_librarys_only_calls_are_its_teardown_functions(engine: Engine) -> None:
    client = make_app(engine=engine).test_client()
    client.get("/nothing")
    homes = ("dataloaders", "flask_dataloaders")
    called: list[str] = []

    def note(frame: FrameType, event_name: str, _argument: object) -> None:
        home, _, _ = str(frame.f_globals.get("__name__", "")).partition(".")
        if event_name == "call" and home in homes:
            called.append(frame.f_code.co_name)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        client.get("/nothing")
    finally:
        sys.setprofile(before)
    assert called == ["_end_of_request", "_close_scope", "_end_of_context", "_close_scope"]


def test_no_scope_is_found_where_none_was_asked_for(
    engine: Engine, scopes: list[LoaderScope]
) -> None:
    app = make_app(engine=engine)
    with app.app_context():
        pass
    with app.test_request_context():
        pass
    assert scopes == []
    assert dataloaders.current_scope() is None


def test_a_master_is_made_once_for_an_application(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    masters: list[SymbolMaster] = []
    original: Any = SymbolMaster.__init__

    def note(self: SymbolMaster, *arguments: object) -> None:
        masters.append(self)
        original(self, *arguments)

    monkeypatch.setattr(SymbolMaster, "__init__", note)
    client = make_app(engine=lambda: engine).test_client()
    for _ in range(3):
        client.get("/one")
    assert len(masters) == 1
