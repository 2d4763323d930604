"""The loaders that the application asks for quotes and candles, one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import current_app, request

from dataloaders.remote import Aged, RemoteLoader

from .sources import HistoryKey

if TYPE_CHECKING:
    from .feed import PriceFeed
    from .kite import Kite
    from .sources import History, Quotes

EXTENSION = "trading_market"
"""Where `current_app.extensions` has the market."""

ACCOUNT_HEADER = "X-Broker-Account"


@dataclass(frozen=True, slots=True)
class Market:
    """What the application knows of the broker's market data.

    Attributes:
        kite: The broker.
        quotes: Its quotes.
        history: Its candles.
        feed: Its prices as they come.
        account: `api_key:access_token` of requests that bring no account of their own.
    """

    kite: Kite
    quotes: Quotes
    history: History
    feed: PriceFeed
    account: str

    def account_here(self) -> str:
        """Returns the account of the request that is being served."""
        return request.headers.get(ACCOUNT_HEADER, self.account)

    def close(self) -> None:
        """Answers who has asked, and closes the connections."""
        self.feed.close()
        self.quotes.close()
        self.history.close()
        self.kite.close()


def current_market() -> Market:
    """Returns the current application's market."""
    market: Market = current_app.extensions[EXTENSION]
    return market


class QuoteLoader(RemoteLoader[tuple[str, str], Aged[dict[str, Any]] | None]):
    """Quotes by (symbol, exchange); a loop's other rows go along."""

    lookahead = "on"

    def __init__(self) -> None:
        market = current_market()
        super().__init__(market.account_here(), source=market.quotes)


class HistoryLoader(RemoteLoader[HistoryKey, list[list[Any]]]):
    """Candles."""

    def __init__(self) -> None:
        market = current_market()
        super().__init__(market.account_here(), source=market.history)
