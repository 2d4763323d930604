"""The example's market data, from a broker that takes one call for quotes a second."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import ANY

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from tests.examples.contracts import url_of
from tests.servers import check_log, gunicorn_workers, started, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import Server

HERE = Path(__file__).parent
CLIENTS: Final = 100
SECOND: Final = 1.0

pytestmark = pytest.mark.timeout(120)

Row = tuple[str, str, int]
Start = Any  # of a server: () -> context manager of Running


@pytest.fixture(scope="module")
def rows(contract: Path) -> list[Row]:
    """Symbols with their exchange and token; of two with one token, the first."""
    query = "SELECT symbol, exchange, token FROM symtoken WHERE exchange IN ('NSE', 'NFO')"
    with closing(sqlite3.connect(contract)) as connection:
        found = connection.execute(f"{query} ORDER BY id LIMIT 1500").fetchall()
    first: dict[int, Row] = {}
    for symbol, exchange, token in found:
        first.setdefault(int(token), (symbol, exchange, int(token)))
    return list(first.values())


@pytest.fixture(scope="module")
def simulator_url(contract: Path) -> Iterator[str]:
    from examples.trading.simulator.serving import simulator_process

    with simulator_process(contract) as url:
        yield url


@pytest.fixture
def simulator(simulator_url: str) -> Iterator[httpx.Client]:
    """The broker's own side: it has answered nothing within the last second."""
    with httpx.Client(base_url=simulator_url) as client:
        client.post("/simulator/faults", json={})
        time.sleep(1.1)
        client.delete("/simulator/log")
        yield client
        client.post("/simulator/faults", json={})


@pytest.fixture
def market(contract: Path, simulator_url: str) -> Iterator[httpx.Client]:
    """The application, in this process."""
    from examples.trading.serving import app_serving

    with (
        app_serving(url_of(contract), "http://127.0.0.1:1", market_url=simulator_url) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield client


def price_of(token: int, timestamp: str) -> Decimal:
    """Computes a price from what the simulator states of them."""
    return paise(token, int(datetime.fromisoformat(f"{timestamp}+05:30").timestamp()))


def paise(token: int, at: int) -> Decimal:
    return Decimal(5 * (2_000 + token % 1_800 + (37 * at + token) % 101)) / 100


def check_quote(shown: dict[str, Any], row: Row) -> None:
    assert (shown["symbol"], shown["exchange"]) == row[:2]
    quote = shown["quote"]
    assert Decimal(quote["ltp"]) == price_of(row[2], quote["timestamp"])
    assert 0 <= quote["age"] < 60


def calls_of(simulator: httpx.Client, kind: str = "quote") -> list[dict[str, Any]]:
    return [each for each in simulator.get("/simulator/log").json() if each["kind"] == kind]


def check_rate(calls: list[dict[str, Any]], number: int = 1) -> None:
    """Looks into what the broker has seen itself."""
    assert not any(call["refused"] for call in calls)
    times = [call["arrived"] for call in calls]
    for first, last in zip(times, times[number:], strict=False):
        assert last - first >= SECOND


@pytest.fixture(
    params=gunicorn_workers("market_app", threads=CLIENTS), ids=lambda server: server.name
)
def start(
    request: pytest.FixtureRequest, contract: Path, simulator_url: str, tmp_path: Path
) -> Start:
    """Starts the application under one of the workers, and stops it again."""
    server: Server = request.param
    python = request.getfixturevalue("gunicorn25_python") if server.old else sys.executable
    environment = {
        "TRADING_DATABASE_URI": url_of(contract),
        "TRADING_MARKET_URL": simulator_url,
    }
    return lambda: started(server, python, tmp_path / "server.log", environment, HERE)


def test_a_hundred_requests_for_a_quote_each(
    start: Start, simulator: httpx.Client, rows: list[Row]
) -> None:
    wanted = rows[:CLIENTS]
    with start() as running:

        def ask(row: Row) -> None:
            check_quote(running.get(f"/quote/{row[1]}/{row[0]}")["data"], row)

        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(ask, wanted))
        check_log(running)
    calls = calls_of(simulator)
    check_rate(calls)
    # What the first call did not wait for, the second one has: a third, if a client came late.
    assert len(calls) <= 3
    assert sum(len(call["instruments"]) for call in calls) == CLIENTS


