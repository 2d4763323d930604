"""Generators over Rigel's answers."""

from itertools import chain, groupby, islice

from pydantic import TypeAdapter

from tests.lookahead.brokers.rigel.schema import (
    BOARDS,
    OrderIn,
    PositionIn,
    TradeIn,
    board_and_code,
)
from tests.lookahead.token_db import get_oa_symbol, get_symbol

TRADES = TypeAdapter(list[TradeIn])


def pages(http, path):
    """All rows of a paged resource, page after page."""
    cursor = 0
    while cursor is not None:
        page = http.get(path, cursor)
        yield from page["rows"]
        cursor = page["next"]


def named(rows):
    for row in rows:
        exchange, code = board_and_code(row["scrip"] or "")
        if exchange and (symbol := get_oa_symbol(code, exchange)):
            row["scrip"] = symbol
            yield symbol, exchange, row


def order_book(payload):
    try:
        orders = [OrderIn.model_validate(row) for row in payload["orders"]]
        for order in orders:
            order.scrip = order.symbol
    except ValueError as error:
        return [str(error)]
    return [order.model_dump(include={"ref", "scrip", "state"}) for order in orders]


def trade_book(payload):
    return [trade.model_dump() for trade in TRADES.validate_python(payload["trades"])]


def positions(payload):
    """The models' computed fields do the translation while they are dumped."""
    models = [PositionIn(**row) for row in payload["positions"]]
    return [row for row in (model.model_dump() for model in models) if row["symbol"] and row["net"]]


def holdings(payload, top=None):
    """Sorted by the application's symbol, unknown ones last."""
    rows = sorted(
        payload["holdings"],
        key=lambda row: (get_symbol(token=row["scripId"], exchange="NSE") or "~", row["isin"]),
    )
    return [row["isin"] for row in islice(rows, top)]


def open_orders(http):
    """Symbols with open orders, of all pages of the order history."""
    return sorted(
        {
            symbol
            for symbol, _, row in named(pages(http, "orders"))
            if row["state"] in {"open", "partial"}
        }
    )


def net_by_exchange(payload):
    rows = chain(payload["intraday"], payload["carried"])
    ordered = sorted(
        ((exchange, symbol, row["net"]) for symbol, exchange, row in named(list(rows))),
    )
    return {
        exchange: {
            symbol: sum(net for *_, net in same)
            for symbol, same in groupby(group, key=lambda item: item[1])
        }
        for exchange, group in groupby(ordered, key=lambda item: item[0])
    }


def find_position(payload, symbol, exchange):
    return next(
        (
            row["net"]
            for found, board, row in named(payload["carried"])
            if found == symbol and board == exchange
        ),
        0,
    )


def rename(rows):
    """Strips the board off the scrip in place, and puts the exchange beside it."""
    for row in rows:
        if not row.get("scrip"):
            continue
        row["exchange"] = BOARDS[row["scrip"][:3]]
        row["scrip"] = row["scrip"].split(".", 1)[1]
        try:
            row["scrip"] = get_oa_symbol(row["scrip"], row["exchange"]).upper()
        except AttributeError:
            row["unknown"] = True
    return rows
