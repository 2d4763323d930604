"""The simulator, from outside: a process of its own, over HTTP and WebSockets."""

from __future__ import annotations

import json
import random
import sqlite3
import ssl
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timedelta, timezone
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect

from examples.trading.processes import ServerStartError
from examples.trading.simulator.serving import simulator_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from websockets.sync.client import ClientConnection

    Row = dict[str, Any]

INDIA = timezone(timedelta(hours=5, minutes=30))
PATIENCE = 20  # seconds
LIMITS = {"quote": 1, "history": 3, "order": 10}
DAY = 86_400
_names = count()
_TLS = ssl.create_default_context()  # unused; for each client, httpx would make one, slowly


class Listed(NamedTuple):
    """An instrument, by the names that Kite has for it."""

    name: str
    token: int

    @property
    def order(self) -> dict[str, str]:
        exchange, _, tradingsymbol = self.name.partition(":")
        return {
            "exchange": exchange,
            "tradingsymbol": tradingsymbol,
            "transaction_type": "BUY",
            "order_type": "MARKET",
            "product": "MIS",
            "validity": "DAY",
            "quantity": "1",
        }


class Client(httpx.Client):
    """An account that no other test has."""

    def __init__(self, url: str) -> None:
        self.account = f"account{next(_names)}"
        headers = {"Authorization": f"token {self.account}:secret"}
        super().__init__(base_url=url, headers=headers, timeout=PATIENCE, verify=_TLS)

    def quote(self, *names: str, path: str = "/quote") -> httpx.Response:
        return self.get(path, params={"i": names})

    def candles(self, token: object, interval: str = "minute", **query: object) -> httpx.Response:
        path = f"/instruments/historical/{token}/{interval}"
        times = {"from": "2026-08-18 10:00:00", "to": "2026-08-18 10:04:59"}
        return self.get(path, params=times | query)  # type: ignore[arg-type]

    def ask(self, kind: str, listed: Listed) -> httpx.Response:
        if kind == "quote":
            return self.quote(listed.name)
        if kind == "history":
            return self.candles(listed.token)
        return self.post("/orders/regular", data=listed.order)

    def faults(self, **faults: object) -> None:
        answer = self.post("/simulator/faults", json=faults)
        assert answer.status_code == 200, answer.text

    def log(self) -> list[Row]:
        """What the account asked for."""
        entries = self.get("/simulator/log").json()
        return [entry for entry in entries if entry["api_key"] == self.account]

    def address(self) -> str:
        query = f"api_key={self.account}&access_token=secret"
        return str(self.base_url.copy_with(scheme="ws", path="/ws", query=query.encode()))

    @contextmanager
    def socket(self) -> Iterator[ClientConnection]:
        with connect(self.address()) as socket:
            yield socket

    def modes(self) -> list[dict[int, str]]:
        """What each connection of the account is subscribed to."""
        return [
            {int(token): mode for token, mode in each["modes"].items()}
            for each in self.get("/simulator/subscriptions").json()
            if each["api_key"] == self.account
        ]


@pytest.fixture(scope="module")
def url(contract: Path) -> Iterator[str]:
    with simulator_process(contract, tick_interval=0.05) as url:
        yield url


@pytest.fixture
def clients(url: str) -> Iterator[Callable[[], Client]]:
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Client(url))
        with Client(url) as client:
            client.faults()
            client.delete("/simulator/log")


@pytest.fixture
def client(clients: Callable[[], Client]) -> Client:
    return clients()


@cache
def instruments(contract: Path, where: str = "exchange = 'NFO'") -> list[Listed]:
    """The instruments that have name and token for themselves."""
    query = (
        "SELECT brexchange || ':' || brsymbol AS listed, CAST(token AS INTEGER) FROM symtoken"  # noqa: S608 - its own text
        f" WHERE {where} GROUP BY listed HAVING COUNT(*) = 1 AND token NOT IN"
        " (SELECT token FROM symtoken GROUP BY token HAVING COUNT(*) > 1)"
    )
    with closing(sqlite3.connect(contract)) as connection:
        return [Listed(*row) for row in connection.execute(query)]


def price(token: int, at: int) -> int:
    """The price that the simulator promises, in paise."""
    return 5 * (2000 + token % 1800 + (37 * at + token) % 101)


def seconds_of(timestamp: str) -> int:
    """The Unix time of what Kite calls a time: that in India."""
    return int(datetime.fromisoformat(timestamp).replace(tzinfo=INDIA).timestamp())


