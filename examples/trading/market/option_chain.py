"""An option chain: the calls and puts on one underlying that end on one day, by their strikes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from examples.trading.services.option_chain import options_on

from .loaders import QuoteLoader
from .shown import show_quote

if TYPE_CHECKING:
    from sqlalchemy import Engine


def option_chain(engine: Engine, underlying: str, exchange: str, expiry: str) -> list[Any]:
    """Returns each strike with its call and its put, the lowest first.

    Args:
        engine: The database of the contract.
        underlying: The name of what they are on, `NIFTY` say.
        exchange: Where they are traded.
        expiry: The day on which they end, as `27-AUG-26`.
    """
    strikes: dict[float, dict[str, Any]] = {}
    quotes = QuoteLoader.current()
    for option in options_on(engine, underlying, exchange, expiry):
        quote = quotes.get((option.symbol, option.exchange))
        strike = strikes.setdefault(option.strike, {"strike": option.strike})
        strike[option.instrumenttype] = show_quote(option.symbol, option.exchange, quote)
    return list(strikes.values())
