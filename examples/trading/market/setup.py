"""Gives the application its market."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .endpoints import market
from .feed import PriceFeed
from .kite import Kite
from .loaders import EXTENSION, Market
from .sources import History, Quotes
from .streaming import add_stream

if TYPE_CHECKING:
    from flask import Flask

    from flask_dataloaders import DataLoaders


def add_market(app: Flask, loaders: DataLoaders) -> None:
    """Adds the endpoints, and what they ask.

    Args:
        app: The application; `TRADING_MARKET_URL` and `TRADING_MARKET_ACCOUNT` are set.
        loaders: Its extension, which knows the symbols.
    """
    url, account = app.config["TRADING_MARKET_URL"], app.config["TRADING_MARKET_ACCOUNT"]
    with app.app_context():
        master = loaders.master
    kite, feed = Kite(url), PriceFeed(url, account, master)
    app.extensions[EXTENSION] = Market(kite, Quotes(kite, master), History(kite), feed, account)
    app.register_blueprint(market)
    add_stream(app, feed)