def midnight(at: int) -> int:
    return int(datetime.fromtimestamp(at, INDIA).replace(hour=0, minute=0, second=0).timestamp())


def day_so_far(token: int, at: int) -> list[int]:
    """The last, first, highest and lowest price of the day, and the last one of the day before."""
    today = [price(token, each) for each in range(midnight(at), at + 1)]
    return [today[-1], today[0], max(today), min(today), price(token, midnight(at) - 1)]


def paise(rupees: float) -> int:
    return round(rupees * 100)


def data(answer: httpx.Response) -> Any:  # noqa: ANN401 - JSON
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert document["status"] == "success"
    return document["data"]


def error(answer: httpx.Response) -> tuple[int, str]:
    document = answer.json()
    assert (document["status"], bool(document["message"])) == ("error", True)
    return answer.status_code, document["error_type"]


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# Quotes


def test_quotes_have_the_prices_of_their_time(contract: Path, client: Client) -> None:
    wanted = instruments(contract)[:3] + instruments(contract, "exchange = 'CDS'")[:1]
    quotes = data(client.quote(*(each.name for each in wanted)))
    assert list(quotes) == [each.name for each in wanted]
    for name, token in wanted:
        quote = quotes[name]
        at = seconds_of(quote["timestamp"])
        last = paise(quote["last_price"])
        ohlc = [paise(quote["ohlc"][each]) for each in ("open", "high", "low", "close")]
        assert quote["instrument_token"] == token
        assert [last, *ohlc] == day_so_far(token, at)
        assert quote["volume"] > 0
        bids, offers = (
            [paise(each["price"]) for each in quote["depth"][side]] for side in ("buy", "sell")
        )
        assert (len(bids), len(offers)) == (5, 5)
        ladder = [*offers[::-1], last, *bids]
        assert ladder == sorted(ladder, reverse=True)
        assert quote["buy_quantity"] == sum(each["quantity"] for each in quote["depth"]["buy"])


def test_quotes_are_of_the_present(contract: Path, client: Client) -> None:
    (name, _), *_ = instruments(contract)
    before = int(time.time())
    quote = data(client.quote(name))[name]
    assert before <= seconds_of(quote["timestamp"]) <= time.time()


def test_what_has_several_rows_is_the_first_of_them(contract: Path, client: Client) -> None:
    with closing(sqlite3.connect(contract)) as connection:
        symbol, exchange, token = connection.execute(
            "SELECT brsymbol, brexchange, token FROM symtoken GROUP BY brsymbol, brexchange"
            " HAVING COUNT(*) > 1 AND MIN(id) = id"
        ).fetchone()
    name = f"{exchange}:{symbol}"
    assert data(client.quote(name))[name]["instrument_token"] == int(token)


def test_unknown_instruments_are_absent(contract: Path, client: Client) -> None:
    (name, _), *_ = instruments(contract)
    assert list(data(client.quote("NSE:NO SUCH", name, "nonsense"))) == [name]


def test_smaller_quotes_have_less(contract: Path, clients: Callable[[], Client]) -> None:
    (name, token), *_ = instruments(contract)
    ltp = data(clients().quote(name, path="/quote/ltp"))[name]
    ohlc = data(clients().quote(name, path="/quote/ohlc"))[name]
    assert set(ltp) == {"instrument_token", "last_price"}
    assert set(ohlc) == {"instrument_token", "last_price", "ohlc"}
    assert ltp["instrument_token"] == ohlc["instrument_token"] == token


@pytest.mark.parametrize(
    ("path", "most"), [("/quote", 500), ("/quote/ltp", 1000), ("/quote/ohlc", 1000)]
)
def test_a_call_with_too_many_instruments_is_refused_whole(
    contract: Path, clients: Callable[[], Client], path: str, most: int
) -> None:
    names = [each.name for each in instruments(contract)[: most + 1]]
    assert len(data(clients().quote(*names[:most], path=path))) == most
    client = clients()
    assert error(client.quote(*names, path=path)) == (400, "InputException")
    client.quote(names[0], path=path)
    first, second = client.log()
    assert (len(first["instruments"]), first["refused"]) == (most + 1, False)
    # It counts towards the limit.
    assert second["refused"] is (second["arrived"] - first["arrived"] < 1)


def test_a_call_without_instruments_is_refused(client: Client) -> None:
    assert error(client.quote()) == (400, "InputException")


# Accounts and limits


