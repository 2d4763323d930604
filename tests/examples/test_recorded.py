"""Kite Connect's own samples of its responses, which may lie beside the project, but not in it.

They are of other years than the contract beside them, so it lacks many of their symbols.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from sqlalchemy import create_engine

from dataloaders.symbols import import_contract
from examples.trading.broker_side.account import BrokerAccount
from examples.trading.broker_side.listing import Listing
from examples.trading.brokers.registry import BROKERS
from examples.trading.comparison import differences
from examples.trading.serving import Answer, ask
from tests.examples.contracts import url_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    Serve = Callable[..., AbstractContextManager[dict[str, str]]]

DATA = Path(__file__).parents[3] / "shared" / "data"
RESPONSES = DATA / "kite_responses"

pytestmark = pytest.mark.skipif(
    not RESPONSES.is_dir(), reason="Kite's sample responses are not beside the project"
)


def recorded(name: str) -> Any:  # noqa: ANN401 - JSON
    return json.loads((RESPONSES / f"{name}.json").read_bytes())["data"]


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with Kite's contract, in place of a generated one: `serve` takes it too."""
    database = tmp_path_factory.mktemp("kite") / "trading.db"
    engine = create_engine(url_of(database))
    import_contract(engine, DATA / "kite_instruments.csv.gz")
    engine.dispose()
    return database


@pytest.fixture
def account(contract: Path) -> BrokerAccount:
    positions = recorded("positions")
    return BrokerAccount(
        Listing(url_of(contract)),
        positions["net"],
        recorded("orders"),
        day_positions=positions["day"],
        trades=recorded("trades"),
        holdings=recorded("holdings"),
    )


def rows(answer: Answer) -> Any:  # noqa: ANN401 - JSON
    assert isinstance(answer.document, dict)
    assert answer.status == 200, answer.document
    return answer.document["data"]


class Shown(NamedTuple):
    broker: str
    book: str
    symbols: str
    lookups: int
    queries: int = 1


BOOKS = [
    # What has no symbol by its name is asked for by its token: that is a query of its own.
    Shown(
        "kite",
        "orders",
        "USDINR21JUNFUT IOC IOC SBIN GOLDPETAL21JUNFUT GOLDPETAL21JUNFUT BHEL SBIN TATASTEEL"
        " NIFTY2580724400CE",
        lookups=14,
        queries=2,
    ),
    Shown("kite", "trades", "SBIN USDINR21JUNFUT GOLDPETAL21JUNFUT GOLDPETAL21JUNFUT", 7, 2),
    Shown("kite", "holdings", "AARON SBIN", 3, 2),
    Shown("kite", "positions", "LEADMINI17DECFUT GOLDGUINEA17DECFUT SBIN", 5),
    Shown("kite", "positions/day", "GOLDGUINEA17DECFUT LEADMINI17DECFUT SBIN", 5),
    *(
        shown
        for broker in ("ordinal", "wicker")
        for shown in (
            Shown(
                broker,
                "orders",
                "412675 IOC IOC SBIN 58424839 58424839 BHEL SBIN TATASTEEL 10189826",
                10,
            ),
            Shown(broker, "positions", "53496327 53505799 SBIN", 5),
        )
    ),
]


@pytest.mark.parametrize("shown", BOOKS, ids=lambda shown: f"{shown.broker}-{shown.book}")
def test_books_of_recorded_rows_are_shown(
    account: BrokerAccount, serve: Serve, shown: Shown
) -> None:
    with serve(account, shown.broker) as urls:
        naive, batched = (ask(urls[variant], "GET", f"/{shown.book}") for variant in urls)
    assert " ".join(row["symbol"] for row in rows(batched)) == shown.symbols
    assert list(differences(naive.document, batched.document)) == []
    assert (naive.lookups, naive.queries) == (shown.lookups, shown.lookups)
    assert (batched.lookups, batched.queries) == (shown.lookups, shown.queries)


@pytest.mark.parametrize("broker", BROKERS)
def test_amounts_of_recorded_rows_are_exact(
    account: BrokerAccount, serve: Serve, broker: str
) -> None:
    with serve(account, broker) as urls:
        orders, positions = (
            rows(ask(urls["batched"], "GET", path)) for path in ("/orders", "/positions")
        )
    assert [row["price"] for row in orders] == [str(row["price"]) for row in recorded("orders")]
    assert [row["pnl"] for row in positions] == ["0.00", "801.00", "-2.00"]