def test_a_server_that_is_stopped_answers_those_who_stand_in_the_line(
    start: Start, simulator: httpx.Client, rows: list[Row]
) -> None:
    with start() as running:

        def ask(row: Row) -> None:
            check_quote(running.get(f"/quote/{row[1]}/{row[0]}")["data"], row)

        ask(rows[0])
        with ThreadPoolExecutor(10) as pool:
            asked = [pool.submit(ask, row) for row in rows[1:11]]
            time.sleep(0.3)  # they wait for the second call
            running.process.terminate()
            for each in asked:
                each.result()
        check_log(running)
    assert [len(call["instruments"]) for call in calls_of(simulator)] == [1, 10]


def test_a_loop_over_many_symbols_takes_as_few_calls_as_there_can_be(
    market: httpx.Client, simulator: httpx.Client, rows: list[Row]
) -> None:
    symbols = [{"symbol": symbol, "exchange": exchange} for symbol, exchange, _ in rows]
    for path, first, count in (("/multiquotes", 0, 60), ("/async/multiquotes", 60, 1_100)):
        answer = market.post(path, json={"symbols": symbols[first : first + count]})
        for shown, row in zip(answer.json()["data"], rows[first : first + count], strict=True):
            check_quote(shown, row)
    calls = calls_of(simulator)
    check_rate(calls)
    assert [len(call["instruments"]) for call in calls] == [60, 500, 500, 100]


def test_nothing_is_found_in_requests_of_market_data(
    market: httpx.Client, simulator: httpx.Client, rows: list[Row]
) -> None:
    from dataloaders.testing import no_n_plus_one

    symbols = [{"symbol": symbol, "exchange": exchange} for symbol, exchange, _ in rows[:60]]
    symbol, exchange, _ = rows[70]
    with no_n_plus_one():
        for path in ("/multiquotes", "/async/multiquotes"):
            assert len(market.post(path, json={"symbols": symbols}).json()["data"]) == 60
        with ThreadPoolExecutor(8) as pool:
            paths = [f"/quote/{exchange}/{symbol}"] * 8
            assert all(answer.status_code == 200 for answer in pool.map(market.get, paths))
    assert calls_of(simulator)


def test_an_unknown_symbol_has_no_quote_and_costs_no_call(
    market: httpx.Client, simulator: httpx.Client, rows: list[Row]
) -> None:
    assert market.get("/quote/NSE/NOSUCH").json()["data"]["quote"] is None
    assert calls_of(simulator) == []
    check_quote(market.get(f"/quote/{rows[0][1]}/{rows[0][0]}").json()["data"], rows[0])


def test_an_option_chain_is_one_call(
    market: httpx.Client, simulator: httpx.Client, contract: Path
) -> None:
    query = """
        SELECT name, exchange, expiry FROM symtoken WHERE instrumenttype = 'CE'
        GROUP BY name, exchange, expiry ORDER BY count(*) DESC LIMIT 1
    """
    options_of = """
        SELECT symbol, exchange, token FROM symtoken
        WHERE name = ? AND exchange = ? AND expiry = ? AND instrumenttype IN ('CE', 'PE')
    """
    with closing(sqlite3.connect(contract)) as connection:
        name, exchange, expiry = connection.execute(query).fetchone()
        options = connection.execute(options_of, (name, exchange, expiry)).fetchall()
    by_symbol = {row[0]: (row[0], row[1], int(row[2])) for row in options}
    chain = market.get(f"/optionchain/{exchange}/{name}/{expiry}").json()["data"]
    shown = [strike[kind] for strike in chain for kind in ("CE", "PE")]
    assert {each["symbol"] for each in shown} == by_symbol.keys()
    for each in shown:
        check_quote(each, by_symbol[each["symbol"]])
    (call,) = calls_of(simulator)
    assert len(call["instruments"]) == len(options)