@pytest.mark.parametrize(
    "header", [None, "", "token", "token key", "token :secret", "token key:", "Bearer key:secret"]
)
@pytest.mark.parametrize("kind", LIMITS)
def test_who_does_not_say_who_he_is_is_forbidden(
    contract: Path, url: str, header: str | None, kind: str
) -> None:
    with Client(url) as client:
        client.delete("/simulator/log")
        del client.headers["Authorization"]
        if header is not None:
            client.headers["Authorization"] = header
        answer = client.ask(kind, instruments(contract)[0])
        assert error(answer) == (403, "TokenException")
        (entry,) = client.get("/simulator/log").json()
    assert (entry["kind"], entry["api_key"], entry["status"]) == (kind, "", 403)


@pytest.mark.parametrize("kind", LIMITS)
def test_no_second_has_more_calls_than_the_limit_and_only_they_are_refused(
    contract: Path, client: Client, kind: str
) -> None:
    listed, limit = instruments(contract)[0], LIMITS[kind]
    end = time.monotonic() + 2.6
    while time.monotonic() < end:
        answer = client.ask(kind, listed)
        if answer.status_code == 429:
            assert error(answer) == (429, "NetworkException")
            assert answer.json()["message"] == "Too many requests"
            assert "Retry-After" not in answer.headers
        time.sleep(random.uniform(0, 0.2 / limit))
    log = client.log()
    assert [entry["kind"] for entry in log] == [kind] * len(log)
    taken: list[float] = []
    for entry in log:
        within = sum(entry["arrived"] - each < 1 for each in taken)
        assert (entry["status"], entry["refused"]) == (
            (429, True) if within == limit else (200, False)
        )
        if not entry["refused"]:
            taken.append(entry["arrived"])
    assert limit < len(taken) < len(log)


def test_a_second_ends_after_a_second(contract: Path, clients: Callable[[], Client]) -> None:
    (name, _), *_ = instruments(contract)
    gaps = [0.6, 0.95, 0.97, 0.98, 0.99, 1.01, 1.02, 1.03, 1.05]

    def call_twice(client: Client, gap: float) -> tuple[float, bool]:
        client.quote(name)
        time.sleep(max(0.0, client.log()[0]["arrived"] + gap - time.monotonic()))
        client.quote(name)
        first, second = client.log()
        assert not first["refused"]
        return second["arrived"] - first["arrived"], second["refused"]

    with ThreadPoolExecutor(len(gaps)) as pool:
        seen = list(pool.map(call_twice, [clients() for _ in gaps], gaps))
    assert [refused for _, refused in seen] == [gap < 1 for gap, _ in seen]
    assert min(seen)[0] < 1 < max(seen)[0]


def test_accounts_and_kinds_have_limits_of_their_own(
    contract: Path, clients: Callable[[], Client]
) -> None:
    listed = instruments(contract)[0]
    one, other = clients(), clients()
    asked = [
        (each, client.ask(each, listed).status_code)
        for client in (one, other)
        for each in ("order", "history", "quote")  # the highest limit first
    ]
    assert [status for _, status in asked] == [200] * 6
    assert [entry["refused"] for client in (one, other) for entry in client.log()] == [False] * 6


def test_the_three_quotes_share_a_limit(contract: Path, client: Client) -> None:
    (name, _), *_ = instruments(contract)
    for path in ("/quote/ltp", "/quote/ohlc", "/quote"):
        client.quote(name, path=path)
    first, *others = client.log()
    assert [entry["call"] for entry in others] == ["/quote/ohlc", "/quote"]
    for entry in others:
        assert entry["refused"] is (entry["arrived"] - first["arrived"] < 1)


# History and orders


@pytest.mark.parametrize(
    ("interval", "length"), [("minute", 60), ("3minute", 180), ("15minute", 900), ("day", DAY)]
)
def test_candles_have_the_prices_of_their_time(
    contract: Path, client: Client, interval: str, length: int
) -> None:
    token = instruments(contract)[0].token
    answer = client.candles(
        token, interval, **{"from": "2026-08-18 10:00:30", "to": "2026-08-20 10:04:00"}
    )
    candles = data(answer)["candles"]
    starts = [
        int(datetime.strptime(each[0], "%Y-%m-%dT%H:%M:%S%z").timestamp()) for each in candles
    ]
    first, last = seconds_of("2026-08-18 10:00:30"), seconds_of("2026-08-20 10:04:00")
    assert starts == [at for at in range(first, last + 1) if (at - midnight(at)) % length == 0]
    assert candles[0][0].endswith("+0530")
    for start, (_, *shown, volume) in zip(starts[:20], candles, strict=False):
        prices = [price(token, at) for at in range(start, start + length)]
        expected = [prices[0], max(prices), min(prices), prices[-1]]
        assert [paise(each) for each in shown] == expected
        assert volume > 0


