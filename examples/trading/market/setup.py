"""Gives the application its market."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .endpoints import market
from .kite import Kite
from .loaders import EXTENSION, Market
from .sources import History, Quotes

if TYPE_CHECKING:
    from flask import Flask

    from flask_dataloaders import DataLoaders


def add_market(app: Flask, loaders: DataLoaders) -> None:
    """Adds the endpoints, and what they ask.

    Args:
        app: The application; `TRADING_MARKET_URL` and `TRADING_MARKET_ACCOUNT` are set.
        loaders: Its extension, which knows the symbols.
    """
    kite = Kite(app.config["TRADING_MARKET_URL"])
    with app.app_context():
        quotes = Quotes(kite, loaders.master)
    account = app.config["TRADING_MARKET_ACCOUNT"]
    app.extensions[EXTENSION] = Market(kite, quotes, History(kite), account)
    app.register_blueprint(market)
