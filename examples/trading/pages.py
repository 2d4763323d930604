"""The books as pages, one for each."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Blueprint, render_template

from .brokers.errors import BrokerError
from .lookups import get_symbol_info
from .services.books import show_book

if TYPE_CHECKING:
    from flask import Flask

    from .brokers.base import Book
    from .brokers.client import BrokerClient

_SUMMED = ("pnl",)
_NUMBERS = (int, Decimal)


def add_pages(app: Flask, client: BrokerClient) -> None:
    """Adds `/pages/…`, a page for each book of the broker."""
    pages = Blueprint("pages", __name__, url_prefix="/pages")
    pages.add_app_template_global(_lots_of, "lots_of")
    pages.add_app_template_test(_is_number, "amount")

    def _show(name: str, book: Book) -> str:
        rows: list[Any] = [*show_book(client, book)]
        columns = [field.name for field in fields(rows[0])] if rows else []
        sums = {
            name: sum(getattr(row, name) for row in rows) for name in _SUMMED if name in columns
        }
        return render_template(
            "book.html", name=name, books=client.broker.books, columns=columns, rows=rows, sums=sums
        )

    for name, book in client.broker.books.items():
        endpoint = name.replace("/", "_")
        pages.add_url_rule(f"/{name}", endpoint, partial(_show, name, book))

    @pages.errorhandler(BrokerError)
    def _bad_gateway(error: BrokerError) -> tuple[str, int]:
        return render_template("failed.html", books=client.broker.books, error=error), 502

    app.register_blueprint(pages)


def _lots_of(row: Any) -> str:  # noqa: ANN401 - any book's
    """Returns how many lots a row's quantity is, as a template asks for each of its rows."""
    info = get_symbol_info(row.symbol, row.exchange)
    if info is None or not info.lotsize:
        return ""
    return f"{Decimal(row.quantity) / info.lotsize:.3g}"


def _is_number(value: object) -> bool:
    return isinstance(value, _NUMBERS)
