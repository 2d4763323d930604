"""What the broker may be asked for at once, and how often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

from dataloaders.remote import SPLIT, Judgement, Rate, RemoteSource

from .kite import UnreadableAnswerError

if TYPE_CHECKING:
    from dataloaders.symbols import SymbolMaster

    from .kite import Kite

_TEMPORARY = (OSError, httpx.TransportError, UnreadableAnswerError)
_BAD_REQUEST = 400


class HistoryKey(NamedTuple):
    """Candles of one instrument; see `Kite.candles`."""

    token: str
    interval: str
    start: str
    end: str


class Quotes(RemoteSource):
    """Quotes by (symbol, exchange): 500 in a call, a call a second.

    Args:
        kite: The broker.
        master: Knows what the broker calls a symbol.
    """

    max_batch_size = 500
    max_age = 0.5
    repeatable = True
    temporary = _TEMPORARY
    timeout = 10.0
    max_wait = 15.0

    def __init__(self, kite: Kite, master: SymbolMaster) -> None:
        self._kite = kite
        self._master = master
        self.rates = (Rate(1, 1.0),)

    def fetch(self, keys: list[tuple[str, str]], account: Any) -> dict[tuple[str, str], Any]:  # noqa: ANN401 - a source's
        """Makes one call, and one query for what the broker calls the symbols."""
        records = self._master.symbols.get_many(keys)
        names = {
            key: f"{record.brexchange}:{record.brsymbol}"
            for key, record in zip(keys, records, strict=True)
            if record is not None
        }
        quotes = self._kite.quotes(list(names.values()), account) if names else {}
        return {key: quotes[name] for key, name in names.items() if name in quotes}

    def judge(self, error: Exception) -> Judgement:
        """A call that is refused as such has a name in it that the broker does not want."""
        if isinstance(error, httpx.HTTPStatusError) and error.response.status_code == _BAD_REQUEST:
            return SPLIT
        return super().judge(error)


class History(RemoteSource):
    """Candles, of one instrument in a call, three calls a second.

    Args:
        kite: The broker.
    """

    max_batch_size = 1
    repeatable = True
    temporary = _TEMPORARY
    timeout = 10.0
    max_wait = 30.0

    def __init__(self, kite: Kite) -> None:
        self._kite = kite
        self.rates = (Rate(3, 1.0),)

    def fetch(self, keys: list[HistoryKey], account: Any) -> dict[HistoryKey, Any]:  # noqa: ANN401 - a source's
        """Makes one call."""
        return {key: self._kite.candles(*key, account) for key in keys}
