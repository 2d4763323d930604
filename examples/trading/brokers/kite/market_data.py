"""Prices, from Kite's terms into the application's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from examples.trading.brokers.base import BaseMarketData, Question
from examples.trading.brokers.subscription import Subscription
from examples.trading.lookups import get_brexchange, get_symbol_info, get_token
from examples.trading.money import rupees
from examples.trading.shown import Candle, Prices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from examples.trading.brokers.base import Listed
    from examples.trading.requests import Period, WantedSymbol


class KiteMarketData(BaseMarketData):
    """Kite's quotes, candles and subscriptions."""

    feed_path = "/ticker/subscriptions"

    def subscription_to(self, wanted: Sequence[WantedSymbol], mode: str) -> Subscription:
        """Returns the subscription: `{"a": "mode", "v": ["full", [token, …]]}` is its message."""
        tokens: list[int] = []
        subscription = Subscription({"a": "mode", "v": (mode, tokens)})
        for each in wanted:
            token = get_token(each.symbol, each.exchange)
            info = get_symbol_info(each.symbol, each.exchange)
            if token is None or info is None:
                subscription.leave_out(each)
                continue
            tokens.append(int(token))
            segment = get_brexchange(each.symbol, each.exchange) or each.exchange
            subscription.add(each, token, segment, info)
        return subscription

    def ask_for_quotes(self, instruments: Sequence[Listed]) -> Question:
        """Returns the question: `/quote?i=NSE:INFY&i=…`."""
        names = [("i", _name(each)) for each in instruments]
        return Question("GET", f"/quote?{urlencode(names)}")

    def read_quotes(self, answer: Any, instruments: Sequence[Listed]) -> list[Prices | None]:  # noqa: ANN401 - JSON
        """An answer is `{"NSE:INFY": {…}, …}`."""
        quotes = [answer.get(_name(each)) for each in instruments]
        return [None if quote is None else _prices(quote) for quote in quotes]

    def ask_for_candles(self, instrument: Listed, period: Period) -> Question:
        """Returns the question: `/instruments/historical/TOKEN/INTERVAL?from=…&to=…`."""
        span = urlencode({"from": period.start, "to": period.end})
        path = f"/instruments/historical/{instrument.token}/{period.interval}"
        return Question("GET", f"{path}?{span}")

    def read_candles(self, answer: Any) -> list[Candle]:  # noqa: ANN401 - JSON
        """An answer is `{"candles": [[time, open, high, low, close, volume], …]}`."""
        candles = []
        for time, *prices, traded in answer["candles"]:
            opened, highest, lowest, closed = map(rupees, prices)
            candles.append(Candle(time, opened, highest, lowest, closed, traded))
        return candles


def _name(instrument: Listed) -> str:
    return f"{instrument.brexchange}:{instrument.brsymbol}"


def _prices(quote: dict[str, Any]) -> Prices:
    return Prices(
        ltp=rupees(quote["last_price"]),
        previous_close=rupees(quote["ohlc"]["close"]),
        volume=quote["volume"],
    )
