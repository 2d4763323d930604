from __future__ import annotations

import json
import socket
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from examples.trading.app import create_app
from examples.trading.broker_side.account import BrokerAccount
from examples.trading.broker_side.listing import Listing
from examples.trading.brokers.ordinal import segments as ordinal
from examples.trading.brokers.registry import BROKERS
from examples.trading.brokers.wicker import segments as wicker
from examples.trading.comparison import differences
from examples.trading.contract_sample import pick_instruments
from examples.trading.operations import operations_on
from examples.trading.serving import Answer, app_serving, ask
from tests.examples.contracts import MODES, url_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from examples.trading.operations import Operation

    Serve = Callable[..., AbstractContextManager[dict[str, str]]]
    Row = dict[str, Any]

VARIANTS = tuple(MODES)

of_every_broker = pytest.mark.parametrize("broker", BROKERS)


def query(database: Path, text: str, *parameters: object) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(text, parameters).fetchall()


def data(answer: Answer) -> Any:  # noqa: ANN401 - JSON
    assert isinstance(answer.document, dict)
    assert (answer.status, answer.document["status"]) == (200, "success"), answer.document
    return answer.document["data"]


def message(answer: Answer) -> str:
    assert isinstance(answer.document, dict)
    assert answer.document["status"] == "error"
    return str(answer.document["message"])


def leg(**fields: object) -> Row:
    market: Row = {"action": "BUY", "product": "CNC", "pricetype": "MARKET", "quantity": 1}
    return market | {"symbol": "SBIN", "exchange": "NSE"} | fields


def basket(*legs: Row) -> str:
    return json.dumps({"orders": legs})


def order(**fields: object) -> Row:
    """An order as Kite Connect sends it."""
    row: Row = {
        "placed_by": "ZZ0000",
        "order_id": "250000000000017",
        "exchange_order_id": None,
        "parent_order_id": None,
        "status": "REJECTED",
        "status_message": "Insufficient funds.",
        "order_timestamp": "2026-08-18 09:20:31",
        "exchange_timestamp": None,
        "variety": "regular",
        "exchange": "NSE",
        "tradingsymbol": "SBIN",
        "instrument_token": 1,
        "order_type": "LIMIT",
        "transaction_type": "SELL",
        "validity": "DAY",
        "product": "MIS",
        "quantity": 7,
        "disclosed_quantity": 0,
        "price": 812.35,
        "trigger_price": 0,
        "average_price": 0,
        "filled_quantity": 0,
        "pending_quantity": 7,
        "cancelled_quantity": 0,
        "meta": {},
        "tag": None,
    }
    return row | fields


def position(**fields: object) -> Row:
    """A net position as Kite Connect sends it."""
    row: Row = {
        "tradingsymbol": "SBIN",
        "exchange": "NSE",
        "instrument_token": 1,
        "product": "NRML",
        "quantity": 3,
        "overnight_quantity": 0,
        "multiplier": 1,
        "average_price": 100.1,
        "close_price": 0,
        "last_price": 100.2,
        "value": -300.3,
        "pnl": 0.3,
        "m2m": 0.3,
        "unrealised": 0.3,
        "realised": 0,
        "buy_quantity": 3,
        "buy_price": 100.1,
        "buy_value": 300.3,
        "sell_quantity": 0,
        "sell_price": 0,
        "sell_value": 0,
    }
    return row | fields


@pytest.fixture
def operations(contract: Path) -> dict[str, Operation]:
    return {operation.path: operation for operation in operations_on(url_of(contract))}


def run(urls: dict[str, str], operation: Operation) -> dict[str, Answer]:
    return {
        variant: ask(urls[variant], operation.method, operation.path, operation.body)
        for variant in VARIANTS
    }


@of_every_broker
@pytest.mark.parametrize("path", ["/basket", "/positions", "/subscription"])
def test_variants_answer_alike_with_as_many_queries_as_lookups_and_with_one(
    contract: Path, serve: Serve, operations: dict[str, Operation], broker: str, path: str
) -> None:
    lookups = operations[path].lookups
    with serve(BrokerAccount.with_a_history(url_of(contract)), broker) as urls:
        answers = run(urls, operations[path])
    assert [answers[variant].lookups for variant in VARIANTS] == [lookups, lookups]
    assert [answers[variant].queries for variant in VARIANTS] == [lookups, 1]
    naive, batched = (data(answers[variant]) for variant in VARIANTS)
    assert list(differences(naive, batched, ignoring=["order_id"])) == []


