"""Books of Quasar: the ledger's rows and the report's frames."""

import pandas as pd
from sqlalchemy import select

from tests.lookahead.brokers.quasar.ledger import VENUES, Order
from tests.lookahead.token_db import get_oa_symbol, get_symbol


def order_book(orders):
    """Detached rows of the ledger."""
    book = []
    for order in orders:
        order.code = order.symbol or order.code or "-"
        book.append((str(order.id), order.code, order.exchange, order.state.lower()))
    return book


def rename_in_ledger(ledger):
    """Writes the application's names into the ledger; gives back what is there then."""
    with ledger.open() as session:
        for order in session.scalars(select(Order).order_by(Order.id)).all():
            order.venue = VENUES.get(order.venue, order.venue)
            try:
                order.code = get_symbol(order.token, order.venue) or order.code.strip()
            except AttributeError:
                order.state = "BROKEN"
        session.commit()
        return [
            tuple(row)
            for row in session.execute(
                select(Order.id, Order.code, Order.venue, Order.state).order_by(Order.id)
            )
        ]


def position_frame(frame):
    """Renames the codes of a copy of the positions frame, and values the rows."""

    def symbol(row):
        exchange = VENUES.get(row["venue"])
        return get_oa_symbol(row["code"], exchange) or row["code"] if row["code"] else ""

    frame = frame.copy()
    frame["code"] = frame.apply(symbol, axis=1)
    frame["value"] = (frame["net"] * frame["ltp"]).round(2)
    return frame[frame["net"] != 0][["code", "net", "value"]].to_dict("records")


def trade_frame(frame):
    trades = []
    for index, row in frame.iterrows():
        exchange = VENUES.get(row["venue"], "NSE")
        if (name := get_symbol(row["token"], exchange)) is None:
            continue
        frame.at[index, "token"] = name
        trades.append({"symbol": name, "exchange": exchange, "quantity": int(row["quantity"])})
    return trades


def holdings(frame, extra=()):
    """Holdings of the depository's frame; the exchange is not told, so both are tried."""
    worth = {}
    for row in frame.itertuples(index=False):
        name = get_symbol(row.token, "NSE") or get_symbol(row.token, "BSE")
        if name:
            worth[name] = worth.get(name, 0.0) + float(row.quantity * row.price)
    for name, value in extra:
        worth[name] = worth.get(name, 0.0) + value
    return {name: round(value, 2) for name, value in worth.items()}


def by_name(frame):
    """Net quantities by symbol, over all venues."""
    names = [
        get_oa_symbol(brsymbol=code, exchange=VENUES[venue]) if code else None
        for code, venue in zip(frame["code"], frame["venue"], strict=True)
    ]
    net = frame["net"].groupby(pd.Series(names, index=frame.index).fillna("?")).sum()
    return {str(name): int(quantity) for name, quantity in net.items()}


def pending_for(ledger, symbol):
    """Ids of a symbol's pending orders, newest first."""
    with ledger.open() as session:
        pending = session.query(Order).filter(Order.state == "PENDING")
        return [o.id for o in pending.order_by(Order.id.desc()) if o.symbol == symbol]
