"""The load test's own checks see what they are there for."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import pytest

from examples.trading.broker_side.account import Placed
from load import checks
from load.contracts import InForce, Known
from load.figures import percentile, slope
from load.phase import shown_of
from load.records import Request, Seen, Size, Told
from load.search import Step, users_within

if TYPE_CHECKING:
    from pathlib import Path

TCS = Known("TCS", "NSE", 1, (257, 513, 769))
IN_FORCE = [InForce(0, -math.inf, 11.0), InForce(1, 10.0, 21.0), InForce(2, 20.0, math.inf)]


def told(order_id: str | None, begin: float = 1.0, end: float = 2.0, quantity: int = 7) -> Told:
    return Told(order_id, "TCS", "NSE", quantity, begin, end)


def test_orders_that_are_as_they_should_be() -> None:
    orders = [told("1"), told("2", 9.5, 10.5), told("3", 10.2, 30.0), told(None)]
    for tokens in ((257, 257, 257), (257, 513, 513), (257, 513, 769)):
        log = [Placed(str(number), token, 7) for number, token in enumerate(tokens, start=1)]
        assert checks.lost_or_doubled(orders, log) == []
        assert checks.stale_tokens(orders, log, [TCS], IN_FORCE) == []


@pytest.mark.parametrize(
    ("log", "fault"),
    [
        ([], "Order 1 of TCS is lost."),
        ([Placed("1", 257, 7)] * 2, "Order 1 is at the broker 2 times."),
        ([Placed("1", 257, 7), Placed("2", 257, 7)], "Nobody was told of order 2."),
        ([Placed("1", 257, 8)], "Order 1 of 7 TCS is one of 8 at the broker."),
    ],
)
def test_an_order_that_is_lost_or_doubled(log: list[Placed], fault: str) -> None:
    assert checks.lost_or_doubled([told("1")], log) == [fault]


def test_two_orders_with_one_number() -> None:
    found = checks.lost_or_doubled([told("1"), told("1")], [Placed("1", 257, 7)])
    assert found == ["Order 1 was told 2 times."]


@pytest.mark.parametrize(
    ("begin", "end", "token"),
    [(1.0, 9.9, 513), (11.1, 12.0, 257), (21.1, 30.0, 513), (1.0, 2.0, 3)],
)
def test_a_token_of_another_time(begin: float, end: float, token: int) -> None:
    orders, log = [told("1", begin, end)], [Placed("1", token, 7)]
    [fault] = checks.stale_tokens(orders, log, [TCS], IN_FORCE)
    assert fault.startswith(f"Order 1 of TCS on NSE has the token {token}, not ")


def test_a_price_of_another_time() -> None:
    fine = [Seen((0,), 1.0, 2.0, "TCS"), Seen((0, 2), 15.0, 16.0, "TCS"), Seen((1,), 22, 23, "TCS")]
    assert checks.stale_prices(fine, IN_FORCE, late=5.0) == []
    late = [Seen((0,), 16.1, 17.0, "TCS"), Seen((2,), 1.0, 2.0, "TCS"), Seen((), 1.0, 2.0, "TCS")]
    assert len(checks.stale_prices(late, IN_FORCE, late=5.0)) == 3


def test_a_request_that_failed() -> None:
    fine = Request("/orders", 1.0, 0.1, 200, 1, "")
    refused = fine._replace(status=500, fault="oh")
    odd = fine._replace(fault="without some prices")
    assert checks.failed([fine]) == []
    found = checks.failed([fine, odd, refused, refused])
    assert len(found) == 3
    assert shown_of(found) == [
        "2 x /orders: status 500 oh",
        "/orders: status 200 without some prices",
    ]


def sizes(mib_per_minute: float, noise: float) -> list[Size]:
    draw = random.Random(1)
    return [
        Size(float(second), 100 + mib_per_minute * second / 60 + draw.uniform(-noise, noise))
        for second in range(360)
    ]


@pytest.mark.parametrize("noise", [0.0, 0.1, 2.0])
def test_a_worker_that_grows(noise: float) -> None:
    assert checks.growth({7: sizes(0.0, noise)}) == []
    assert checks.growth({7: sizes(0.1, noise)}) == []  # 0.6 %, which is tolerated
    [fault] = checks.growth({7: sizes(2.0, noise), 8: sizes(0.0, noise)})
    assert fault.startswith("Worker 7 grows by ")
    assert checks.growth({7: sizes(2.0, noise)}, caches_mib=20.0) == []
    assert len(checks.growth({7: sizes(10.0, noise)}, caches_mib=20.0)) == 1


def test_a_slope_has_an_error() -> None:
    found = slope(sizes(3.0, 5.0))
    assert 0.05 < found.error < 1.0
    assert abs(found.per_minute - 3.0) < 3 * found.error


def test_time_outs_and_complaints() -> None:
    assert checks.timed_out(0) == []
    assert len(checks.timed_out(2)) == 2
    assert checks.complaints("[INFO] Booting worker\n") == []
    log = "[INFO] Starting\nTraceback (most recent call last):\nValueError: oh\n[ERROR] Socket\n"
    assert len(checks.complaints(log)) == 3


def test_percentiles_are_values_that_so_many_do_not_exceed() -> None:
    values = [float(number) for number in range(1, 101)]
    random.Random(1).shuffle(values)
    assert [percentile(values, each) for each in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert percentile([3.0], 50) == 3
    assert math.isnan(percentile([], 50))


def test_users_within_a_limit() -> None:
    def step(users: int, p95_ms: float, failed: int = 0) -> Step:
        return Step("SQLite", "naive", users, p95_ms, 1.0, failed)

    steps = [step(1, 10), step(2, 90), step(4, 300), step(8, 80), step(16, 20, failed=1)]
    assert [users_within(steps, limit) for limit in (5, 50, 100, 1_000)] == [0, 1, 8, 8]
    assert users_within([step(1, math.nan)], 100) == 0


def test_an_order_of_a_token_that_its_symbol_has_not_is_refused(tmp_path: Path) -> None:
    """The broker knows the tokens of all contracts, and of each symbol its own only."""
    from examples.trading.broker_side.account import BrokerAccount
    from examples.trading.broker_side.errors import OrderRefusedError
    from examples.trading.broker_side.listing import Listing
    from load.contracts import CONTRACTS, contract, write_all_contracts

    everything = tmp_path / "everything.db"
    write_all_contracts(everything, 2_000)
    account = BrokerAccount(Listing(f"sqlite:///{everything}"))
    contracts = [list(contract(number, 2_000)) for number in range(CONTRACTS)]
    [row, *_] = contracts[0]
    order = {
        "tradingsymbol": row["brsymbol"],
        "exchange": row["brexchange"],
        "transaction_type": "BUY",
        "order_type": "MARKET",
        "product": "NRML",
        "validity": "DAY",
        "quantity": 5,
        "price": "0",
    }
    tokens = [int(str(rows[0]["token"])) for rows in contracts]
    assert len(set(tokens)) == CONTRACTS
    placed = [account.place(order | {"instrument_token": token}) for token in tokens]
    assert [tuple(each) for each in account.placed()] == [
        (order_id, token, 5) for order_id, token in zip(placed, tokens, strict=True)
    ]
    with pytest.raises(OrderRefusedError):
        account.place(order | {"instrument_token": int(str(contracts[0][7]["token"]))})