@of_every_broker
def test_basket_reaches_the_broker_in_its_own_terms(
    contract: Path, serve: Serve, operations: dict[str, Operation], broker: str
) -> None:
    account = BrokerAccount(Listing(url_of(contract)))
    with serve(account, broker) as urls:
        answers = run(urls, operations["/basket"])
    legs = json.loads(operations["/basket"].body or "")["orders"]
    expected = [
        query(
            contract,
            "SELECT token, brsymbol, brexchange FROM symtoken WHERE symbol = ? AND exchange = ?",
            each["symbol"],
            each["exchange"],
        )[0]
        for each in legs
    ]
    assert len(expected) == 10
    for answer in answers.values():
        placed = {int(row["order_id"]): row for row in account.orders()}
        rows = [placed[int(result["order_id"])] for result in data(answer)]
        assert [
            (str(row["instrument_token"]), row["tradingsymbol"], row["exchange"]) for row in rows
        ] == expected
        assert [row["quantity"] for row in rows] == [each["quantity"] for each in legs]
        assert [row["price"] for row in rows] == [float(each.get("price", 0)) for each in legs]
    # Had a token not belonged to its symbol, the broker would have refused the order.
    assert len(account.orders()) == 20


@of_every_broker
def test_positions_have_the_names_that_the_contract_gives_them(
    contract: Path, serve: Serve, operations: dict[str, Operation], broker: str
) -> None:
    account = BrokerAccount.with_a_history(url_of(contract))
    with serve(account, broker) as urls:
        answers = run(urls, operations["/positions"])
    expected = [
        query(
            contract,
            "SELECT symbol, token, brexchange FROM symtoken WHERE brsymbol = ? AND exchange = ?"
            " ORDER BY id LIMIT 1",
            row["tradingsymbol"],
            row["exchange"],
        )[0]
        for row in account.positions
    ]
    assert len(expected) == 50
    for answer in answers.values():
        positions = data(answer)
        assert [(row["symbol"], row["token"], row["brexchange"]) for row in positions] == expected
        assert [Decimal(row["pnl"]) for row in positions] == [
            round(Decimal(str(row["pnl"])), 2) for row in account.positions
        ]


@pytest.mark.parametrize(
    ("broker", "segments"),
    [("kite", {}), ("ordinal", ordinal.CODES), ("wicker", wicker.SEGMENTS)],
)
def test_subscription_says_how_prices_are_read(
    contract: Path,
    serve: Serve,
    operations: dict[str, Operation],
    broker: str,
    segments: dict[str, object],
) -> None:
    with serve(BrokerAccount(Listing(url_of(contract))), broker) as urls:
        answers = run(urls, operations["/subscription"])
    expected = [
        query(
            contract,
            "SELECT token, brexchange, lotsize, tick_size FROM symtoken"
            " WHERE symbol = ? AND exchange = ?",
            each["symbol"],
            each["exchange"],
        )[0]
        for each in json.loads(operations["/subscription"].body or "")["symbols"]
    ]
    for answer in answers.values():
        instruments = data(answer)["instruments"]
        assert [
            (row["token"], row["segment"], row["lotsize"], float(row["tick_size"]))
            for row in instruments
        ] == [
            (token, segments.get(brexchange, brexchange), lotsize, tick_size)
            for token, brexchange, lotsize, tick_size in expected
        ]
        # An index trades under another exchange at the broker.
        assert any(
            brexchange != row["exchange"]
            for (_, brexchange, _, _), row in zip(expected, instruments, strict=True)
        )
        assert data(answer)["unknown"] == []


