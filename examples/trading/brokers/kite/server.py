"""Kite's own side: an account is kept in its terms, so that nothing is to be translated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from examples.trading.broker_account import OrderRefusedError
from examples.trading.brokers.api import Api

if TYPE_CHECKING:
    from examples.trading.broker_account import BrokerAccount


def _positions(account: BrokerAccount, _document: None) -> object:
    return {"net": account.positions, "day": account.day_positions}


def _place(account: BrokerAccount, document: list[dict[str, Any]]) -> object:
    return [_placement(account, order) for order in document]


def _placement(account: BrokerAccount, order: dict[str, Any]) -> object:
    try:
        return {"order_id": account.place(order)}
    except OrderRefusedError as error:
        return {"error": {"code": 400, "error_type": "InputException", "message": str(error)}}


def _subscribe(account: BrokerAccount, document: dict[str, Any]) -> object:
    mode, tokens = document["v"] if document.get("a") == "mode" else ("", [])
    account.check_tokens(tokens)
    return {"mode": mode, "tokens": tokens}


def _success(data: object) -> dict[str, object]:
    return {"status": "success", "data": data}


def _failure(message: str) -> dict[str, object]:
    return {"status": "error", "error_type": "InputException", "message": message, "data": None}


API: Final = Api(
    routes={
        ("GET", "/orders"): lambda account, _document: account.orders(),
        ("GET", "/trades"): lambda account, _document: account.trades,
        ("GET", "/portfolio/positions"): _positions,
        ("GET", "/portfolio/holdings"): lambda account, _document: account.holdings,
        ("GET", "/quote"): lambda account, _document: account.quotes,
        ("POST", "/orders/basket"): _place,
        ("POST", "/ticker/subscriptions"): _subscribe,
    },
    success=_success,
    failure=_failure,
)