def test_the_last_candle_is_of_the_time_so_far(contract: Path, client: Client) -> None:
    token = instruments(contract)[0].token
    now = datetime.now(INDIA)
    times = {"from": now - timedelta(minutes=1), "to": now + timedelta(hours=1)}
    query = {name: f"{each:%Y-%m-%d %H:%M:%S}" for name, each in times.items()}
    before = int(time.time())
    candle = data(client.candles(token, **query))["candles"][-1]
    assert paise(candle[4]) in {price(token, at) for at in range(before, int(time.time()) + 1)}


@pytest.mark.parametrize(
    ("token", "interval", "query"),
    [
        (1, "minute", {}),
        (None, "2minute", {}),
        (None, "minute", {"from": "2026-08-18"}),
        (None, "minute", {"to": "2026-08-18 09:59:59"}),
        (None, "minute", {"from": "2026-01-01 00:00:00"}),
    ],
)
def test_history_that_there_is_not_is_refused(
    contract: Path, client: Client, token: int | None, interval: str, query: Row
) -> None:
    answer = client.candles(token or instruments(contract)[0].token, interval, **query)
    assert error(answer) == (400, "InputException")


def test_orders_are_numbered_and_logged(contract: Path, client: Client) -> None:
    listed = instruments(contract)[:2]
    ids = [data(client.post("/orders/regular", data=each.order))["order_id"] for each in listed]
    assert len(set(ids)) == 2
    assert [(entry["kind"], entry["instruments"]) for entry in client.log()] == [
        ("order", [each.name]) for each in listed
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"tradingsymbol": "NO SUCH"},
        {"transaction_type": "HOLD"},
        {"order_type": ""},
        {"product": "X"},
        {"validity": "X"},
        {"quantity": "0"},
        {"quantity": "-1"},
        {"quantity": "many"},
    ],
)
def test_an_order_that_is_incomplete_is_refused(
    contract: Path, client: Client, fields: dict[str, str]
) -> None:
    answer = client.post("/orders/regular", data=instruments(contract)[0].order | fields)
    assert error(answer) == (400, "InputException")


def test_what_there_is_not_is_not_found(client: Client) -> None:
    assert error(client.get("/margins")) == (404, "GeneralException")
    assert error(client.get("/orders/regular")) == (405, "GeneralException")


# Faults


def test_latency(contract: Path, client: Client) -> None:
    client.faults(latency=0.3)
    before = time.monotonic()
    client.quote(instruments(contract)[0].name)
    assert time.monotonic() - before >= 0.3


def test_what_hangs_is_answered_when_it_is_released(
    contract: Path, clients: Callable[[], Client]
) -> None:
    (name, _), *_ = instruments(contract)
    hanging, next_one = clients(), clients()
    next_one.faults(hang=1)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(hanging.quote, name)
        until(lambda: hanging.log() != [])
        assert list(data(next_one.quote(name))) == [name]
        assert not answer.done()
        assert [entry["status"] for entry in hanging.log()] == [None]
        next_one.faults()
        assert list(data(answer.result(PATIENCE))) == [name]
    assert [entry["status"] for entry in hanging.log()] == [200]


def test_a_client_need_not_wait_for_what_hangs(
    contract: Path, clients: Callable[[], Client]
) -> None:
    (name, _), *_ = instruments(contract)
    client = clients()
    client.faults(hang=1)
    with pytest.raises(httpx.ReadTimeout):
        client.get("/quote", params={"i": name}, timeout=0.2)
    client.faults()
    assert list(data(clients().quote(name))) == [name]


def test_a_reset_connection(contract: Path, clients: Callable[[], Client]) -> None:
    (name, _), *_ = instruments(contract)
    client = clients()
    client.faults(reset=2)
    for victim in (client, clients()):
        # Were it closed in order, this would be a RemoteProtocolError.
        with pytest.raises(httpx.ReadError, match="reset"):
            victim.quote(name)
    assert list(data(clients().quote(name))) == [name]
    assert [(entry["status"], entry["refused"]) for entry in client.log()] == [(None, False)]


def test_a_cut_body(contract: Path, clients: Callable[[], Client]) -> None:
    (name, _), *_ = instruments(contract)
    client = clients()
    client.faults(cut=1)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
        client.quote(name)
    assert list(data(clients().quote(name))) == [name]


