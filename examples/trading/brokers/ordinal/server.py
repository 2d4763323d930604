"""Ordinal's own side: an account's rows in its terms, and its orders out of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from examples.trading.broker_account import OrderRefusedError
from examples.trading.brokers.api import Api

from .segments import CODES, EXCHANGES

if TYPE_CHECKING:
    from examples.trading.broker_account import BrokerAccount, Row

    from .payloads import OrdinalNewOrder, OrdinalOrder, OrdinalPosition


def _positions(account: BrokerAccount, _document: None) -> list[OrdinalPosition]:
    return [
        {
            "tk": row["instrument_token"],
            "sg": str(CODES.get(row["exchange"], 0)),
            "pr": row["product"],
            "qy": str(row["quantity"]),
            "ml": str(row["multiplier"]),
            "ap": str(row["average_price"]),
            "lp": str(row["last_price"]),
            "bv": str(row["buy_value"]),
            "sv": str(row["sell_value"]),
        }
        for row in account.positions
    ]


def _orders(account: BrokerAccount, _document: None) -> list[OrdinalOrder]:
    return [
        {
            "no": int(row["order_id"]),
            "tk": str(row["instrument_token"]),
            "sg": CODES.get(row["exchange"], 0),
            "bs": row["transaction_type"],
            "ty": row["order_type"],
            "pr": row["product"],
            "st": row["status"],
            "ms": row["status_message"] or "",
            "tm": row["order_timestamp"],
            "qy": str(row["quantity"]),
            "fq": str(row["filled_quantity"]),
            "px": str(row["price"]),
            "ap": str(row["average_price"]),
        }
        for row in account.orders()
    ]


def _place(account: BrokerAccount, document: list[OrdinalNewOrder]) -> object:
    return [_placement(account, order) for order in document]


def _placement(account: BrokerAccount, order: OrdinalNewOrder) -> dict[str, object]:
    try:
        return _success(int(account.place(_order(order))))
    except OrderRefusedError as error:
        return _failure(str(error))


def _order(order: OrdinalNewOrder) -> Row:
    return {
        "tradingsymbol": order["nm"],
        "exchange": EXCHANGES[order["sg"]],
        "instrument_token": order["tk"],
        "transaction_type": order["bs"],
        "order_type": order["ty"],
        "product": order["pr"],
        "validity": "DAY",
        "quantity": int(order["qy"]),
        "price": order["px"],
    }


def _subscribe(account: BrokerAccount, document: dict[str, Any]) -> object:
    account.check_tokens(token for tokens in document["in"].values() for token in tokens)
    return document


def _success(result: object) -> dict[str, object]:
    return {"rc": 0, "rs": result}


def _failure(message: str) -> dict[str, object]:
    return {"rc": 400, "ms": message}


API: Final = Api(
    routes={
        ("GET", "/ob"): _orders,
        ("GET", "/pb"): _positions,
        ("POST", "/no"): _place,
        ("POST", "/fd"): _subscribe,
    },
    success=_success,
    failure=_failure,
)
