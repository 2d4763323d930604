"""Modes in requests: what a mode must not do to them."""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import TYPE_CHECKING

import pytest
from flask import Flask
from sqlalchemy import create_engine

from dataloaders.shadow import Differences
from dataloaders.symbols import SymbolLoader, generate_contract, get_token, replace_contract
from flask_dataloaders import DataLoaders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Engine

ROWS = list(generate_contract(60))[:10]
PAIRS = [(str(row["symbol"]), str(row["exchange"])) for row in ROWS]
TOKENS = [row["token"] for row in ROWS]


@pytest.fixture(autouse=True)
def differences(monkeypatch: pytest.MonkeyPatch) -> Differences:
    """Those of a test alone."""
    found = Differences()
    monkeypatch.setattr("dataloaders.shadow.differences", found)
    return found


@pytest.fixture
def application(tmp_path: Path) -> Iterator[Callable[[object], Flask]]:
    """Makes an application with a mode: one view is sync, one async."""
    url = f"sqlite:///{tmp_path / 'symbols.db'}"
    engine = create_engine(url)
    replace_contract(engine, generate_contract(60))
    engine.dispose()
    made: list[Engine] = []

    def make(mode: object) -> Flask:
        app = Flask("app")
        app.config |= {"DATALOADERS_DATABASE_URI": url, "DATALOADERS_MODE": mode}
        extension = DataLoaders(app)
        with app.app_context():
            made.append(extension.master.bind)  # type: ignore[arg-type]  # made of the setting

        @app.get("/sync")
        def sync() -> list[str | None]:
            return [get_token(*pair) for pair in PAIRS]

        @app.get("/async")
        async def on_loop() -> list[str | None]:
            symbols = SymbolLoader.current()
            records = await asyncio.gather(*map(symbols.load, PAIRS))
            return [None if record is None else record.token for record in records]

        return app

    yield make
    for engine in made:
        engine.dispose()


@pytest.mark.parametrize("mode", ["on", "shadow", "off"])
@pytest.mark.parametrize("view", ["sync", "async"])
def test_views_have_the_same_answers_in_each_mode(
    application: Callable[[object], Flask],
    differences: Differences,
    caplog: pytest.LogCaptureFixture,
    mode: str,
    view: str,
) -> None:
    client = application(mode).test_client()
    with caplog.at_level(logging.WARNING):
        for _ in range(5):  # the loop of an async view ends with it, whatever is under way
            assert client.get(view).get_json() == TOKENS
            gc.collect()
    assert caplog.text == ""
    assert (differences.changed, differences.differed) == (0, 0)
    assert differences.compared == (50 if mode == "shadow" else 0)


def test_a_function_that_fails_fails_no_request(
    application: Callable[[object], Flask],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dataloaders.modes._told", [])

    def broken() -> str:
        raise LookupError("no such flag")

    client = application(broken).test_client()
    assert [client.get("sync").get_json() for _ in range(3)] == [TOKENS] * 3
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "no such flag" in caplog.text