def test_rubbish(contract: Path, clients: Callable[[], Client]) -> None:
    listed = instruments(contract)[0]
    client = clients()
    client.faults(rubbish=2)
    for kind in ("history", "quote"):
        answer = client.ask(kind, listed)
        assert answer.status_code == 200
        with pytest.raises(ValueError, match="Expecting value"):
            answer.json()
    assert list(data(clients().quote(listed.name))) == [listed.name]


def test_half_the_quotes(contract: Path, clients: Callable[[], Client]) -> None:
    listed = instruments(contract)[:5]
    names = [each.name for each in listed]
    client = clients()
    client.faults(half=1)
    assert len(data(client.candles(listed[0].token))["candles"]) == 5
    assert list(data(client.quote(*names))) == names[:2]
    assert list(data(clients().quote(*names))) == names


@pytest.mark.parametrize(
    ("code", "error_type"),
    [
        (429, "NetworkException"),
        (500, "GeneralException"),
        (502, "NetworkException"),
        (503, "NetworkException"),
    ],
)
def test_a_status(
    contract: Path, clients: Callable[[], Client], code: int, error_type: str
) -> None:
    listed = instruments(contract)[0]
    client = clients()
    client.faults(status={"code": code, "times": 2, "retry_after": 0.5})
    for kind in ("quote", "order"):
        answer = client.ask(kind, listed)
        assert error(answer) == (code, error_type)
        assert answer.headers["Retry-After"] == "0.5"
    assert [(entry["status"], entry["refused"]) for entry in client.log()] == [(code, False)] * 2
    client.faults(status={"code": code, "times": 1})
    assert "Retry-After" not in client.ask("history", listed).headers
    assert data(clients().ask("quote", listed))


def test_a_refused_instrument(contract: Path, clients: Callable[[], Client]) -> None:
    good, bad = (each.name for each in instruments(contract)[:2])
    client = clients()
    client.faults(refuse_instruments=[bad, "NSE:BAD"])
    assert error(client.quote(good, bad)) == (400, "InputException")
    assert error(clients().quote(good, "NSE:BAD")) == (400, "InputException")
    assert list(data(clients().quote(good))) == [good]


def test_refusals_say_when_to_come_back_if_they_are_told_to(contract: Path, client: Client) -> None:
    (name, _), *_ = instruments(contract)
    client.faults(retry_after=1)
    while (answer := client.quote(name)).status_code != 429:
        pass
    assert answer.headers["Retry-After"] == "1"


def test_what_is_refused_over_the_limit_leaves_the_faults_to_others(
    contract: Path, clients: Callable[[], Client]
) -> None:
    (name, _), *_ = instruments(contract)
    client = clients()
    client.quote(name)
    client.faults(status={"code": 503, "times": 1})
    client.quote(name)
    other = clients()
    other.quote(name)
    refused = client.log()[1]["refused"]
    assert [client.log()[1]["status"], other.log()[0]["status"]] == (
        [429, 503] if refused else [503, 200]
    )


@pytest.mark.parametrize(
    ("faults", "named"),
    [
        ("{", "JSON"),
        ([], "object"),
        ({"hangs": 1}, "hangs"),
        ({"hang": -1}, "hang"),
        ({"reset": True}, "reset"),
        ({"cut": 1.5}, "cut"),
        ({"half": None}, "half"),
        ({"rubbish": "1"}, "rubbish"),
        ({"latency": -0.1}, "latency"),
        ({"latency": float("inf")}, "latency"),
        ({"latency": float("nan")}, "latency"),
        ({"retry_after": "1"}, "retry_after"),
        ({"status": 503}, "status"),
        ({"status": {"code": 418, "times": 1}}, "status.code"),
        ({"status": {"code": 503}}, "status.times"),
        ({"status": {"code": 503, "times": 1, "retry_after": -1}}, "status.retry_after"),
        ({"status": {"code": 503, "times": 1, "after": 1}}, "after"),
        ({"refuse_instruments": "NSE:BAD"}, "refuse_instruments"),
        ({"refuse_instruments": [1]}, "refuse_instruments"),
    ],
)
def test_faults_that_there_are_not_are_refused_and_change_nothing(
    contract: Path, client: Client, faults: object, named: str
) -> None:
    client.faults(status={"code": 503, "times": 1})
    content = faults if isinstance(faults, str) else json.dumps(faults)
    answer = client.post("/simulator/faults", content=content)
    assert error(answer) == (400, "InputException")
    message = answer.json()["message"]
    assert "Expected" in message
    assert named in message
    assert client.quote(instruments(contract)[0].name).status_code == 503


