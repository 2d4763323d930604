"""Ordinal's own side: an account's rows in its terms, and its orders out of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from examples.trading.brokers.ordinal.segments import CODES, EXCHANGES

from .api import Api
from .prices import candles, close_paise, last_paise, rupees_of, volume

if TYPE_CHECKING:
    from examples.trading.brokers.ordinal.payloads import (
        OrdinalHolding,
        OrdinalNewOrder,
        OrdinalOrder,
        OrdinalPosition,
        OrdinalTrade,
    )

    from .account import BrokerAccount, Row
    from .api import Asked


def _positions(account: BrokerAccount, _asked: Asked) -> list[OrdinalPosition]:
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


def _orders(account: BrokerAccount, _asked: Asked) -> list[OrdinalOrder]:
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


def _trades(account: BrokerAccount, _asked: Asked) -> list[OrdinalTrade]:
    return [
        {
            "tn": number,
            "no": int(row["order_id"]),
            "it": f"{CODES.get(row['exchange'], 0)}:{row['instrument_token']}",
            "bs": row["transaction_type"],
            "pr": row["product"],
            "tm": row["fill_timestamp"],
            "qy": str(row["quantity"]),
            "ap": str(row["average_price"]),
        }
        for number, row in enumerate(account.trades(), start=1)
    ]


def _holdings(account: BrokerAccount, _asked: Asked) -> list[OrdinalHolding]:
    return [
        {
            "tk": row["instrument_token"],
            "pr": row["product"],
            "qy": str(row["quantity"]),
            "ap": str(row["average_price"]),
            "lp": str(row["last_price"]),
            "pl": str(row["pnl"]),
        }
        for row in account.holdings
    ]


def _place(account: BrokerAccount, asked: Asked) -> object:
    return int(account.place(_order(asked.document)))


def _margin(account: BrokerAccount, asked: Asked) -> object:
    total = account.margin_of([_order(order) for order in asked.document])
    return {"mg": str(rupees_of(total))}


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


def _quotes(account: BrokerAccount, asked: Asked) -> object:
    return [
        {
            "tk": int(each["tk"]),
            "sg": each["sg"],
            "lp": str(rupees_of(last_paise(int(each["tk"])))),
            "cl": str(rupees_of(close_paise(int(each["tk"])))),
            "vo": str(volume(int(each["tk"]))),
        }
        for each in asked.document
        if account.listing.has_token(each["tk"])
    ]


def _candles(account: BrokerAccount, asked: Asked) -> object:
    token = asked.document["tk"]
    account.listing.check_tokens([token])
    span = (asked.document["fr"], asked.document["to"])
    return [
        {"tm": time, "px": " ".join(str(rupees_of(price)) for price in prices), "vo": str(traded)}
        for time, *prices, traded in candles(int(token), asked.document["iv"], *span)
    ]


def _subscribe(account: BrokerAccount, asked: Asked) -> object:
    wanted = asked.document["in"]
    account.listing.check_tokens(token for tokens in wanted.values() for token in tokens)
    return asked.document


def _success(result: object) -> dict[str, object]:
    return {"rc": 0, "rs": result}


def _failure(message: str) -> dict[str, object]:
    return {"rc": 400, "ms": message}


API: Final = Api(
    routes={
        ("GET", "/ob"): _orders,
        ("GET", "/tb"): _trades,
        ("GET", "/pb"): _positions,
        ("GET", "/hb"): _holdings,
        ("POST", "/no"): _place,
        ("POST", "/mg"): _margin,
        ("POST", "/qt"): _quotes,
        ("POST", "/cd"): _candles,
        ("POST", "/fd"): _subscribe,
    },
    success=_success,
    failure=_failure,
)
