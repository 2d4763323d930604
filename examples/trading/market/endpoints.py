"""The endpoints: each is a plain loop, or less."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
from flask import Blueprint, current_app, request

from examples.trading.lookups import get_token
from examples.trading.requests import InvalidRequestError, parse_symbols

from .kite import UnreadableAnswerError
from .loaders import HistoryLoader, QuoteLoader
from .option_chain import option_chain
from .shown import show_quote
from .sources import HistoryKey

if TYPE_CHECKING:
    Answer = dict[str, Any]

market = Blueprint("market", __name__)


@market.get("/quote/<exchange>/<symbol>")
def show_one(exchange: str, symbol: str) -> Answer:
    """Shows one quote."""
    return _success(show_quote(symbol, exchange, QuoteLoader.current().get((symbol, exchange))))


@market.post("/multiquotes")
def show_many() -> Answer:
    """Shows the quotes of some symbols."""
    shown = []
    for wanted in parse_symbols(request.get_json(silent=True)):
        quote = QuoteLoader.current().get((wanted.symbol, wanted.exchange))
        shown.append(show_quote(wanted.symbol, wanted.exchange, quote))
    return _success(shown)


@market.post("/async/multiquotes")
async def show_many_async() -> Answer:
    """The same in an async view, which has an event loop of its own."""
    quotes = QuoteLoader.current()
    wanted = parse_symbols(request.get_json(silent=True))
    loaded = await asyncio.gather(*[quotes.load((each.symbol, each.exchange)) for each in wanted])
    return _success(
        [
            show_quote(each.symbol, each.exchange, quote)
            for each, quote in zip(wanted, loaded, strict=True)
        ]
    )


@market.get("/optionchain/<exchange>/<underlying>/<expiry>")
def show_chain(exchange: str, underlying: str, expiry: str) -> Answer:
    """Shows an option chain."""
    engine = current_app.extensions["trading_engine"]
    return _success(option_chain(engine, underlying, exchange, expiry))


@market.get("/history/<exchange>/<symbol>/<interval>")
def show_history(exchange: str, symbol: str, interval: str) -> Answer:
    """Shows candles; `from` and `to` say of when, as `2026-08-18 09:15:00`."""
    token = get_token(symbol, exchange)
    if token is None:
        raise InvalidRequestError(f"There is no symbol {symbol} on {exchange}.")
    start, end = request.args.get("from", ""), request.args.get("to", "")
    candles = HistoryLoader.current().get(HistoryKey(token, interval, start, end))
    return _success(candles)


@market.app_errorhandler(httpx.HTTPError)
@market.app_errorhandler(UnreadableAnswerError)
def _bad_gateway(error: Exception) -> tuple[Answer, int]:
    return {"status": "error", "message": f"The broker: {error}"}, 502


@market.app_errorhandler(TimeoutError)
def _too_late(error: TimeoutError) -> tuple[Answer, int]:
    return {"status": "error", "message": str(error)}, 504


def _success(data: object) -> Answer:
    return {"status": "success", "data": data}