def test_the_log_is_in_order_and_can_be_cleared(contract: Path, client: Client) -> None:
    client.delete("/simulator/log")
    listed = instruments(contract)[0]
    before = time.monotonic()
    for kind in LIMITS:
        client.ask(kind, listed)
    log = client.log()
    assert [(entry["kind"], entry["call"], entry["instruments"]) for entry in log] == [
        ("quote", "/quote", [listed.name]),
        ("history", f"/instruments/historical/{listed.token}/minute", [listed.token]),
        ("order", "/orders/regular", [listed.name]),
    ]
    arrivals = [entry["arrived"] for entry in log]
    assert arrivals == sorted(arrivals)
    assert before <= arrivals[0]
    assert arrivals[-1] <= time.monotonic()
    client.delete("/simulator/log")
    assert client.get("/simulator/log").json() == []


# The WebSocket


def say(socket: ClientConnection, action: str, value: object) -> None:
    socket.send(json.dumps({"a": action, "v": value}))


def complaint(socket: ClientConnection) -> str:
    """The next message that is text."""
    while not isinstance(message := socket.recv(PATIENCE), str):
        pass
    document = json.loads(message)
    assert document["type"] == "error"
    return str(document["data"])


def packets(message: str | bytes) -> dict[int, bytes]:
    """The packets of a message, by token."""
    assert isinstance(message, bytes)
    found = {}
    (number,) = struct.unpack_from(">h", message)
    offset = 2
    for _ in range(number):
        (length,) = struct.unpack_from(">h", message, offset)
        packet = message[offset + 2 : offset + 2 + length]
        assert len(packet) == length
        found[field(packet, 0)] = packet
        offset += 2 + length
    assert (offset, len(found)) == (len(message), number)
    return found


def field(packet: bytes, offset: int) -> int:
    return int.from_bytes(packet[offset : offset + 4], "big", signed=True)


