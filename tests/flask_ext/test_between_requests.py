"""Tiers and modes of a Flask application, by its settings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask, request
from sqlalchemy import create_engine, event, text

from dataloaders.errors import ConfigurationError
from dataloaders.sql.notifications import PostgreSQLChannel
from dataloaders.symbols import SymbolMaster, generate_contract, get_token, replace_contract
from dataloaders.tiers.redis_channel import RedisChannel
from flask_dataloaders import DataLoaders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine

PAIRS = [(str(row["symbol"]), str(row["exchange"])) for row in generate_contract(60)][:20]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "symbols.db"
    engine = create_engine(f"sqlite:///{path}")
    replace_contract(engine, generate_contract(60))
    engine.dispose()
    return path


_made: list[Engine] = []


@pytest.fixture(autouse=True)
def disposed() -> Iterator[None]:
    """Closes what a test's applications have opened."""
    yield
    while _made:
        _made.pop().dispose()


class Application:
    """An application with one view, which looks twenty symbols up."""

    def __init__(self, path: Path, **config: Any) -> None:  # noqa: ANN401 - settings
        self.app = Flask("app")
        self.app.config["DATALOADERS_DATABASE_URI"] = f"sqlite:///{path}"
        for name, value in config.items():
            self.app.config[f"DATALOADERS_{name}"] = value
        self.extension = DataLoaders(self.app)
        with self.app.app_context():
            self.master: SymbolMaster = self.extension.master
        self.engine: Engine = self.master.bind  # type: ignore[assignment]  # made of the setting
        self.statements: list[str] = []
        event.listen(self.engine, "before_cursor_execute", self._note)
        _made.append(self.engine)

        @self.app.get("/")
        def tokens() -> list[str | None]:
            return [get_token(symbol, exchange) for symbol, exchange in PAIRS]

    def _note(self, *call: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        if "symtoken" in call[2] and call[2].startswith("SELECT"):
            self.statements.append(call[2])

    def get(self, **headers: str) -> list[str]:
        """Asks the view; the statements are those of this request."""
        self.statements.clear()
        response = self.app.test_client().get("/", headers=headers)
        assert response.status_code == 200
        found: list[str] = response.get_json()
        return found

    def command(self, *arguments: str) -> tuple[int, str]:
        result = self.app.test_cli_runner().invoke(args=["symbols", *arguments])
        return result.exit_code, result.output.strip()


def tokens_of(path: Path) -> list[str | None]:
    engine = create_engine(f"sqlite:///{path}")
    query = text("SELECT token FROM symtoken WHERE symbol = :symbol AND exchange = :exchange")
    with engine.connect() as connection:
        found = [
            connection.scalar(query, {"symbol": symbol, "exchange": exchange})
            for symbol, exchange in PAIRS
        ]
    engine.dispose()
    return found


def test_without_the_setting_nothing_is_kept(path: Path) -> None:
    application = Application(path)
    for _ in range(2):
        application.get()
        assert len(application.statements) >= 1
    assert application.master.tiers is None


def test_a_second_request_asks_for_nothing_until_the_contract_is_replaced(path: Path) -> None:
    application = Application(path, TIERS="on", CHECK_SECONDS="0")
    expected = tokens_of(path)
    assert application.get() == expected
    assert application.get() == expected
    assert application.statements == []
    assert application.command("generate", "--rows", "60", "--seed", "7")[0] == 0
    replaced = tokens_of(path)
    assert replaced != expected
    assert application.get() == replaced
    assert application.statements


def test_a_redis_is_shared_and_warmed(path: Path, tmp_path: Path, redis_url: str) -> None:
    used = tmp_path / "used.json"
    settings = {"REDIS_URL": redis_url, "WARM_FILE": str(used), "CHECK_SECONDS": 0}
    first = Application(path, **settings)
    assert first.command("watch")[0] == 0
    assert isinstance(first.master.tiers._channel, RedisChannel)  # type: ignore[union-attr]  # it has tiers
    first.get()
    first.master.tiers.usage.save()  # type: ignore[union-attr]  # as above
    assert len(json.loads(used.read_text())["loaders"]["SymbolLoader"]) == 20
    assert first.command("generate", "--rows", "60", "--seed", "7")[0] == 0
    assert first.command("warm") == (0, f"{sum(map(bool, tokens_of(path)))} symbols loaded")
    other = Application(path, **settings)
    # One by one: what a loop has go along may be of another kind than what was warmed.
    with other.app.test_request_context():
        for pair, token in zip(PAIRS, tokens_of(path), strict=True):
            assert other.master.symbols.get_many([pair])[0].token == token  # type: ignore[union-attr]  # they are there
    assert other.statements == []
    for application in (first, other):
        application.master.tiers._channel.close()  # type: ignore[union-attr]  # as above
        application.master.tiers.redis.client.close()  # type: ignore[union-attr]  # as above


def test_warming_says_what_it_needs(path: Path) -> None:
    code, output = Application(path, TIERS="on").command("warm")
    assert code == 1
    assert "DATALOADERS_WARM_FILE" in output


def test_watching_has_foreign_writes_seen(path: Path) -> None:
    application = Application(path, TIERS="on", CHECK_SECONDS=0)
    assert application.command("watch") == (0, "symtoken is watched")
    application.get()
    foreign = create_engine(f"sqlite:///{path}")
    with foreign.begin() as connection:
        connection.exec_driver_sql("UPDATE symtoken SET token = 'foreign'")
    assert set(application.get()) == {"foreign"}
    with foreign.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE orders (id INTEGER)")
    application.get()
    assert application.statements == []  # what is written elsewhere is no matter
    assert application.command("watch", "--stop") == (0, "symtoken is not watched")
    foreign.dispose()


def test_postgresql_tells_processes_by_itself(postgresql_url: str) -> None:
    app = Flask("app")
    app.config |= {"DATALOADERS_DATABASE_URI": postgresql_url, "DATALOADERS_TIERS": "on"}
    extension = DataLoaders(app)
    with app.app_context():
        assert isinstance(extension.master.tiers._channel, PostgreSQLChannel)  # type: ignore[union-attr]  # it has tiers
        extension.master.bind.dispose()  # type: ignore[union-attr]  # an engine


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TIERS", "maybe"),
        ("CHECK_SECONDS", "soon"),
        ("CHECK_SECONDS", -1),
        ("BRIDGE_SECONDS", float("nan")),
        ("BRIDGE_SECONDS", True),
        ("MODE", "sometimes"),
        ("REDIS_URL", "localhost:6379"),
    ],
)
def test_a_wrong_setting_is_an_error_at_once(path: Path, name: str, value: object) -> None:
    with pytest.raises(ConfigurationError):
        Application(path, **{name: value})


