"""What clients are shown of the market."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataloaders.remote import Aged


def show_quote(symbol: str, exchange: str, quote: Aged[dict[str, Any]] | None) -> dict[str, Any]:
    """Returns a quote as clients see it; `age` is in seconds, and without a quote there is none."""
    if quote is None:
        return {"symbol": symbol, "exchange": exchange, "quote": None}
    broker = quote.value
    return {
        "symbol": symbol,
        "exchange": exchange,
        "quote": {
            "ltp": broker["last_price"],
            "volume": broker["volume"],
            "ohlc": broker["ohlc"],
            "timestamp": broker["timestamp"],
            "age": round(quote.age, 3),
        },
    }
