"""Wicker's own side: an account's rows in its terms, and its orders out of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from examples.trading.broker_account import OrderRefusedError
from examples.trading.brokers.api import Api

from .segments import EXCHANGES, SEGMENTS

if TYPE_CHECKING:
    from examples.trading.broker_account import BrokerAccount, Row

    from .payloads import Instrument, WickerNewOrder, WickerOrder, WickerPosition


def _positions(account: BrokerAccount, _document: None) -> object:
    return {"net": {"rows": [_position(row) for row in account.positions]}}


def _position(row: Row) -> WickerPosition:
    return {
        "instrument": _instrument(row),
        "product": row["product"],
        "quantity": {"net": row["quantity"], "multiplier": row["multiplier"]},
        "price": {"average": row["average_price"], "last": row["last_price"]},
        "value": {"bought": row["buy_value"], "sold": row["sell_value"]},
    }


def _orders(account: BrokerAccount, _document: None) -> object:
    return {"orders": {row["order_id"]: _order(row) for row in account.orders()}}


def _order(row: Row) -> WickerOrder:
    return {
        "instrument": _instrument(row),
        "terms": {
            "side": row["transaction_type"],
            "kind": row["order_type"],
            "product": row["product"],
            "quantity": row["quantity"],
            "price": row["price"],
        },
        "state": {
            "name": row["status"],
            "reason": row["status_message"],
            "since": row["order_timestamp"],
            "filled": row["filled_quantity"],
            "average": row["average_price"],
        },
    }


def _instrument(row: Row) -> Instrument:
    exchange: str = row["exchange"]
    return {"id": row["instrument_token"], "segment": SEGMENTS.get(exchange, exchange)}


def _place(account: BrokerAccount, document: list[WickerNewOrder]) -> object:
    return [_placement(account, order) for order in document]


def _placement(account: BrokerAccount, order: WickerNewOrder) -> dict[str, object]:
    try:
        return _success({"order": {"id": account.place(_order_to_place(order))}})
    except OrderRefusedError as error:
        return _failure(str(error))


def _order_to_place(order: WickerNewOrder) -> Row:
    instrument, terms = order["instrument"], order["terms"]
    return {
        "tradingsymbol": order["label"],
        "exchange": EXCHANGES.get(instrument["segment"], instrument["segment"]),
        "instrument_token": instrument["id"],
        "transaction_type": terms["side"],
        "order_type": terms["kind"],
        "product": terms["product"],
        "validity": "DAY",
        "quantity": terms["quantity"],
        "price": terms["price"],
    }


def _subscribe(account: BrokerAccount, document: dict[str, Any]) -> object:
    modes = document["subscribe"]
    account.check_tokens(each["id"] for instruments in modes.values() for each in instruments)
    return modes


def _success(data: object) -> dict[str, object]:
    return {"data": data}


def _failure(message: str) -> dict[str, object]:
    return {"problem": {"detail": message}}


API: Final = Api(
    routes={
        ("GET", "/book/orders"): _orders,
        ("GET", "/book/positions"): _positions,
        ("POST", "/book/orders/new"): _place,
        ("POST", "/feed"): _subscribe,
    },
    success=_success,
    failure=_failure,
)
