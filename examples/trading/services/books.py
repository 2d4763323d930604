"""Shows a broker's books: orders, positions and what else it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from examples.trading.brokers.base import Book
    from examples.trading.brokers.client import BrokerClient


def show_book(client: BrokerClient, book: Book) -> Sequence[object]:
    """Returns a book's rows, under the application's symbols."""
    return book.translate(client.rows(book))
