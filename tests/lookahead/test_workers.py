"""Look-ahead inside the workers of real servers: real threads, gevent's and eventlet's."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count, cycle, islice
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert

from tests.lookahead.test_shapes import Plain
from tests.lookahead.worker_holdings import HOLDING_LOOPS, holdings, metadata
from tests.lookahead.worker_loops import ASYNC_LOOPS, LOOPS, POOLS, SEGMENTS, Loop
from tests.servers import Running, Server, check_log, gunicorn_workers, started

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lookahead.conftest import SqliteContract

pytestmark = pytest.mark.timeout(120)

AT_ONCE = 8
ROWS = 24
ROUNDS = 4
SEGMENT_OF = {exchange: segment for segment, exchange in SEGMENTS.items()}
WORKERS = gunicorn_workers("tests.lookahead.worker_app", threads=2 * AT_ONCE)

EVERYBODYS = "rows of all users that the caller's variables lead to count as the caller's"
DEFECTS = {
    "own_rows_in_everybodys_books": EVERYBODYS,
    "own_rows_among_everybodys_by_code": EVERYBODYS,
}


@pytest.fixture
def _known_defects(request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.params.get("name", "native")
    reason = DEFECTS.get(name)
    if reason:
        request.applymarker(pytest.mark.xfail(strict=True, reason=reason))


@pytest.fixture(scope="module", params=WORKERS, ids=lambda server: server.name)
def worker(
    request: pytest.FixtureRequest,
    sqlite_contract: SqliteContract,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Running]:
    server: Server = request.param
    python = request.getfixturevalue("gunicorn25_python") if server.old else sys.executable
    environment = {
        "DATALOADERS_DATABASE_URI": str(sqlite_contract.engine.url),
        "DATALOADERS_ENGINE_OPTIONS": json.dumps({"pool_size": 16 * AT_ONCE}),
    }
    log = tmp_path_factory.mktemp(server.name) / "server.log"
    with started(server, python, log, environment) as running:
        yield running
        check_log(running)


def rows_of(contract: SqliteContract, number: int) -> list[dict[str, Any]]:
    """Rows from all over the contract, others for each number, and one of nothing it has."""
    found = contract.plain.execute(
        "SELECT symbol, exchange, brsymbol, token FROM symtoken WHERE exchange NOT LIKE '%INDEX'"
        " ORDER BY (id * 7919) % 3001 LIMIT ? OFFSET ?",
        (ROWS - 1, (ROWS - 1) * number),
    ).fetchall()
    assert len(found) == ROWS - 1
    found[5:5] = [(f"NO SUCH {number}", "NSE", f"NOSUCH-{number}", f"{77_000_000 + number}")]
    return [
        {
            "symbol": symbol,
            "exchange": exchange,
            "code": code,
            "token": int(token),
            "segment": SEGMENT_OF[exchange],
            "quantity": quantity,
        }
        for quantity, (symbol, exchange, code, token) in enumerate(found)
    ]


def as_json(value: object) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(json.dumps(value))


def expected_of(loop: Loop, contract: SqliteContract, payload: object) -> Any:  # noqa: ANN401 - any JSON
    """What a loop makes of a payload with one plain query for each lookup."""
    found = loop.run(Plain(contract), as_json(payload))
    return as_json(asyncio.run(found) if asyncio.iscoroutine(found) else found)


def post(running: Running, path: str, body: object) -> dict[str, Any]:
    with closing(running.connect()) as connection:
        status, answer = running.post(connection, path, body)
    assert status == 200, running.log.read_text()
    found: dict[str, Any] = json.loads(answer)
    return found


def check_one_after_the_other(
    running: Running, contract: SqliteContract, path: str, loop: Loop
) -> None:
    """Three requests, each with rows of its own."""
    counts = []
    for number in range(3):
        payload = loop.payload(rows_of(contract, number))
        answer = post(running, path, {"payload": payload})
        assert answer["result"] == expected_of(loop, contract, payload)
        counts.append(answer["sent_meanwhile"])
    first, *others = counts
    assert 1 <= first <= loop.first, counts
    assert all(1 <= each <= loop.again for each in others), counts


# -- one request after the other


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_sends_few_statements(
    worker: Running, sqlite_contract: SqliteContract, name: str
) -> None:
    check_one_after_the_other(worker, sqlite_contract, f"/loops/{name}", LOOPS[name])


@pytest.mark.parametrize("name", ASYNC_LOOPS)
def test_awaits_one_after_the_other_send_few_statements(
    worker: Running, sqlite_contract: SqliteContract, name: str
) -> None:
    check_one_after_the_other(worker, sqlite_contract, f"/async/{name}", ASYNC_LOOPS[name])


@pytest.mark.usefixtures("_known_defects")
@pytest.mark.parametrize("name", POOLS)
def test_a_thread_pool_sends_few_statements(
    worker: Running, sqlite_contract: SqliteContract, name: str
) -> None:
    check_one_after_the_other(worker, sqlite_contract, f"/pools/{name}", POOLS[name])


@pytest.mark.usefixtures("_known_defects")
def test_a_pool_of_native_threads_sends_few_statements(
    worker: Running, sqlite_contract: SqliteContract
) -> None:
    if worker.server.name != "gevent":
        pytest.skip("gevent's own")
    check_one_after_the_other(worker, sqlite_contract, "/native/pool_map", POOLS["pool_map"])


# -- many requests at once


_rounds = count()


def post_together(
    running: Running, requests: list[tuple[str, dict[str, Any]]]
) -> list[dict[str, Any]]:
    """Sends requests whose loops all begin when the last of them has come."""
    query = f"?together={len(requests)}&round={next(_rounds)}"
    with ThreadPoolExecutor(len(requests)) as executor:
        calls = [executor.submit(post, running, f"{path}{query}", body) for path, body in requests]
        return [call.result() for call in calls]


def check_together(
    running: Running, contract: SqliteContract, loops: list[tuple[str, Loop]], turn: int = 0
) -> list[dict[str, Any]]:
    """Has each loop run over rows of its own, others in each turn."""
    payloads = [
        loop.payload(rows_of(contract, number))
        for number, (_, loop) in enumerate(loops, 3 + turn * AT_ONCE % 90)
    ]
    answers = post_together(
        running,
        [(path, {"payload": payload}) for (path, _), payload in zip(loops, payloads, strict=True)],
    )
    for (_, loop), payload, answer in zip(loops, payloads, answers, strict=True):
        assert answer["result"] == expected_of(loop, contract, payload)
    return answers


@pytest.mark.parametrize("name", LOOPS)
def test_the_same_loop_in_many_requests_at_once(
    worker: Running, sqlite_contract: SqliteContract, name: str
) -> None:
    loop = LOOPS[name]
    answers = check_together(worker, sqlite_contract, [(f"/loops/{name}", loop)] * AT_ONCE)
    counts = [len(answer["sent"]) for answer in answers]
    assert all(1 <= each <= loop.first for each in counts), counts


@pytest.mark.parametrize("name", POOLS)
def test_thread_pools_of_many_requests_at_once_answer_rightly(
    worker: Running, sqlite_contract: SqliteContract, name: str
) -> None:
    """What their threads know they share, as threads without a scope do."""
    for turn in range(3):
        check_together(worker, sqlite_contract, [(f"/pools/{name}", POOLS[name])] * AT_ONCE, turn)


def test_different_loops_in_many_requests_at_once(
    worker: Running, sqlite_contract: SqliteContract
) -> None:
    everything = [(f"/loops/{name}", loop) for name, loop in LOOPS.items()]
    everything += [(f"/pools/{name}", loop) for name, loop in POOLS.items()]
    mixed = cycle(everything)
    for turn in range(len(everything) // 2):
        check_together(worker, sqlite_contract, list(islice(mixed, AT_ONCE)), turn)


# -- what is one user's is asked for by that user's requests only


@pytest.fixture(scope="module")
def quantities(sqlite_contract: SqliteContract) -> dict[tuple[str, str], int]:
    """The holdings of all users, by code and venue."""
    codes = ["CASH", "COMMON", *(f"U{user}-{n}" for user in range(AT_ONCE) for n in range(20))]
    held = {(code, venue): len(code) + n for n, code in enumerate(codes) for venue in "AB"}
    rows = [{"code": code, "venue": venue, "quantity": n} for (code, venue), n in held.items()]
    metadata.create_all(sqlite_contract.engine)
    with sqlite_contract.engine.begin() as connection:
        connection.execute(insert(holdings), rows)
    return held


def holdings_of(user: str) -> list[dict[str, Any]]:
    """A user's rows: one whose text is in every user's, one of nothing there is, and the own."""
    codes = ["COMMON", f"{user}-NONE", *(f"{user}-{n}" for n in range(20))]
    return [{"code": code, "venue": "AB"[len(code) % 2]} for code in codes]


def quantities_of(name: str, user: str, quantities: dict[tuple[str, str], int]) -> Any:  # noqa: ANN401 - any JSON
    """What a loop makes of a user's rows without the library."""
    return as_json(HOLDING_LOOPS[name](lambda *key: quantities.get(key), user, holdings_of(user)))


