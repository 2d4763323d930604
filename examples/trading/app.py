"""The application: its endpoints, which broker it trades with, and which way it looks symbols up.

Configuration, in `create_app`'s argument or the environment:

`TRADING_DATABASE_URI`: SQLAlchemy's URL of the database with the master contract.
`TRADING_POOL_SIZE`: How many connections to it a process may have; by default SQLAlchemy's 15.
`TRADING_BROKER`: Whose payloads the broker's are: `kite`, `ordinal` or `wicker`.
`TRADING_BROKER_URL`: Where the broker is; `memory:` for one in this very process.
`DATALOADERS_MODE`: `naive`, a query for each lookup by functions of the application's own, or one
    of the library's modes: `on`, `shadow`, `off`.
`TRADING_MARKET_URL`: Where market data comes from, of a broker with limits; without it there are no
    endpoints for them. They take the library, and what the extra `example` installs.
`TRADING_MARKET_ACCOUNT`: `api_key:access_token` of requests without an account of their own.
`TRADING_METRICS`: `on` for `/metrics`. It takes the library, and the extra `prometheus`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from flask import Flask
from sqlalchemy import create_engine
from werkzeug.exceptions import HTTPException

from flask_dataloaders import DataLoaders

from .broker_side.account import BrokerAccount
from .brokers.client import BrokerClient
from .brokers.errors import BrokerError
from .brokers.registry import BROKERS
from .brokers.transports import HttpTransport, MemoryTransport
from .endpoints import add_endpoints
from .exact_json import ExactJSONProvider
from .lookups import EXTENSION, batched
from .lookups.naive import NaiveLookups
from .metering import report_costs
from .pages import add_pages
from .requests import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Engine

    from dataloaders.observe import Listener

    from .brokers.base import BaseBroker
    from .brokers.transports import Transport
    from .lookups.variants import Lookups

Answer = dict[str, object]

MODE: Final = "DATALOADERS_MODE"
NAIVE: Final = "naive"

_ENGINE = "trading_engine"
_LOADERS = "trading_loaders"
_MARKET = "trading_market"
_DEFAULTS = {
    "TRADING_DATABASE_URI": "sqlite:///var/trading.db",
    "TRADING_POOL_SIZE": "",
    "TRADING_BROKER": "kite",
    "TRADING_BROKER_URL": "http://127.0.0.1:8801",
    "TRADING_MARKET_URL": "",
    "TRADING_MARKET_ACCOUNT": "demo:token",
    "TRADING_METRICS": "off",
}


def create_app(
    config: Mapping[str, object] | None = None, transport: Transport | None = None
) -> Flask:
    """Makes the application.

    Args:
        config: Settings, which have priority over those of the environment.
        transport: The way to the broker, in place of `TRADING_BROKER_URL`.

    Raises:
        ValueError: A setting of the broker's or the lookups' is not what it has to be.
    """
    app = Flask(__name__)
    app.json = ExactJSONProvider(app)
    app.config.from_mapping({name: os.environ.get(name, _DEFAULTS[name]) for name in _DEFAULTS})
    app.config.from_mapping(config)
    client = BrokerClient(transport or _way_to_the_broker(app), _broker(app))
    engine = create_engine(app.config["TRADING_DATABASE_URI"], **_pool_options(app))
    app.extensions[_ENGINE] = engine
    app.extensions[EXTENSION] = _lookups(app, engine)
    report_costs(app, engine)
    add_endpoints(app, client, engine)
    add_pages(app, client)
    if app.config["TRADING_MARKET_URL"]:
        if _LOADERS not in app.extensions:
            raise ValueError("TRADING_MARKET_URL takes the library: its lookups cannot be naive.")
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


def _pool_options(app: Flask) -> dict[str, int]:
    size = app.config["TRADING_POOL_SIZE"]
    return {"pool_size": int(size), "max_overflow": 0} if size else {}


def _way_to_the_broker(app: Flask) -> Transport:
    url = app.config["TRADING_BROKER_URL"]
    if url == "memory:":
        account = BrokerAccount.with_a_history(app.config["TRADING_DATABASE_URI"])
        return MemoryTransport(account)
    return HttpTransport(url)


def _broker(app: Flask) -> BaseBroker:
    name = app.config["TRADING_BROKER"]
    if name not in BROKERS:
        raise ValueError(f"TRADING_BROKER must be one of {', '.join(BROKERS)}, and not {name!r}.")
    return BROKERS[name]


def _lookups(app: Flask, engine: Engine) -> Lookups:
    if app.config.get(MODE, os.environ.get(MODE)) == NAIVE:
        naive = NaiveLookups(engine)
        app.teardown_appcontext(naive.close_sessions)
        return naive
    app.extensions[_LOADERS] = DataLoaders(app, engine=engine, listeners=_listeners(app))
    return batched


def _listeners(app: Flask) -> list[Listener]:
    if app.config["TRADING_METRICS"] != "on":
        return []
    from .metrics import show_metrics  # noqa: PLC0415 - its library is an extra

    return [show_metrics(app)]


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


def _failure(message: str) -> Answer:
    return {"status": "error", "message": message}