def test_candles_come_one_instrument_at_a_time_and_three_a_second(
    market: httpx.Client, simulator: httpx.Client, rows: list[Row]
) -> None:
    period = {"from": "2026-11-24 09:15:00", "to": "2026-11-24 10:15:00"}

    def ask(row: Row) -> list[Any]:
        answer = market.get(f"/history/{row[1]}/{row[0]}/5minute", params=period)
        found: list[Any] = answer.json()["data"]
        return found

    wanted = rows[:7]
    with ThreadPoolExecutor(len(wanted)) as pool:
        candles = list(pool.map(ask, wanted))
    for (_, _, token), (first, *_) in zip(wanted, candles, strict=True):
        assert Decimal(first[1]) == price_of(token, "2026-11-24 09:15:00")
    calls = calls_of(simulator, "history")
    check_rate(calls, 3)
    assert len(calls) == 7


def test_each_account_has_calls_and_a_rate_of_its_own(
    market: httpx.Client, simulator: httpx.Client, rows: list[Row], contract: Path
) -> None:
    accounts = ["ann:a", "bob:b"]

    def ask(number: int) -> None:
        row = rows[number]
        headers = {"X-Broker-Account": accounts[number % 2]}
        answer = market.get(f"/quote/{row[1]}/{row[0]}", headers=headers)
        check_quote(answer.json()["data"], row)

    with ThreadPoolExecutor(30) as pool:
        list(pool.map(ask, range(30)))
    calls = calls_of(simulator)
    for number, account in enumerate(["ann", "bob"]):
        own = [call for call in calls if call["api_key"] == account]
        check_rate(own)
        asked = sorted(name for call in own for name in call["instruments"])
        assert asked == sorted(broker_name(contract, row) for row in rows[number:30:2])


def broker_name(contract: Path, row: Row) -> str:
    query = "SELECT brexchange || ':' || brsymbol FROM symtoken WHERE symbol = ? AND exchange = ?"
    with closing(sqlite3.connect(contract)) as connection:
        (name,) = connection.execute(query, row[:2]).fetchone()
    return str(name)


@pytest.mark.usefixtures("simulator")
def test_an_account_that_the_broker_does_not_know_is_that_requests_error_alone(
    market: httpx.Client, rows: list[Row]
) -> None:
    row = rows[0]
    refused = market.get(f"/quote/{row[1]}/{row[0]}", headers={"X-Broker-Account": "nobody"})
    assert refused.status_code == 502
    assert "403" in refused.json()["message"]
    check_quote(market.get(f"/quote/{row[1]}/{row[0]}").json()["data"], row)


@pytest.mark.parametrize(
    "faults",
    [
        {"reset": 1},
        {"cut": 1},
        {"rubbish": 1},
        {"status": {"code": 503, "times": 1, "retry_after": None}},
        {"status": {"code": 429, "times": 1, "retry_after": 1}},
        {"latency": 0.3},
    ],
    ids="-".join,
)
def test_what_is_over_soon_nobody_hears_of(
    market: httpx.Client, simulator: httpx.Client, rows: list[Row], faults: dict[str, Any]
) -> None:
    simulator.post("/simulator/faults", json=faults)

    def ask(row: Row) -> None:
        check_quote(market.get(f"/quote/{row[1]}/{row[0]}").json()["data"], row)

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(ask, rows[:20]))
    check_rate(calls_of(simulator))


def test_a_broker_that_hangs_keeps_nobody_longer_than_its_client_waits(
    market: httpx.Client, simulator: httpx.Client, rows: list[Row]
) -> None:
    simulator.post("/simulator/faults", json={"hang": 100})

    def ask(row: Row) -> int:
        return market.get(f"/quote/{row[1]}/{row[0]}").status_code

    with ThreadPoolExecutor(10) as pool:
        codes = list(pool.map(ask, rows[:10]))
    assert set(codes) <= {502, 504}
    simulator.post("/simulator/faults", json={})
    check_quote(market.get(f"/quote/{rows[11][1]}/{rows[11][0]}").json()["data"], rows[11])


def test_half_an_answer_is_no_quote_for_the_others(
    market: httpx.Client, simulator: httpx.Client, rows: list[Row]
) -> None:
    simulator.post("/simulator/faults", json={"half": 1})
    symbols = [{"symbol": symbol, "exchange": exchange} for symbol, exchange, _ in rows[:10]]
    shown = market.post("/multiquotes", json={"symbols": symbols}).json()["data"]
    for each, row in zip(shown[:5], rows[:5], strict=True):
        check_quote(each, row)
    assert [each["quote"] for each in shown[5:]] == [None] * 5


