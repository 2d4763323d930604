"""Prices, from Wicker's terms into the application's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from examples.trading.brokers.base import BaseMarketData, Question
from examples.trading.brokers.subscription import Subscription
from examples.trading.lookups import get_symbol_info
from examples.trading.money import rupees
from examples.trading.shown import Candle, Prices

from .instruments import find_instrument, instrument_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from examples.trading.brokers.base import Listed
    from examples.trading.requests import Period, WantedSymbol

    from .payloads import Instrument


class WickerMarketData(BaseMarketData):
    """Wicker's quotes, candles and subscriptions."""

    feed_path = "/feed"

    def subscription_to(self, wanted: Sequence[WantedSymbol], mode: str) -> Subscription:
        """Returns the subscription: `{"subscribe": {"full": [instrument, …]}}` is its message."""
        instruments: list[Instrument] = []
        subscription = Subscription({"subscribe": {mode: instruments}})
        for each in wanted:
            instrument = find_instrument(each.symbol, each.exchange)
            info = get_symbol_info(each.symbol, each.exchange)
            if instrument is None or info is None:
                subscription.leave_out(each)
                continue
            instruments.append(instrument)
            subscription.add(each, str(instrument["id"]), instrument["segment"], info)
        return subscription

    def ask_for_quotes(self, instruments: Sequence[Listed]) -> Question:
        """Returns the question: `{"instruments": [instrument, …]}`."""
        asked = [instrument_of(each.token, each.brexchange) for each in instruments]
        return Question("POST", "/market/quotes", {"instruments": asked})

    def read_quotes(self, answer: Any, instruments: Sequence[Listed]) -> list[Prices | None]:  # noqa: ANN401 - JSON
        """An answer is `{"quotes": {"NSE_EQ|1594": {…}, …}}`."""
        quotes = answer["quotes"]
        found = [quotes.get(_name(each)) for each in instruments]
        return [None if quote is None else _prices(quote) for quote in found]

    def ask_for_candles(self, instrument: Listed, period: Period) -> Question:
        """Returns the question: `{"instrument": …, "each": "5minute", "from": …, "to": …}`."""
        asked = {
            "instrument": instrument_of(instrument.token, instrument.brexchange),
            "each": period.interval,
            "from": period.start,
            "to": period.end,
        }
        return Question("POST", "/market/candles", asked)

    def read_candles(self, answer: Any) -> list[Candle]:  # noqa: ANN401 - JSON
        """An answer is `{"candles": {time: {"open": …, "high": …, …}, …}}`."""
        return [
            Candle(
                time,
                rupees(row["open"]),
                rupees(row["high"]),
                rupees(row["low"]),
                rupees(row["close"]),
                row["volume"],
            )
            for time, row in answer["candles"].items()
        ]


def _name(instrument: Listed) -> str:
    at = instrument_of(instrument.token, instrument.brexchange)
    return f"{at['segment']}|{at['id']}"


def _prices(quote: dict[str, Any]) -> Prices:
    return Prices(rupees(quote["last"]), rupees(quote["close"]), quote["volume"])
