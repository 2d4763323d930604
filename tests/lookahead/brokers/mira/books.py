"""Order book, trade book, positions and holdings of Mira."""

from collections import defaultdict
from itertools import chain

from tests.lookahead.brokers.mira.codes import (
    PRODUCTS,
    SEGMENTS,
    SIDES,
    bare,
    display_symbol,
    exchange_of,
)
from tests.lookahead.token_db import get_oa_symbol, get_symbol


def map_order_book(payload):
    """Rewrites the broker's rows in place, as the order book page shows them."""
    orders = payload.get("data") or []
    try:
        for order in orders:
            exchange = SEGMENTS.get(order["seg"], order["seg"])
            order["exchange"] = exchange
            if order["trdSym"]:
                symbol = get_oa_symbol(brsymbol=bare(order["trdSym"]), exchange=exchange)
                if symbol:
                    order["trdSym"] = symbol
            order["side"] = SIDES.get(order["side"], order["side"])
            order["product"] = PRODUCTS.get(order.pop("prd"), "MIS")
    except KeyError as error:
        return {"status": "error", "message": f"incomplete order: {error}"}
    return orders


def map_trade_book(payload):
    return [
        {
            "symbol": symbol,
            "exchange": exchange_of(fill),
            "action": SIDES[fill["side"]],
            "value": round(int(fill["qty"]) * float(fill["prc"]), 2),
        }
        for fill in payload["data"]
        if (symbol := display_symbol(fill))
    ]


def map_positions(payload):
    merged = []
    for kind, pos in chain(
        (("net", p) for p in payload["net"]), (("day", p) for p in payload["day"])
    ):
        try:
            pos["seg"] = SEGMENTS[pos["seg"]]
            pos["trdSym"] = get_symbol(pos["scripId"], pos["seg"]) or pos["trdSym"]
        except KeyError:
            continue
        merged.append((kind, pos["trdSym"], pos["seg"], pos["netQty"]))
    return merged


def map_holdings(payload):
    """Holdings know a security by both exchanges' numbers, either may be missing."""
    return {
        isin: {
            "symbol": (
                get_symbol(token=row.get("nseId"), exchange="NSE")
                or get_symbol(token=row.get("bseId"), exchange="BSE")
                or isin
            ),
            "quantity": int(row["qty"]),
            "pnl": round((row["ltp"] - row["avg"]) * int(row["qty"]), 2),
        }
        for isin, row in payload["holdings"].items()
    }


def find_open_position(payload, symbol, exchange, product):
    return next(
        (
            str(pos["netQty"])
            for pos in payload["net"]
            if exchange_of(pos) == exchange
            and get_oa_symbol(bare(pos["trdSym"] or ""), exchange) == symbol
            and PRODUCTS.get(pos["prd"]) == product
        ),
        "0",
    )


def exposure_by_underlying(payload):
    totals = defaultdict(float)
    for pos in filter(lambda p: p["netQty"], payload["net"]):
        symbol = display_symbol(pos)
        if symbol is None:
            totals["?"] += pos["netQty"] * pos["ltp"]
            continue
        stem = symbol.rstrip("CEPE0123456789.") if symbol[-2:] in ("CE", "PE") else symbol
        totals[stem] += pos["netQty"] * pos["ltp"]
    return {name: round(total, 2) for name, total in totals.items()}