@pytest.mark.parametrize(
    ("broker", "shared_by"), [("kite", "brsymbol"), ("ordinal", "token"), ("wicker", "token")]
)
def test_what_two_instruments_share_at_the_broker_is_the_first_one(
    contract: Path, serve: Serve, broker: str, shared_by: str
) -> None:
    shared = query(
        contract,
        "SELECT brsymbol, token, exchange, min(id) FROM symtoken"  # noqa: S608 - a column's name
        f" GROUP BY {shared_by}, exchange HAVING count(*) > 1",
    )
    assert shared
    rows = [
        position(tradingsymbol=brsymbol, exchange=exchange, instrument_token=int(token))
        for brsymbol, token, exchange, _ in shared
    ]
    first = [
        query(contract, "SELECT symbol, token FROM symtoken WHERE id = ?", row_id)[0]
        for *_, row_id in shared
    ]
    with serve(BrokerAccount(Listing(url_of(contract)), rows), broker) as urls:
        for variant in VARIANTS:
            positions = data(ask(urls[variant], "GET", "/positions"))
            assert [(row["symbol"], row["token"]) for row in positions] == first


@pytest.mark.parametrize(
    ("broker", "names"),
    [
        ("kite", ["CRUDEOIL19JANFUT", "SBIN", "GOLDM19FEBFUT"]),
        ("ordinal", ["53500007", "SBIN", "53500263"]),
        ("wicker", ["53500007", "SBIN", "53500263"]),
    ],
)
def test_unknown_positions_keep_the_brokers_names(
    contract: Path, serve: Serve, broker: str, names: list[str]
) -> None:
    [(token,)] = query(
        contract, "SELECT token FROM symtoken WHERE symbol = 'SBIN' AND exchange = 'NSE'"
    )
    rows = [
        position(tradingsymbol="CRUDEOIL19JANFUT", exchange="MCX", instrument_token=53_500_007),
        position(instrument_token=int(token)),
        position(tradingsymbol="GOLDM19FEBFUT", exchange="MCX", instrument_token=53_500_263),
    ]
    with serve(BrokerAccount(Listing(url_of(contract)), rows), broker) as urls:
        naive, batched = (ask(urls[variant], "GET", "/positions") for variant in VARIANTS)
    assert data(naive) == data(batched)
    assert [row["symbol"] for row in data(batched)] == names
    assert [row["brsymbol"] for row in data(batched)] == names
    assert [(row["token"], row["brexchange"]) for row in data(batched)] == [
        ("53500007", "MCX"),
        (token, "NSE"),
        ("53500263", "MCX"),
    ]
    assert (naive.lookups, naive.queries, batched.queries) == (5, 5, 1)


@of_every_broker
def test_amounts_are_exact(contract: Path, serve: Serve, broker: str) -> None:
    rows = [
        position(),
        position(quantity=-2, multiplier=1000, last_price=0.7, buy_value=0, sell_value=2100.1),
        position(quantity=0, average_price=0, last_price=72, buy_value=0.1, sell_value=0.3),
    ]
    with serve(BrokerAccount(Listing(url_of(contract)), rows), broker) as urls:
        for variant in VARIANTS:
            positions = data(ask(urls[variant], "GET", "/positions"))
            assert [(row["average_price"], row["ltp"], row["pnl"]) for row in positions] == [
                ("100.1", "100.2", "0.30"),
                ("100.1", "0.7", "700.10"),
                ("0", "72", "0.20"),
            ]


def test_order_book_finds_renamed_instruments_and_shows_unknown_ones(
    contract: Path, serve: Serve
) -> None:
    infosys = "SELECT token FROM symtoken WHERE symbol = 'INFY' AND exchange = 'NSE'"
    [(token,)] = query(contract, infosys)
    option = next(
        each for each in pick_instruments(url_of(contract), 20) if each.symbol != each.brsymbol
    )
    orders = [
        order(tradingsymbol=option.brsymbol, exchange=option.exchange, price=0.05),
        order(tradingsymbol="INFOSYSTCH", instrument_token=int(token), status="COMPLETE"),
        order(tradingsymbol="USDINR19JUNFUT", exchange="CDS", instrument_token=987_654_321),
        order(status="CANCELLED", status_message=None),
    ]
    with serve(BrokerAccount(Listing(url_of(contract)), orders=orders)) as urls:
        naive, batched = (ask(urls[variant], "GET", "/orders") for variant in VARIANTS)
    assert data(naive) == data(batched)
    assert [(row["symbol"], row["status"], row["message"]) for row in data(batched)] == [
        (option.symbol, "rejected", "Insufficient funds."),
        ("INFY", "complete", "Insufficient funds."),
        ("USDINR19JUNFUT", "rejected", "Insufficient funds."),
        ("SBIN", "cancelled", ""),
    ]
    assert [row["price"] for row in data(batched)] == ["0.05", "812.35", "812.35", "812.35"]
    assert (naive.lookups, naive.queries, batched.queries) == (6, 6, 2)


