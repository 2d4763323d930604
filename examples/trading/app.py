"""The application: its endpoints, which broker it trades with, and which way it looks symbols up.

Configuration, in `create_app`'s argument or the environment:

`TRADING_DATABASE_URI`: SQLAlchemy's URL of the database with the master contract.
`TRADING_BROKER`: Whose payloads the broker's are: `kite`, `ordinal` or `wicker`.
`TRADING_BROKER_URL`: Where the broker is.
`TRADING_LOOKUPS`: `naive`, a query for each lookup, or `batched`, through the library.
`TRADING_MARKET_URL`: Where market data comes from, of a broker with limits; without it there are no
    endpoints for them. They take `batched` lookups, and what the extra `example` installs.
`TRADING_MARKET_ACCOUNT`: `api_key:access_token` of requests without an account of their own.
`TRADING_METRICS`: `on` for `/metrics`. It takes `batched` lookups, and the extra `prometheus`.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from flask import Flask, request
from sqlalchemy import create_engine
from werkzeug.exceptions import HTTPException

from flask_dataloaders import DataLoaders

from .brokers.client import BrokerClient
from .brokers.errors import BrokerError
from .brokers.registry import BROKERS
from .exact_json import ExactJSONProvider
from .lookups import EXTENSION, batched
from .lookups.naive import NaiveLookups
from .metering import report_costs
from .requests import InvalidRequestError, parse_basket, parse_subscription
from .services.basket import place_basket
from .services.books import show_book
from .services.live_prices import subscribe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Engine

    from dataloaders.observe import Listener

    from .brokers.broker import Book, Broker
    from .lookups.variants import Lookups

Answer = dict[str, object]

_ENGINE = "trading_engine"
_LOADERS = "trading_loaders"
_MARKET = "trading_market"
_DEFAULTS = {
    "TRADING_DATABASE_URI": "sqlite:///var/trading.db",
    "TRADING_BROKER": "kite",
    "TRADING_BROKER_URL": "http://127.0.0.1:8801",
    "TRADING_LOOKUPS": "batched",
    "TRADING_MARKET_URL": "",
    "TRADING_MARKET_ACCOUNT": "demo:token",
    "TRADING_METRICS": "off",
}


def create_app(config: Mapping[str, object] | None = None) -> Flask:
    """Makes the application.

    Args:
        config: Settings, which have priority over those of the environment.

    Raises:
        ValueError: A setting of the broker's or the lookups' is not what it has to be.
    """
    app = Flask(__name__)
    app.json = ExactJSONProvider(app)
    app.config.from_mapping({name: os.environ.get(name, _DEFAULTS[name]) for name in _DEFAULTS})
    app.config.from_mapping(config)
    client = BrokerClient(app.config["TRADING_BROKER_URL"], _broker(app))
    engine = create_engine(app.config["TRADING_DATABASE_URI"])
    app.extensions[_ENGINE] = engine
    app.extensions[EXTENSION] = _lookups(app, engine)
    report_costs(app, engine)
    _add_endpoints(app, client)
    if app.config["TRADING_MARKET_URL"]:
        from .market.setup import add_market  # noqa: PLC0415 - its libraries are an extra

        add_market(app, app.extensions[_LOADERS])
    _add_error_answers(app)
    return app


def close_app(app: Flask) -> None:
    """Closes the application's connections to the database and to the market."""
    market = app.extensions.get(_MARKET)
    if market is not None:
        market.close()
    app.extensions[_ENGINE].dispose()


def _broker(app: Flask) -> Broker:
    name = app.config["TRADING_BROKER"]
    if name not in BROKERS:
        raise ValueError(f"TRADING_BROKER must be one of {', '.join(BROKERS)}, and not {name!r}.")
    return BROKERS[name]


def _lookups(app: Flask, engine: Engine) -> Lookups:
    variant = app.config["TRADING_LOOKUPS"]
    if variant == "naive":
        naive = NaiveLookups(engine)
        app.teardown_appcontext(naive.close_session)
        return naive
    if variant == "batched":
        app.extensions[_LOADERS] = DataLoaders(app, engine=engine, listeners=_listeners(app))
        return batched
    raise ValueError(f"TRADING_LOOKUPS must be naive or batched, and not {variant!r}.")


def _listeners(app: Flask) -> list[Listener]:
    if app.config["TRADING_METRICS"] != "on":
        return []
    from .metrics import show_metrics  # noqa: PLC0415 - its library is an extra

    return [show_metrics(app)]


def _add_endpoints(app: Flask, client: BrokerClient) -> None:
    def _show(book: Book) -> Answer:
        return _success(show_book(client, book))

    for name, book in client.broker.books.items():
        app.add_url_rule(f"/{name}", name, partial(_show, book))

    @app.post("/basket")
    def _place_basket() -> Answer:
        legs = parse_basket(request.get_json(silent=True))
        return _success(place_basket(client, legs))

    @app.post("/subscription")
    def _subscribe() -> Answer:
        mode, wanted = parse_subscription(request.get_json(silent=True))
        return _success(subscribe(client, wanted, mode))


def _add_error_answers(app: Flask) -> None:
    @app.errorhandler(InvalidRequestError)
    def _bad_request(error: InvalidRequestError) -> tuple[Answer, int]:
        return _failure(str(error)), 400

    @app.errorhandler(BrokerError)
    def _bad_gateway(error: BrokerError) -> tuple[Answer, int]:
        return _failure(str(error)), 502

    @app.errorhandler(HTTPException)
    def _http_error(error: HTTPException) -> tuple[Answer, int]:
        return _failure(error.description or error.name), error.code or 500


def _success(data: object) -> Answer:
    return {"status": "success", "data": data}


def _failure(message: str) -> Answer:
    return {"status": "error", "message": message}
