"""The example's books as pages."""

from __future__ import annotations

from decimal import Decimal
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from examples.trading.app import close_app, create_app
from examples.trading.broker_side.account import BrokerAccount
from examples.trading.broker_side.listing import Listing
from examples.trading.broker_side.server import BrokerServer, running
from examples.trading.brokers.registry import BROKERS
from tests.examples.contracts import MODES, url_of
from tests.examples.test_trading import order, query

if TYPE_CHECKING:
    from pathlib import Path

    from werkzeug.test import TestResponse

BOOKS = [(broker, book) for broker, ways in BROKERS.items() for book in ways.books]


class Cells(HTMLParser):
    """The texts of a page's table, row by row."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._is_in_cell = False
        self.feed(page)

    def handle_starttag(self, tag: str, _attributes: object) -> None:
        if tag == "tr":
            self.rows.append([])
        self._is_in_cell = tag in {"td", "th"}
        if self._is_in_cell:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._is_in_cell = self._is_in_cell and tag not in {"td", "th"}

    def handle_data(self, data: str) -> None:
        if self._is_in_cell:
            self.rows[-1][-1] += data


def shown_by(contract: Path, url: str, broker: str, path: str) -> dict[str, TestResponse]:
    """What each variant shows."""
    answers = {}
    for variant, mode in MODES.items():
        settings = {"TRADING_BROKER_URL": url, "TRADING_BROKER": broker}
        if mode is not None:
            settings["DATALOADERS_MODE"] = mode
        app = create_app({"TRADING_DATABASE_URI": url_of(contract), **settings})
        answers[variant] = app.test_client().get(path)
        close_app(app)
    return answers


@pytest.mark.parametrize(("broker", "book"), BOOKS)
def test_each_book_has_a_page_that_takes_one_query(contract: Path, broker: str, book: str) -> None:
    answers = shown_by(contract, "memory:", broker, f"/pages/{book}")
    naive, batched = answers["naive"], answers["batched"]
    assert naive.status_code == batched.status_code == 200
    assert naive.text == batched.text
    assert naive.headers["X-Queries"] == naive.headers["X-Lookups"]
    assert batched.headers["X-Queries"] == "1"
    heading, *rows = Cells(batched.text).rows
    assert len(rows) >= 12
    listed = query(contract, "SELECT symbol, exchange, lotsize FROM symtoken")
    lot_of = {(symbol, exchange): lotsize for symbol, exchange, lotsize in listed}
    for cells in rows[: -1 if "pnl" in heading else None]:
        row = dict(zip(heading, cells, strict=True))
        lotsize = lot_of[row["symbol"], row["exchange"]]
        assert Decimal(row["lots"]) == Decimal(row["quantity"]) / lotsize
    if "pnl" in heading:
        column = heading.index("pnl")
        amounts = [Decimal(cells[column]) for cells in rows]
        assert sum(amounts[:-1]) == amounts[-1]


def test_what_the_broker_wrote_is_text(contract: Path) -> None:
    hostile = "<script>alert('x')</script>"
    account = BrokerAccount(Listing(url_of(contract)), orders=[order(status_message=hostile)])
    with running(BrokerServer(account)) as url:
        answers = shown_by(contract, url, "kite", "/pages/orders")
    for answer in answers.values():
        assert hostile not in answer.text
        assert hostile in Cells(answer.text).rows[1]


def test_an_empty_book_and_a_broker_that_is_down_are_pages_too(contract: Path) -> None:
    with running(BrokerServer(BrokerAccount(Listing(url_of(contract))))) as url:
        for answer in shown_by(contract, url, "kite", "/pages/holdings").values():
            assert (answer.status_code, Cells(answer.text).rows) == (200, [])
            assert "There are none." in answer.text
    for answer in shown_by(contract, url, "kite", "/pages/holdings").values():
        assert answer.status_code == 502
        assert "The broker cannot be reached" in answer.text