@of_every_broker
def test_placed_orders_are_in_the_order_book(contract: Path, serve: Serve, broker: str) -> None:
    legs = basket(leg(quantity=5), leg(pricetype="LIMIT", price="812.40", action="SELL"))
    with serve(BrokerAccount(Listing(url_of(contract))), broker) as urls:
        for number, variant in enumerate(VARIANTS, start=1):
            placed = data(ask(urls[variant], "POST", "/basket", legs))
            book = data(ask(urls[variant], "GET", "/orders"))
            assert len(book) == 2 * number
            by_id = {row["order_id"]: row for row in book}
            rows = [by_id[row["order_id"]] for row in placed]
            assert [
                (row["symbol"], row["action"], row["status"], row["quantity"], row["price"])
                for row in rows
            ] == [
                ("SBIN", "BUY", "complete", 5, "0.0"),
                ("SBIN", "SELL", "open", 1, "812.4"),
            ]


@of_every_broker
def test_order_and_position_book_are_the_same_with_every_broker(
    contract: Path, serve: Serve, broker: str
) -> None:
    history = BrokerAccount.with_a_history(url_of(contract))
    [(token,)] = query(
        contract, "SELECT token FROM symtoken WHERE symbol = 'SBIN' AND exchange = 'NSE'"
    )
    rejected = order(instrument_token=int(token))
    account = BrokerAccount(
        Listing(url_of(contract)), history.positions, [*history.orders(), rejected]
    )
    with serve(account) as kite, serve(account, broker) as other:
        for path in ("/orders", "/positions"):
            expected = data(ask(kite["naive"], "GET", path))
            answers = {variant: ask(other[variant], "GET", path) for variant in VARIANTS}
            assert expected
            for answer in answers.values():
                assert list(differences(expected, data(answer), ignoring=["order_id"])) == []
            assert answers["batched"].queries == 1


@pytest.mark.parametrize("book", BROKERS["kite"].books)
def test_each_book_of_kites_takes_one_query(contract: Path, serve: Serve, book: str) -> None:
    history = BrokerAccount.with_a_history(url_of(contract))
    traded = {"trade_id": "1", "fill_timestamp": "2026-08-18 10:15:00"}
    account = BrokerAccount(
        Listing(url_of(contract)),
        history.positions,
        history.orders(),
        day_positions=history.positions,
        trades=[row | traded for row in history.orders()],
        holdings=history.positions,
    )
    with serve(account) as urls:
        naive, batched = (ask(urls[variant], "GET", f"/{book}") for variant in VARIANTS)
    assert list(differences(data(naive), data(batched))) == []
    assert batched.lookups == naive.queries >= len(data(batched)) >= 12
    assert batched.queries == 1


@of_every_broker
def test_nothing_is_asked_for_an_empty_book(contract: Path, serve: Serve, broker: str) -> None:
    with serve(BrokerAccount(Listing(url_of(contract))), broker) as urls:
        for variant in VARIANTS:
            for book in BROKERS[broker].books:
                answer = ask(urls[variant], "GET", f"/{book}")
                assert (data(answer), answer.lookups, answer.queries) == ([], 0, 0)