def test_the_name_for_which_a_call_is_refused_is_found(
    market: httpx.Client, simulator: httpx.Client, rows: list[Row], contract: Path
) -> None:
    bad = broker_name(contract, rows[5])
    simulator.post("/simulator/faults", json={"refuse_instruments": [bad]})
    codes = {}

    def ask(row: Row) -> None:
        answer = market.get(f"/quote/{row[1]}/{row[0]}")
        codes[row] = answer.status_code
        if answer.status_code == 200:
            check_quote(answer.json()["data"], row)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, rows[:8]))
    assert codes == {row: 502 if row is rows[5] else 200 for row in rows[:8]}
    check_rate(calls_of(simulator))


# -- prices as they come


class Screen:
    """A client of the application's WebSocket."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def ask(self, action: str, rows: list[Row], mode: str = "ltp") -> dict[str, Any]:
        symbols = [{"symbol": symbol, "exchange": exchange} for symbol, exchange, _ in rows]
        self.connection.send(json.dumps({"action": action, "mode": mode, "symbols": symbols}))
        while True:
            message: dict[str, Any] = json.loads(self.connection.recv(timeout=20))
            if message["type"] != "prices":
                return message

    def prices(self, wanted: int) -> dict[tuple[str, str], Decimal]:
        """Returns the newest price of each symbol, as soon as there are so many."""
        found: dict[tuple[str, str], Decimal] = {}
        while len(found) < wanted:
            for row in json.loads(self.connection.recv(timeout=20)).get("prices", ()):
                found[row["symbol"], row["exchange"]] = Decimal(row["ltp"])
        return found


@contextmanager
def screens(port: int, number: int) -> Iterator[list[Screen]]:
    with ExitStack() as stack:
        yield [
            Screen(stack.enter_context(connect(f"ws://127.0.0.1:{port}/feed", compression=None)))
            for _ in range(number)
        ]


def subscribed(simulator: httpx.Client) -> dict[str, str]:
    """Returns the modes that the broker has, by token."""
    found: dict[str, str] = {}
    for connection in simulator.get("/simulator/subscriptions").json():
        found |= connection["modes"]
    return found


def test_a_thousand_subscriptions_of_twenty_clients(
    start: Start, simulator: httpx.Client, rows: list[Row]
) -> None:
    """Of each client's fifty, fifteen are what another one has asked for."""
    shared, own = rows[:15], rows[15:715]
    wanted = [[*shared, *own[35 * number : 35 * number + 35]] for number in range(20)]
    tokens = {str(token) for _, _, token in (*shared, *own)}
    assert len(tokens) == 715
    with (
        start() as running,
        screens(running.port, 20) as clients,
        ThreadPoolExecutor(20) as pool,
    ):
        answers = list(pool.map(Screen.ask, clients, ["subscribe"] * 20, wanted))
        assert [(each["count"], each["errors"]) for each in answers] == [(50, [])] * 20
        wait_for(lambda: subscribed(simulator) == dict.fromkeys(tokens, "ltp"), 20)
        assert subscribed(simulator) == dict.fromkeys(tokens, "ltp")
        messages = calls_of(simulator, "message")
        assert not any(message["status"] == 400 for message in messages)
        # All at once would take four of each kind, and clients do not come all at once.
        asked = [
            token
            for each in messages
            for token in each["instruments"]
            if each["call"] == "subscribe"
        ]
        assert sorted(map(str, asked)) == sorted(tokens)  # each once
        assert len(messages) <= 2 * 20

        prices = list(pool.map(Screen.prices, clients, [50] * 20))
        assert [set(each) for each in prices] == [{row[:2] for row in rows} for rows in wanted]

        simulator.delete("/simulator/log")
        simulator.post("/simulator/disconnect")
        # Not for what is subscribed: that is what the old connection had, for a moment.
        wait_for(lambda: len(calls_of(simulator, "message")) >= 8, 60)
        assert subscribed(simulator) == dict.fromkeys(tokens, "ltp"), running.log.read_text()
        messages = calls_of(simulator, "message")
        counts = Counter(each["call"] for each in messages)
        assert counts == {"subscribe": 4, "mode": 4}  # 200 tokens a message
        assert sum(len(each["instruments"]) for each in messages) == 2 * 715

        assert clients[0].ask("unsubscribe", wanted[0])["type"] == "unsubscribed"
        left = tokens - {str(token) for _, _, token in own[:35]}
        wait_for(lambda: subscribed(simulator).keys() == left, 20)
        assert subscribed(simulator).keys() == left
        check_log(running)


