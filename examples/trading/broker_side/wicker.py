"""Wicker's own side: an account's rows in its terms, and its orders out of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from examples.trading.brokers.wicker.segments import EXCHANGES, SEGMENTS

from .api import Api
from .prices import candles, close_paise, last_paise, rupees_of, volume

if TYPE_CHECKING:
    from examples.trading.brokers.wicker.payloads import (
        Instrument,
        WickerHolding,
        WickerNewOrder,
        WickerOrder,
        WickerPosition,
        WickerTrade,
    )

    from .account import BrokerAccount, Row
    from .api import Asked


def _positions(account: BrokerAccount, _asked: Asked) -> object:
    return {"net": {"rows": [_position(row) for row in account.positions]}}


def _position(row: Row) -> WickerPosition:
    return {
        "instrument": _instrument(row),
        "product": row["product"],
        "quantity": {"net": row["quantity"], "multiplier": row["multiplier"]},
        "price": {"average": row["average_price"], "last": row["last_price"]},
        "value": {"bought": row["buy_value"], "sold": row["sell_value"]},
    }


def _orders(account: BrokerAccount, _asked: Asked) -> object:
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


def _trades(account: BrokerAccount, _asked: Asked) -> object:
    return {"trades": [_trade(row) for row in account.trades()]}


def _trade(row: Row) -> WickerTrade:
    return {
        "id": row["trade_id"],
        "instrument_key": _key(_instrument(row)),
        "order": {
            "id": row["order_id"],
            "side": row["transaction_type"],
            "product": row["product"],
        },
        "at": row["fill_timestamp"],
        "quantity": row["quantity"],
        "price": row["average_price"],
    }


def _holdings(account: BrokerAccount, _asked: Asked) -> object:
    return {"rows": [_holding(row) for row in account.holdings]}


def _holding(row: Row) -> WickerHolding:
    return {
        "listings": [_instrument(row)],
        "product": row["product"],
        "quantity": row["quantity"],
        "price": {"average": row["average_price"], "last": row["last_price"]},
        "profit": row["pnl"],
    }


def _key(instrument: Instrument) -> str:
    return f"{instrument['segment']}|{instrument['id']}"


def _place(account: BrokerAccount, asked: Asked) -> object:
    return {"order": {"id": account.place(_order_to_place(asked.document))}}


def _margin(account: BrokerAccount, asked: Asked) -> object:
    total = account.margin_of([_order_to_place(order) for order in asked.document])
    return {"required": {"amount": rupees_of(total)}}


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


def _quotes(account: BrokerAccount, asked: Asked) -> object:
    wanted: list[Instrument] = asked.document["instruments"]
    return {
        "quotes": {
            _key(each): _quote(each["id"])
            for each in wanted
            if account.listing.has_token(each["id"])
        }
    }


def _quote(token: int) -> object:
    return {
        "last": rupees_of(last_paise(token)),
        "close": rupees_of(close_paise(token)),
        "volume": volume(token),
    }


def _candles(account: BrokerAccount, asked: Asked) -> object:
    token = asked.document["instrument"]["id"]
    account.listing.check_tokens([token])
    span = (asked.document["from"], asked.document["to"])
    found = {}
    for time, *prices, traded in candles(token, asked.document["each"], *span):
        names = ("open", "high", "low", "close")
        amounts = dict(zip(names, map(rupees_of, prices), strict=True))
        found[time] = amounts | {"volume": traded}
    return {"candles": found}


def _subscribe(account: BrokerAccount, asked: Asked) -> object:
    modes = asked.document["subscribe"]
    account.listing.check_tokens(
        each["id"] for instruments in modes.values() for each in instruments
    )
    return modes


def _success(data: object) -> dict[str, object]:
    return {"data": data}


def _failure(message: str) -> dict[str, object]:
    return {"problem": {"detail": message}}


API: Final = Api(
    routes={
        ("GET", "/book/orders"): _orders,
        ("GET", "/book/trades"): _trades,
        ("GET", "/book/positions"): _positions,
        ("GET", "/book/holdings"): _holdings,
        ("POST", "/book/orders/new"): _place,
        ("POST", "/book/margin"): _margin,
        ("POST", "/market/quotes"): _quotes,
        ("POST", "/market/candles"): _candles,
        ("POST", "/feed"): _subscribe,
    },
    success=_success,
    failure=_failure,
)