@of_every_broker
def test_unknown_legs_are_refused_on_their_own(contract: Path, serve: Serve, broker: str) -> None:
    account = BrokerAccount(Listing(url_of(contract)))
    legs = basket(leg(symbol="NOSUCH"), leg(), leg(exchange="NYSE"))
    only_unknown = basket(leg(symbol="NOSUCH"))
    with serve(account, broker) as urls:
        naive, batched = (ask(urls[variant], "POST", "/basket", legs) for variant in VARIANTS)
        none_left = [
            data(ask(urls[variant], "POST", "/basket", only_unknown)) for variant in VARIANTS
        ]
    assert list(differences(data(naive), data(batched), ignoring=["order_id"])) == []
    assert [row["status"] for row in data(batched)] == ["error", "success", "error"]
    assert "no such symbol" in data(batched)[0]["message"]
    assert (naive.queries, batched.queries) == (5, 1)
    assert [row["status"] for rows in none_left for row in rows] == ["error", "error"]
    assert len(account.orders()) == 2


@of_every_broker
def test_unknown_symbols_are_left_out_of_a_subscription(
    contract: Path, serve: Serve, broker: str
) -> None:
    unknown = {"symbol": "NOSUCH", "exchange": "NSE"}
    body = json.dumps({"mode": "full", "symbols": [unknown, {"symbol": "TCS", "exchange": "BSE"}]})
    with serve(BrokerAccount(Listing(url_of(contract))), broker) as urls:
        naive, batched = (
            data(ask(urls[variant], "POST", "/subscription", body)) for variant in VARIANTS
        )
    assert naive == batched
    assert batched["unknown"] == [unknown]
    assert [row["symbol"] for row in batched["instruments"]] == ["TCS"]


def test_requests_that_run_side_by_side_are_counted_apart(
    contract: Path, serve: Serve, operations: dict[str, Operation]
) -> None:
    with (
        serve(BrokerAccount.with_a_history(url_of(contract))) as urls,
        ThreadPoolExecutor(4) as pool,
    ):
        answers = list(pool.map(lambda _: run(urls, operations["/positions"]), range(12)))
    assert {each["naive"].queries for each in answers} == {150}
    assert {each["batched"].queries for each in answers} == {1}
    assert all(data(each["batched"]) == data(answers[0]["naive"]) for each in answers)


# -- what goes wrong


BAD_BASKETS = [
    ("", "JSON object"),
    ("{", "JSON object"),
    ('{"orders": NaN}', "JSON object"),
    ("[]", "JSON object"),
    ("{}", "orders is missing"),
    ('{"orders": []}', "list of 1 to 100"),
    ('{"orders": {"symbol": "SBIN"}}', "list of 1 to 100"),
    ('{"orders": ["SBIN"]}', "orders[0] must be a JSON object"),
    (basket(leg(), leg(symbol=" ")), "orders[1]: symbol"),
    (basket(leg(exchange=None)), "orders[0]: exchange"),
    (basket(leg(quantity=0)), "quantity"),
    (basket(leg(quantity=1.5)), "quantity"),
    (basket(leg(quantity=True)), "quantity"),
    (basket(leg(action="HOLD")), "BUY, SELL"),
    (basket(leg(product=["CNC"])), "CNC, MIS, NRML"),
    (basket(leg(pricetype="LIMIT")), "price is missing"),
    (basket(leg(pricetype="LIMIT", price="cheap")), "'cheap' is no amount"),
    (basket(leg(pricetype="LIMIT", price="NaN")), "no finite amount"),
    (basket(leg(pricetype="LIMIT", price=-0.05)), "above 0"),
]


@pytest.mark.parametrize("variant", VARIANTS)
def test_bad_baskets_are_refused_and_nothing_is_placed(
    contract: Path, serve: Serve, variant: str
) -> None:
    account = BrokerAccount(Listing(url_of(contract)))
    with serve(account) as urls:
        for body, reason in BAD_BASKETS:
            answer = ask(urls[variant], "POST", "/basket", body)
            assert (answer.status, answer.queries) == (400, 0), body
            assert reason in message(answer), body
    assert account.orders() == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_unknown_mode_and_an_unknown_path_are_refused(
    contract: Path, serve: Serve, variant: str
) -> None:
    body = json.dumps({"mode": "all", "symbols": [{"symbol": "TCS", "exchange": "BSE"}]})
    with serve(BrokerAccount(Listing(url_of(contract)))) as urls:
        answer = ask(urls[variant], "POST", "/subscription", body)
        assert (answer.status, message(answer)) == (
            400,
            "The body: mode must be one of ltp, quote, full.",
        )
        assert ask(urls[variant], "GET", "/dividends").status == 404


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_broker_that_is_down_is_a_bad_gateway(
    contract: Path, operations: dict[str, Operation], variant: str
) -> None:
    with socket.socket() as bound_but_deaf, ExitStack() as stack:
        bound_but_deaf.bind(("127.0.0.1", 0))
        broker_url = f"http://127.0.0.1:{bound_but_deaf.getsockname()[1]}"
        url = stack.enter_context(app_serving(url_of(contract), broker_url, MODES[variant]))
        answers = {
            path: ask(url, operation.method, path, operation.body)
            for path, operation in operations.items()
        }
    # An order may have arrived all the same, so that each says for itself what became of it.
    for path in ("/basket", "/split"):
        orders = data(answers.pop(path))
        assert len(orders) == 10
        assert all("The broker cannot be reached" in each["message"] for each in orders)
    for answer in answers.values():
        assert answer.status == 502
        assert "The broker cannot be reached" in message(answer)


