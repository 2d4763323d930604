"""Helpers that the loops of test_shapes call: lookups some frames down, in another module."""

from __future__ import annotations

from typing import Any, TypeAlias

Api: TypeAlias = Any
Row: TypeAlias = Any


def to_position(api: Api, row: Row) -> dict[str, Any]:
    return {"symbol": api.get_oa_symbol(row["code"], row["exchange"]), "quantity": row["quantity"]}


def position_of(api: Api, row: Row) -> dict[str, Any]:
    return {"symbol": api.get_oa_symbol(row.code, row.exchange), "quantity": row.quantity}


def token_or_none(api: Api, symbol: str, exchange: str) -> str | None:
    """A lookup that knows nothing of any row, three frames down."""
    try:
        return _checked(api, symbol, exchange)
    except LookupError:
        return None


def _checked(api: Api, symbol: str, exchange: str) -> str:
    token = _ask(api, symbol, exchange)
    if token is None:
        raise LookupError(symbol)
    return token


def _ask(api: Api, symbol: str, exchange: str) -> str | None:
    found: str | None = api.get_token(symbol=symbol.strip(), exchange=exchange)
    return found
