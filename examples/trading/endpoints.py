"""The endpoints: each reads what a client sent, and hands it to a service."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from flask import request

from .requests import (
    parse_basket,
    parse_history,
    parse_split,
    parse_subscription,
    parse_symbols,
)
from .services.analytics import analyse
from .services.basket import place_basket
from .services.books import show_book
from .services.history import show_history
from .services.live_prices import subscribe
from .services.margin import show_margin
from .services.option_chain import show_chain
from .services.quotes import show_quotes
from .services.split_order import place_slices

if TYPE_CHECKING:
    from flask import Flask
    from sqlalchemy import Engine

    from .brokers.base import Book
    from .brokers.client import BrokerClient

    Answer = dict[str, object]


def add_endpoints(app: Flask, client: BrokerClient, engine: Engine) -> None:
    """Adds the endpoints.

    Args:
        app: The application.
        client: Asks the broker.
        engine: The database of the master contract.
    """
    _add_books(app, client)
    _add_orders(app, client)
    _add_prices(app, client, engine)


def _add_books(app: Flask, client: BrokerClient) -> None:
    def _show(book: Book) -> Answer:
        return _success(show_book(client, book))

    for name, book in client.broker.books.items():
        app.add_url_rule(f"/{name}", name, partial(_show, book))


def _add_orders(app: Flask, client: BrokerClient) -> None:
    @app.post("/basket")
    def _place_basket() -> Answer:
        return _success(place_basket(client, parse_basket(_document())))

    @app.post("/split")
    def _place_slices() -> Answer:
        return _success(place_slices(client, parse_split(_document())))

    @app.post("/margin")
    def _show_margin() -> Answer:
        return _success(show_margin(client, parse_basket(_document())))


def _add_prices(app: Flask, client: BrokerClient, engine: Engine) -> None:
    @app.post("/subscription")
    def _subscribe() -> Answer:
        mode, wanted = parse_subscription(_document())
        return _success(subscribe(client, wanted, mode))

    @app.post("/quotes")
    def _show_quotes() -> Answer:
        return _success(show_quotes(client, parse_symbols(_document())))

    @app.post("/history")
    def _show_history() -> Answer:
        period, wanted = parse_history(_document())
        return _success(show_history(client, wanted, period))

    @app.get("/options/<exchange>/<underlying>/<expiry>")
    def _show_chain(exchange: str, underlying: str, expiry: str) -> Answer:
        return _success(show_chain(client, engine, underlying, exchange, expiry))

    @app.post("/analytics")
    def _analyse() -> Answer:
        return _success(analyse(client, parse_symbols(_document())))


def _document() -> object:
    return request.get_json(silent=True)


def _success(data: object) -> Answer:
    return {"status": "success", "data": data}
