"""What every way of looking symbols up has to offer."""

from __future__ import annotations

from typing import Protocol


class SymbolInfo(Protocol):
    """What the application reads of a symbol's row."""

    @property
    def name(self) -> str | None:
        """The company or the underlying."""

    @property
    def expiry(self) -> str | None:
        """The day on which it ends, or an empty text."""

    @property
    def instrumenttype(self) -> str | None:
        """EQ, FUT, CE, PE, …."""

    @property
    def lotsize(self) -> int | None:
        """The units in one lot."""

    @property
    def tick_size(self) -> float | None:
        """The least price step in rupees."""


class Lookups(Protocol):
    """The six lookups, each for one symbol."""

    def get_token(self, symbol: str, exchange: str) -> str | None:
        """Returns the broker's token of a symbol."""

    def get_symbol(self, token: str | int, exchange: str) -> str | None:
        """Returns the symbol with a token."""

    def get_br_symbol(self, symbol: str, exchange: str) -> str | None:
        """Returns the broker's name of a symbol."""

    def get_oa_symbol(self, brsymbol: str, exchange: str) -> str | None:
        """Returns the application's name of a broker's symbol."""

    def get_brexchange(self, symbol: str, exchange: str) -> str | None:
        """Returns the broker's name of a symbol's exchange."""

    def get_symbol_info(self, symbol: str, exchange: str) -> SymbolInfo | None:
        """Returns all that is known of a symbol."""
