"""Kite Connect's calls for market data, as its documentation has them, one method for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from examples.trading import exact_json

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT = 5.0  # seconds that the broker may be silent


class UnreadableAnswerError(Exception):
    """The broker answered, and not with what it is documented to."""


class Kite:
    """Calls Kite Connect. Threads may share it.

    Args:
        url: Where it is.
    """

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=TIMEOUT)

    def close(self) -> None:
        """Closes its connections."""
        self._client.close()

    def quotes(self, instruments: Sequence[str], account: str) -> dict[str, Any]:
        """Returns the quotes of instruments by their names; of one that it does not know, none.

        Args:
            instruments: Their names, as `NSE:INFY`, 500 at most.
            account: `api_key:access_token`.

        Raises:
            httpx.HTTPError: The broker cannot be reached, or refuses.
            UnreadableAnswerError: Its answer has no quotes.
        """
        return self._ask("/quote", {"i": list(instruments)}, account)

    def candles(
        self, token: str, interval: str, start: str, end: str, account: str
    ) -> list[list[Any]]:
        """Returns an instrument's candles: time, open, high, low, close and volume of each.

        Args:
            token: The instrument.
            interval: `minute`, `5minute`, …, `day`.
            start: From when on, as `2026-08-18 09:15:00`.
            end: Until when.
            account: As for `quotes`.

        Raises:
            httpx.HTTPError: As `quotes`.
            UnreadableAnswerError: Its answer has no candles.
        """
        path = f"/instruments/historical/{token}/{interval}"
        candles = self._ask(path, {"from": start, "to": end}, account).get("candles")
        if not isinstance(candles, list):
            raise UnreadableAnswerError(f"The broker's {path} has no candles.")
        return candles

    def _ask(self, path: str, parameters: dict[str, Any], account: str) -> dict[str, Any]:
        headers = {"X-Kite-Version": "3", "Authorization": f"token {account}"}
        response = self._client.get(path, params=parameters, headers=headers)
        response.raise_for_status()
        try:
            document = exact_json.loads(response.content)
        except ValueError as error:
            raise UnreadableAnswerError(f"The broker's {path} is no JSON: {error}.") from error
        data = document.get("data") if isinstance(document, dict) else None
        if not isinstance(data, dict):
            raise UnreadableAnswerError(f"The broker's {path} has no data.")
        return data
