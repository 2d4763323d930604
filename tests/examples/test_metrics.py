"""The trading example's `/metrics`: of one process, and of all workers of a gunicorn."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from examples.trading.app import close_app, create_app
from examples.trading.broker_side.account import BrokerAccount
from examples.trading.broker_side.server import BrokerServer, running
from examples.trading.operations import operations_on
from tests.examples.contracts import url_of
from tests.observe.reading import samples_of, value_of
from tests.servers import check_log, gunicorn_workers, started, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REQUESTS = 20


@pytest.fixture
def settings(contract: Path) -> Iterator[dict[str, str]]:
    with running(BrokerServer(BrokerAccount.with_a_history(url_of(contract)))) as broker:
        yield {
            "TRADING_DATABASE_URI": url_of(contract),
            "TRADING_BROKER_URL": broker,
            "TRADING_METRICS": "on",
        }


@pytest.fixture
def lookups(contract: Path) -> int:
    """How many lookups a request for the positions makes."""
    [book] = [each for each in operations_on(url_of(contract)) if each.path == "/positions"]
    assert book.lookups is not None
    return book.lookups


def lookups_in(exposition: str) -> float:
    return value_of(samples_of(exposition), "dataloaders_lookups_total")


def test_it_has_the_lookups_of_requests(
    settings: dict[str, str], lookups: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    app = create_app(settings)
    client = app.test_client()
    before = lookups_in(client.get("/metrics").text)
    assert client.get("/positions").status_code == 200
    assert lookups_in(client.get("/metrics").text) - before == lookups
    close_app(app)


def test_it_has_those_of_all_workers(
    settings: dict[str, str], lookups: int, tmp_path: Path
) -> None:
    directory = tmp_path / "metrics"
    directory.mkdir()
    server = gunicorn_workers("examples.trading.app:create_app()", threads=4, workers=2)[0]
    environment = settings | {"PROMETHEUS_MULTIPROC_DIR": str(directory)}
    with started(server, sys.executable, tmp_path / "server.log", environment) as app:

        def get(path: str) -> str:
            with closing(app.connect()) as connection:
                connection.request("GET", path)
                response = connection.getresponse()
                assert response.status == 200
                return response.read().decode()

        for _ in range(REQUESTS):
            get("/positions")
        # A request's scope may end a moment after its response.
        wait_for(lambda: lookups_in(get("/metrics")) >= REQUESTS * lookups, 20)
        assert lookups_in(get("/metrics")) == REQUESTS * lookups
    check_log(app)