def users_in(text: str) -> set[str]:
    return set(re.findall(r"U\d+(?=-)", text))


@pytest.mark.parametrize(
    ("name", "first", "again"),
    [("own_rows", 2, 1), ("own_texts", 2, 1), ("own_rows_in_a_pool", 3, 3)],
)
def test_what_is_one_users_takes_few_statements(
    worker: Running, quantities: dict[tuple[str, str], int], name: str, first: int, again: int
) -> None:
    counts = []
    for user in ("U0", "U1", "U2"):
        answer = post(worker, f"/holdings/{name}", {"user": user, "payload": holdings_of(user)})
        assert answer["result"] == quantities_of(name, user, quantities)
        counts.append(len(answer["sent"]))
    assert 1 <= counts[0] <= first, counts
    assert all(1 <= each <= again for each in counts[1:]), counts


def ask_for_all_users(running: Running, name: str) -> dict[str, dict[str, Any]]:
    """Has all users' requests run a loop at once; returns their answers."""
    users = [f"U{number}" for number in range(AT_ONCE)]
    requests: list[tuple[str, dict[str, Any]]] = [
        (f"/holdings/{name}", {"user": user, "payload": holdings_of(user)}) for user in users
    ]
    return dict(zip(users, post_together(running, requests), strict=True))


@pytest.mark.parametrize("name", HOLDING_LOOPS)
def test_users_who_ask_at_once_get_what_is_theirs(
    worker: Running, quantities: dict[tuple[str, str], int], name: str
) -> None:
    for user, answer in ask_for_all_users(worker, name).items():
        assert answer["result"] == quantities_of(name, user, quantities)


@pytest.mark.usefixtures("_known_defects", "quantities")
@pytest.mark.parametrize("name", HOLDING_LOOPS)
def test_no_request_asks_for_what_is_in_anothers_rows(worker: Running, name: str) -> None:
    before = len(worker.get("/sent"))
    for _ in range(ROUNDS):
        for user, answer in ask_for_all_users(worker, name).items():
            assert users_in(str(answer["known"])) == {user}
            assert users_in(str(answer["sent"])) == {user}
    assert all(len(users_in(sent)) <= 1 for sent in worker.get("/sent")[before:])
