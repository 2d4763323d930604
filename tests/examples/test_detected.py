"""The detector on the example: silent about its loops as they are, and not because it is blind."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from dataloaders.observe import Listener, Observer
from examples.trading.app import close_app, create_app
from examples.trading.broker_side.account import POSITIONS, BrokerAccount
from examples.trading.broker_side.server import BrokerServer, running
from examples.trading.brokers.registry import BROKERS
from examples.trading.operations import LEGS, SUBSCRIBED, Operation, operations_on
from tests.examples.contracts import url_of

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
    with running(BrokerServer(BrokerAccount.with_a_history(url_of(contract)))) as url:
        app = create_app(
            {
                "TRADING_DATABASE_URI": url_of(contract),
                "TRADING_BROKER": broker,
                "TRADING_BROKER_URL": url,
                **settings,
            }
        )
        yield app
        close_app(app)


def ask_all(app: Flask, contract: Path) -> int:
    """Makes a request to each endpoint; returns how many there are."""
    client = app.test_client()
    operations = operations_on(url_of(contract))
    if "positions/day" in app.view_functions:  # one broker's alone
        operations.append(Operation("positions of the day", "GET", "/positions/day"))
    pages = [rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/pages/")]
    operations += [Operation("a page", "GET", path) for path in pages]
    for each in operations:
        answer = client.open(
            each.path, method=each.method, data=each.body, content_type="application/json"
        )
        assert answer.status_code == 200, each.path
    asked = {app.url_map.bind("").match(each.path, each.method)[0] for each in operations}
    assert app.view_functions.keys() - asked == {"static", "dataloaders.inspector"}
    return len(operations)


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
    assert all("/examples/trading/brokers/" in file or "/services/" in file for file in loops)
    others = set(BROKERS) - {broker}
    assert any(f"/brokers/{broker}/" in file for file in loops)
    assert not any(f"/brokers/{other}/" in file for other in others for file in loops)
    assert {finding.count for finding in kept.findings} >= {LEGS, SUBSCRIBED, POSITIONS}