class Babbler(BaseHTTPRequestHandler):
    says = "<html>Maintenance</html>"

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.says.encode())

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def babbling_broker() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Babbler) as server:
        server.daemon_threads = False
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_broker_that_sends_no_json_is_a_bad_gateway(contract: Path, babbling_broker: str) -> None:
    with app_serving(url_of(contract), babbling_broker) as url:
        answer = ask(url, "GET", "/positions")
    assert answer.status == 502
    assert "not readable" in message(answer)


def test_rows_that_lack_a_field_are_a_bad_gateway(contract: Path, serve: Serve) -> None:
    row = position()
    del row["last_price"]
    with serve(BrokerAccount(Listing(url_of(contract)), [position(), row])) as urls:
        answer = ask(urls["batched"], "GET", "/positions")
    assert answer.status == 502
    assert message(answer) == "Row 1 of the broker's /portfolio/positions has no last_price."


NESTED_ROW: Row = {
    "instrument": {"id": 7},
    "product": "MIS",
    "quantity": {"net": 1, "multiplier": 1},
    "price": {"average": 1, "last": 1},
    "value": {"bought": 1, "sold": 1},
}


BAD_ANSWERS = [
    ("/positions", [], "The broker's answer is no object."),
    ("/positions", {}, "The broker refused: it gave no reason"),
    ("/positions", {"problem": {"detail": "Closed."}}, "The broker refused: Closed."),
    ("/positions", {"data": {"net": None}}, "The broker's /book/positions has no rows."),
    (
        "/positions",
        {"data": {"net": {"rows": [NESTED_ROW]}}},
        "Row 0 of the broker's /book/positions, instrument, has no segment.",
    ),
    (
        "/orders",
        {"data": {"orders": {"17": "gone"}}},
        "Row 17 of the broker's /book/orders is no object.",
    ),
]


def test_nested_answers_that_lack_something_are_a_bad_gateway(
    contract: Path, babbling_broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app_serving(url_of(contract), babbling_broker, broker="wicker") as url:
        for path, says, reason in BAD_ANSWERS:
            monkeypatch.setattr(Babbler, "says", json.dumps(says))
            answer = ask(url, "GET", path)
            assert (answer.status, message(answer)) == (502, reason)


@of_every_broker
def test_the_brokers_refusals_are_passed_on(
    other_contract: Path, serve: Serve, operations: dict[str, Operation], broker: str
) -> None:
    with serve(BrokerAccount(Listing(url_of(other_contract))), broker) as urls:
        for answer in run(urls, operations["/basket"]).values():
            results = data(answer)
            assert {row["status"] for row in results} == {"error"}
            assert all("has another token" in row["message"] for row in results)
        for answer in run(urls, operations["/subscription"]).values():
            assert answer.status == 502
            assert "No instrument has the token" in message(answer)


@pytest.mark.parametrize(
    "setting",
    [
        {"DATALOADERS_MODE": "magic"},
        {"TRADING_BROKER": "nobody"},
        {"TRADING_BROKER_URL": "ftp://broker"},
    ],
)
def test_settings_that_cannot_be_are_refused(setting: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="must be"):
        create_app({"TRADING_DATABASE_URI": "sqlite://", **setting})