def test_the_mode_is_that_of_the_setting(path: Path) -> None:
    for mode, count in (("on", 1), ("off", 20)):
        application = Application(path, MODE=mode)
        assert application.get() == tokens_of(path)
        assert len(application.statements) == count


def test_a_function_says_the_mode_of_each_request(path: Path) -> None:
    application = Application(path, MODE=lambda: "off" if "pilot" not in request.headers else None)
    assert application.get() == application.get(pilot="1") == tokens_of(path)
    assert len(application.statements) == 1
    application.get()
    assert len(application.statements) == 20


def test_outside_of_requests_such_a_function_is_not_asked(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    application = Application(path, MODE=lambda: request.headers["mode"])
    assert application.master.get_token(*PAIRS[0]) == tokens_of(path)[0]
    with application.app.app_context():
        assert get_token(*PAIRS[0]) == tokens_of(path)[0]
    assert caplog.text == ""
    application.get(mode="off")
    assert len(application.statements) == 20


def test_a_header_says_it_where_that_is_allowed(path: Path) -> None:
    application = Application(path, MODE="off", MODE_HEADER="X-Batching")
    counts = []
    for headers in ({}, {"X-Batching": "on"}, {"X-Batching": "nonsense"}):
        application.get(**headers)
        counts.append(len(application.statements))
    assert counts == [20, 1, 20]
    application = Application(path, MODE="on")
    application.get(**{"X-Batching": "off"})
    assert len(application.statements) == 1


def test_shadow_answers_from_single_queries(path: Path) -> None:
    application = Application(path, MODE="shadow")
    assert application.get() == tokens_of(path)
    assert len(application.statements) > 20