def ticks(socket: ClientConnection, is_so: Callable[[dict[int, int]], bool]) -> dict[int, bytes]:
    """The next ticks whose tokens and lengths are as they should be."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        message = socket.recv(PATIENCE)
        found = {} if message == b"\0" else packets(message)
        if is_so({token: len(packet) for token, packet in found.items()}):
            return found
    pytest.fail("There were no such ticks.")


def test_a_connection_without_subscriptions_has_heartbeats(client: Client) -> None:
    with client.socket() as socket:
        assert [socket.recv(PATIENCE) for _ in range(3)] == [b"\0"] * 3


def test_a_subscription_without_a_mode_is_of_quotes(contract: Path, client: Client) -> None:
    tokens = [each.token for each in instruments(contract)[:3]]
    with client.socket() as socket:
        say(socket, "subscribe", tokens)
        before = int(time.time())
        found = ticks(socket, lambda lengths: lengths == dict.fromkeys(tokens, 44))
        times = range(before - 1, int(time.time()) + 1)
        assert client.modes() == [dict.fromkeys(tokens, "quote")]
    for token, packet in found.items():
        shown = [field(packet, offset) for offset in (4, *range(28, 44, 4))]
        assert shown in [day_so_far(token, at) for at in times]
        assert field(packet, 16) > 0


def test_modes_change_what_ticks_say(contract: Path, client: Client) -> None:
    one, two, three = (each.token for each in instruments(contract)[:3])
    with client.socket() as socket:
        say(socket, "subscribe", [one, two, three])
        say(socket, "mode", ["ltp", [one]])
        say(socket, "mode", ["full", [two]])
        found = ticks(socket, lambda lengths: lengths == {one: 8, two: 184, three: 44})
        assert client.modes() == [{one: "ltp", two: "full", three: "quote"}]
        # To subscribe again changes no mode.
        say(socket, "subscribe", [one])
        say(socket, "mode", ["full", [three]])
        ticks(socket, lambda lengths: lengths == {one: 8, two: 184, three: 184})
    at = field(found[two], 60)
    assert field(found[two], 44) == at
    assert [field(found[token], 4) for token in (one, two, three)] == [
        price(token, at) for token in (one, two, three)
    ]
    depth = [struct.unpack_from(">iihh", found[two], 64 + 12 * n) for n in range(10)]
    prices = [level[1] for level in depth]
    bids, offers = prices[:5], prices[5:]
    ladder = [*offers[::-1], price(two, at), *bids]
    assert ladder == sorted(ladder, reverse=True)
    assert field(found[two], 20) == sum(level[0] for level in depth[:5])
    assert field(found[two], 24) == sum(level[0] for level in depth[5:])
    assert [level[3] for level in depth] == [0] * 10


def test_prices_move(contract: Path, client: Client) -> None:
    token = instruments(contract)[0].token
    with client.socket() as socket:
        say(socket, "subscribe", [token])
        say(socket, "mode", ["full", [token]])
        first = ticks(socket, lambda lengths: lengths == {token: 184})[token]
        later = first
        while field(later, 60) == field(first, 60):
            later = ticks(socket, lambda lengths: lengths == {token: 184})[token]
    assert field(later, 4) == price(token, field(later, 60)) != field(first, 4)


def test_an_index_has_packets_of_its_own(contract: Path, client: Client) -> None:
    token = instruments(contract, "exchange = 'NSE_INDEX'")[0].token
    with client.socket() as socket:
        say(socket, "subscribe", [token])
        ticks(socket, lambda lengths: lengths == {token: 28})
        say(socket, "mode", ["full", [token]])
        packet = ticks(socket, lambda lengths: lengths == {token: 32})[token]
    at = field(packet, 28)
    last, opened, highest, lowest, closed = day_so_far(token, at)
    assert [field(packet, offset) for offset in range(4, 28, 4)] == [
        *(last, highest, lowest, opened, closed),
        last - closed,
    ]


def test_a_currency_has_more_decimal_places(contract: Path, client: Client) -> None:
    token = instruments(contract, "exchange = 'CDS'")[0].token
    with client.socket() as socket:
        say(socket, "subscribe", [token])
        say(socket, "mode", ["full", [token]])
        packet = ticks(socket, lambda lengths: lengths == {token: 184})[token]
    # In units of 0.0000001 rupees.
    assert field(packet, 4) == price(token, field(packet, 60)) * 100_000
    best_bid = struct.unpack_from(">iihh", packet, 64)[1]
    assert 0 < field(packet, 4) - best_bid < 10_000_000


def test_what_is_unsubscribed_has_no_ticks(contract: Path, client: Client) -> None:
    one, two = (each.token for each in instruments(contract)[:2])
    with client.socket() as socket:
        say(socket, "subscribe", [one, two])
        ticks(socket, lambda lengths: lengths == {one: 44, two: 44})
        say(socket, "unsubscribe", [one, 7])
        ticks(socket, lambda lengths: lengths == {two: 44})
        say(socket, "unsubscribe", [two])
        ticks(socket, lambda lengths: lengths == {})
        assert client.modes() == [{}]


def test_what_is_not_listed_has_no_ticks(contract: Path, client: Client) -> None:
    token = instruments(contract)[0].token
    with client.socket() as socket:
        say(socket, "subscribe", [1, token])
        ticks(socket, lambda lengths: lengths == {token: 44})
        assert client.modes() == [{1: "quote", token: "quote"}]


@pytest.mark.parametrize("action", ["subscribe", "unsubscribe", "mode"])
def test_a_message_with_too_many_tokens_changes_nothing(client: Client, action: str) -> None:
    with client.socket() as socket:
        say(socket, "subscribe", list(range(1, 201)))
        tokens = list(range(101, 302))
        say(socket, action, ["ltp", tokens] if action == "mode" else tokens)
        assert "200 tokens in a message" in complaint(socket)
        assert client.modes() == [dict.fromkeys(range(1, 201), "quote")]
    refused = client.log()[-1]
    assert (refused["kind"], refused["call"], refused["status"]) == ("message", action, 400)
    assert refused["instruments"] == tokens


def test_a_connection_has_three_thousand_tokens_at_most(client: Client) -> None:
    with client.socket() as socket:
        for first in range(1, 3_000, 200):
            say(socket, "subscribe", list(range(first, first + 200)))
        say(socket, "subscribe", [3_000, 3_001])
        assert "3000 tokens" in complaint(socket)
        assert client.modes() == [dict.fromkeys(range(1, 3_001), "quote")]
        say(socket, "unsubscribe", [1, 2])
        say(socket, "subscribe", [3_000, 3_001])
        until(lambda: 3_001 in client.modes()[0])


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{", "`a` and `v`"),
        ("[]", "`a` and `v`"),
        ('{"a": "subscribe"}', "`a` and `v`"),
        ('{"a": "mode", "v": "full"}', "`a` and `v`"),
        ('{"a": "leave", "v": []}', "leave"),
        ('{"a": "mode", "v": ["half", [1]]}', "half"),
        ('{"a": "mode", "v": ["full", [2]]}', "subscribed"),
        ('{"a": "mode", "v": [[], [1]]}', "[]"),
        ('{"a": "subscribe", "v": 1}', "integers"),
        ('{"a": "subscribe", "v": ["1"]}', "integers"),
        ('{"a": "subscribe", "v": [true]}', "integers"),
        ('{"a": [], "v": [1]}', "[]"),
    ],
)
def test_a_message_that_says_nothing_changes_nothing(client: Client, text: str, named: str) -> None:
    with client.socket() as socket:
        say(socket, "subscribe", [1])
        socket.send(text)
        assert named in complaint(socket)
        assert client.modes() == [{1: "quote"}]


def test_messages_are_logged(client: Client) -> None:
    with client.socket() as socket:
        say(socket, "subscribe", [1, 2])
        say(socket, "mode", ["ltp", [2]])
        say(socket, "unsubscribe", [1])
        until(lambda: client.modes() == [{2: "ltp"}])
    shown = [
        (each["kind"], each["call"], each["instruments"], each["status"]) for each in client.log()
    ]
    assert shown == [
        ("connection", "/ws", [], 101),
        ("message", "subscribe", [1, 2], 200),
        ("message", "mode", [2], 200),
        ("message", "unsubscribe", [1], 200),
    ]


@pytest.mark.parametrize(
    "query", ["", "?api_key=key", "?access_token=secret", "?api_key=&access_token=x"]
)
def test_a_connection_needs_an_account(url: str, query: str) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        connect(f"{url}/ws{query}".replace("http", "ws", 1)).close()
    assert refusal.value.response.status_code == 403
    assert json.loads(refusal.value.response.body)["error_type"] == "TokenException"


def test_an_account_has_three_connections_at_most(clients: Callable[[], Client]) -> None:
    client = clients()
    with ExitStack() as stack:
        sockets = [stack.enter_context(client.socket()) for _ in range(3)]
        with pytest.raises(InvalidStatus) as refusal:
            connect(client.address()).close()
        assert refusal.value.response.status_code == 429
        assert client.log()[-1]["refused"] is True
        stack.enter_context(clients().socket())
        sockets[0].close()
        until(lambda: len(client.modes()) == 2)
        stack.enter_context(client.socket())


def test_connections_are_closed_abruptly(contract: Path, clients: Callable[[], Client]) -> None:
    token = instruments(contract)[0].token
    client, other = clients(), clients()
    with client.socket() as one, client.socket() as two, other.socket() as three:
        for socket in (one, two, three):
            say(socket, "subscribe", [token])
            ticks(socket, lambda lengths: lengths == {token: 44})
        assert client.post("/simulator/disconnect").json()["closed"] >= 3
        for socket in (one, two, three):
            with pytest.raises(ConnectionClosedError) as end:
                ticks(socket, lambda _: False)
            assert end.value.rcvd is None  # it did not say good-bye
    until(lambda: client.modes() == other.modes() == [])
    with client.socket() as socket:
        assert client.modes() == [{}]
        assert socket.recv(PATIENCE) == b"\0"


# The process


def test_tokens_per_message_and_tick_interval_are_options(contract: Path) -> None:
    token = instruments(contract)[0].token
    with (
        simulator_process(contract, tick_interval=600, tokens_per_message=2) as url,
        Client(url) as client,
        client.socket() as socket,
    ):
        say(socket, "subscribe", [token, 1, 2])
        assert "at most 2 tokens in a message" in complaint(socket)
        with pytest.raises(TimeoutError):
            socket.recv(1.5)  # by then, one would come by default


def test_it_ends_with_its_input_whatever_is_under_way(contract: Path) -> None:
    (name, _), *_ = instruments(contract)
    with ThreadPoolExecutor(1) as pool, ExitStack() as stack:
        with simulator_process(contract) as url:
            client = stack.enter_context(Client(url))
            stack.enter_context(client.socket())
            client.faults(hang=1)
            answer = pool.submit(client.quote, name)
            until(lambda: any(entry["kind"] == "quote" for entry in client.log()))
        assert list(data(answer.result(PATIENCE))) == [name]


def test_it_does_not_start_without_a_contract(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with (
        pytest.raises(ServerStartError, match=r"examples\.trading\.simulator"),
        simulator_process(tmp_path / "none.db"),
    ):
        pass
    assert "Expected a table symtoken" in capfd.readouterr().err
    assert not (tmp_path / "none.db").exists()
