"""Prices, from Ordinal's terms into the application's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from examples.trading.brokers.base import BaseMarketData, Question
from examples.trading.brokers.subscription import Subscription
from examples.trading.lookups import get_brexchange, get_symbol_info, get_token
from examples.trading.money import rupees
from examples.trading.shown import Candle, Prices

from .segments import CODES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from examples.trading.brokers.base import Listed
    from examples.trading.requests import Period, WantedSymbol


class OrdinalMarketData(BaseMarketData):
    """Ordinal's quotes, candles and subscriptions."""

    feed_path = "/fd"

    def subscription_to(self, wanted: Sequence[WantedSymbol], mode: str) -> Subscription:
        """Returns the subscription: its message is `{"md": "full", "in": {segment: […]}}`."""
        tokens: dict[int, list[int]] = {}
        subscription = Subscription({"md": mode, "in": tokens})
        for each in wanted:
            info = get_symbol_info(each.symbol, each.exchange)
            token = get_token(each.symbol, each.exchange)
            if info is None or token is None:
                subscription.leave_out(each)
                continue
            exchange = get_brexchange(each.symbol, each.exchange) or each.exchange
            segment = CODES.get(exchange, 0)
            tokens.setdefault(segment, []).append(int(token))
            subscription.add(each, token, segment, info)
        return subscription

    def ask_for_quotes(self, instruments: Sequence[Listed]) -> Question:
        """Returns the question: `[{"tk": …, "sg": …}, …]`."""
        asked = [{"tk": each.token, "sg": str(_segment(each))} for each in instruments]
        return Question("POST", "/qt", asked)

    def read_quotes(self, answer: Any, instruments: Sequence[Listed]) -> list[Prices | None]:  # noqa: ANN401 - JSON
        """An answer is `[{"tk": …, "sg": …, "lp": …, "cl": …, "vo": …}, …]`, in any order."""
        quotes = {(str(quote["tk"]), int(quote["sg"])): quote for quote in answer}
        found = [quotes.get((each.token, _segment(each))) for each in instruments]
        return [None if quote is None else _prices(quote) for quote in found]

    def ask_for_candles(self, instrument: Listed, period: Period) -> Question:
        """Returns the question: `{"tk": …, "iv": "5minute", "fr": …, "to": …}`."""
        asked = {
            "tk": instrument.token,
            "iv": period.interval,
            "fr": period.start,
            "to": period.end,
        }
        return Question("POST", "/cd", asked)

    def read_candles(self, answer: Any) -> list[Candle]:  # noqa: ANN401 - JSON
        """An answer is `[{"tm": …, "px": "open high low close", "vo": "…"}, …]`."""
        candles = []
        for row in answer:
            opened, highest, lowest, closed = map(rupees, row["px"].split())
            candles.append(Candle(row["tm"], opened, highest, lowest, closed, int(row["vo"])))
        return candles


def _segment(instrument: Listed) -> int:
    return CODES.get(instrument.brexchange, 0)


def _prices(quote: dict[str, Any]) -> Prices:
    return Prices(rupees(quote["lp"]), rupees(quote["cl"]), int(quote["vo"]))