def test_a_client_hears_of_the_right_prices_in_the_highest_mode_that_anyone_wants(
    market: httpx.Client, simulator: httpx.Client, rows: list[Row]
) -> None:
    with screens(market.base_url.port or 0, 2) as (one, other):
        assert one.ask("subscribe", rows[:3])["count"] == 3
        assert other.ask("subscribe", [rows[2], ("NOSUCH", "NSE", 0)], "full") == {
            "type": "subscribed",
            "count": 1,
            "errors": [
                {"symbol": "NOSUCH", "exchange": "NSE", "message": ANY},
            ],
        }
        tokens = [str(row[2]) for row in rows[:3]]
        modes = dict(zip(tokens, ["ltp", "ltp", "full"], strict=True))
        wait_for(lambda: subscribed(simulator) == modes, 20)
        assert subscribed(simulator) == modes
        before = int(time.time())
        prices = one.prices(3)
        for symbol, exchange, token in rows[:3]:
            times = range(before - 2, int(time.time()) + 1)
            assert prices[symbol, exchange] in {paise(token, at) for at in times}
        assert one.ask("nonsense", [])["type"] == "error"
    wait_for(lambda: not subscribed(simulator), 20)
    assert subscribed(simulator) == {}


def test_whoever_listens_while_the_contract_is_replaced_hears_of_the_new_tokens_prices(
    contract: Path, simulator_url: str, rows: list[Row], tmp_path: Path
) -> None:
    from examples.trading.serving import app_serving

    database = Path(shutil.copy(contract, tmp_path / "trading.db"))
    one, other = rows[0], rows[1]
    with (
        app_serving(url_of(database), "http://127.0.0.1:1", market_url=simulator_url) as url,
        screens(httpx.URL(url).port or 0, 2) as (first, second),
    ):
        first.ask("subscribe", [one])
        first.prices(1)
        with closing(sqlite3.connect(database)) as connection, connection:
            for row, new in ((one, other), (other, one)):
                update = "UPDATE symtoken SET token = ? WHERE symbol = ? AND exchange = ?"
                connection.execute(update, (str(new[2]), *row[:2]))
        second.ask("subscribe", [one, other])
        until = time.monotonic() + 20
        for screen, wanted in (
            (first, {one[:2]: other[2]}),
            (second, {one[:2]: other[2], other[:2]: one[2]}),
        ):
            while True:
                at = int(time.time())
                prices = screen.prices(len(wanted))
                if all(
                    prices[pair] in {paise(token, when) for when in range(at - 2, at + 3)}
                    for pair, token in wanted.items()
                ):
                    break
                assert time.monotonic() < until, (prices, wanted)


def test_clients_that_leave_while_they_are_answered_are_no_error(
    start: Start, rows: list[Row]
) -> None:
    symbols = [{"symbol": symbol, "exchange": exchange} for symbol, exchange, _ in rows[:50]]
    message = json.dumps({"action": "unsubscribe", "symbols": symbols})

    def come_and_leave(port: int) -> None:
        for _ in range(30):
            with screens(port, 1) as [client]:
                client.connection.send(message)

    with start() as running, ThreadPoolExecutor(10) as pool:
        list(pool.map(come_and_leave, [running.port] * 10))
        check_log(running)


def test_market_data_is_refused_to_naive_lookups(contract: Path) -> None:
    from examples.trading.app import create_app

    settings = {
        "TRADING_DATABASE_URI": url_of(contract),
        "TRADING_MARKET_URL": "http://127.0.0.1:1",
        "DATALOADERS_MODE": "naive",
    }
    with pytest.raises(ValueError, match="TRADING_MARKET_URL takes the library"):
        create_app(settings)
