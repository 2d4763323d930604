"""The detector on the example: silent about its loops as they are, and not because it is blind."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from dataloaders.observe import Listener, Observer
from examples.trading.app import close_app, create_app
from examples.trading.broker_account import POSITIONS, BrokerAccount
from examples.trading.broker_server import BrokerServer, running
from examples.trading.brokers.registry import BROKERS
from examples.trading.operations import LEGS, SUBSCRIBED, operations_on

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask import Flask

    from dataloaders.observe import Finding, Record

of_every_broker = pytest.mark.parametrize("broker", BROKERS)


class Kept(Listener):
    """Keeps what was found, and how many requests were looked at."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.scopes = 0

    def scope_ended(self, record: Record) -> None:
        self.scopes += 1
        self.findings += record.findings


@pytest.fixture
def kept() -> Iterator[Kept]:
    kept = Kept()
    observer = Observer([kept], detect="log")
    observer.watch()
    yield kept
    observer.stop()


@contextmanager
def application(contract: Path, broker: str, **settings: str) -> Iterator[Flask]:
    with running(BrokerServer(BrokerAccount.with_a_history(contract))) as url:
        app = create_app(
            {
                "TRADING_DATABASE_URI": f"sqlite:///{contract}",
                "TRADING_BROKER": broker,
                "TRADING_BROKER_URL": url,
                **settings,
            }
        )
        yield app
        close_app(app)


def ask_all(app: Flask, contract: Path) -> int:
    """Makes a request to each endpoint; returns how many of them look something up."""
    client = app.test_client()
    asked = 0
    operations = {each.path: each for each in operations_on(contract)}
    paths = sorted({rule.rule for rule in app.url_map.iter_rules() if "<" not in rule.rule})
    for path in paths:
        operation = operations.pop(path, None)
        if operation is not None:
            answer = client.open(
                path, method=operation.method, data=operation.body, content_type="application/json"
            )
            asked += 1
        elif path.startswith("/_dataloaders"):
            continue
        else:
            answer = client.get(path)
        assert answer.status_code == 200, path
    assert not operations
    return asked


@of_every_broker
def test_nothing_is_found_in_any_request_from_the_first_on(
    contract: Path, broker: str, kept: Kept
) -> None:
    with application(contract, broker) as app:
        asked = sum(ask_all(app, contract) for _ in range(3))
    assert kept.scopes >= asked >= 9
    assert kept.findings == []


@of_every_broker
def test_nothing_is_found_in_requests_at_the_same_time(
    contract: Path, broker: str, kept: Kept
) -> None:
    with application(contract, broker) as app, ThreadPoolExecutor(8) as pool:
        asked = sum(pool.map(lambda _: ask_all(app, contract), range(16)))
    assert kept.scopes >= asked >= 48
    assert kept.findings == []


@of_every_broker
def test_without_look_ahead_its_loops_are_found(contract: Path, broker: str, kept: Kept) -> None:
    with application(contract, broker, DATALOADERS_LOOKAHEAD="off") as app:
        ask_all(app, contract)
    assert {finding.kind for finding in kept.findings} == {"n+1"}
    loops = {finding.loop.file for finding in kept.findings if finding.loop is not None}
    assert loops
    assert all(f"/brokers/{broker}/" in file for file in loops)
    assert {finding.count for finding in kept.findings} >= {LEGS, SUBSCRIBED, POSITIONS}
