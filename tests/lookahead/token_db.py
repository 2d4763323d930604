"""The lookups as the broker plug-ins of `brokers` import them; a test chooses who answers."""

from __future__ import annotations

from typing import Any

_answering: list[Any] = []


def answer_with(lookups: object) -> None:
    """Has every lookup answered by `lookups`, in all threads."""
    _answering[:] = [lookups]


def get_token(symbol: Any, exchange: Any) -> Any:  # noqa: ANN401 - broker code passes anything
    """Returns the broker's token (text) of a symbol, or None."""
    return _answering[0].get_token(symbol, exchange)


def get_symbol(token: Any, exchange: Any) -> Any:  # noqa: ANN401 - broker code passes anything
    """Returns the symbol with a token, or None."""
    return _answering[0].get_symbol(token, exchange)


def get_br_symbol(symbol: Any, exchange: Any) -> Any:  # noqa: ANN401 - broker code passes anything
    """Returns the broker's name of a symbol, or None."""
    return _answering[0].get_br_symbol(symbol, exchange)


def get_oa_symbol(brsymbol: Any, exchange: Any) -> Any:  # noqa: ANN401 - broker code passes anything
    """Returns the application's name of a broker's symbol, or None."""
    return _answering[0].get_oa_symbol(brsymbol, exchange)


def get_brexchange(symbol: Any, exchange: Any) -> Any:  # noqa: ANN401 - broker code passes anything
    """Returns the broker's name of a symbol's exchange, or None."""
    return _answering[0].get_brexchange(symbol, exchange)


def get_symbol_info(symbol: Any, exchange: Any) -> Any:  # noqa: ANN401 - broker code passes anything
    """Returns the row of a symbol (an object with its columns as attributes), or None."""
    return _answering[0].get_symbol_info(symbol, exchange)
