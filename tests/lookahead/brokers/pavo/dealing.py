"""Margins, baskets, exits and order scans of Pavo."""

from concurrent.futures import ThreadPoolExecutor
from functools import wraps

from tests.lookahead.brokers.pavo.shapes import EXCH, SEGS, cut_series, oa
from tests.lookahead.token_db import get_br_symbol, get_oa_symbol, get_token


def polite(call):
    """Turns what a call raises into an answer."""

    @wraps(call)
    def wrapper(*args, **kwargs):
        try:
            return call(*args, **kwargs)
        except (KeyError, ValueError) as error:
            return {"stat": "Not_Ok", "emsg": str(error)}

    return wrapper


def span_request(strategies):
    """Every leg of every strategy; a strategy with an unknown leg is dropped as a whole."""
    request = []
    for strategy in strategies:
        tokens = [get_token(leg["symbol"], leg["exchange"]) for leg in strategy["legs"]]
        if not all(tokens):
            continue
        request += [
            {"tok": tok, "seg": SEGS[leg["exchange"]], "netQty": leg["lots"] * strategy["x"]}
            for tok, leg in zip(tokens, strategy["legs"], strict=True)
        ]
    return request


@polite
def place(desk, order):
    symbol, exchange = order["symbol"], order["exchange"]
    order["symbol"] = get_br_symbol(symbol, exchange)
    if order["symbol"] is None:
        raise ValueError(f"{symbol} cannot be traded")
    body = {
        "ts": order["symbol"] + ("-EQ" if exchange == "NSE" else ""),
        "tk": get_token(symbol, exchange),
        "es": SEGS[exchange],
        "qt": str(order["quantity"]),
    }
    return desk.send("place", body)


def place_all(desk, orders):
    with ThreadPoolExecutor(10) as pool:
        return {
            order["ref"]: future.result()
            for order, future in [(order, pool.submit(place, desk, order)) for order in orders]
        }


def square_off(desk):
    """Everything that is open, at market, ten at a time."""
    with ThreadPoolExecutor(10) as pool:
        return list(
            pool.map(
                lambda p: (
                    oa(p["tsym"], p["seg"]),
                    desk.send("exit", {"ts": p["tsym"], "qt": p["netQty"]})["nOrdNo"],
                ),
                (p for p in desk.state["positions"] if p["netQty"]),
            )
        )


def order_status(desk, symbol):
    """States of all orders of a symbol: in the book of today, then in the archive."""
    return [
        order["ordSt"]
        for shelf in ("orders", "archive")
        for order in desk.state[shelf]
        if order["tsym"] and get_oa_symbol(cut_series(order["tsym"]), EXCH[order["seg"]]) == symbol
    ]


def first_unlisted(orders):
    for n, order in enumerate(orders, start=1):
        if not order["symbol"]:
            continue
        for exchange in (order["exchange"], "BSE"):
            if get_token(order["symbol"], exchange):
                break
        else:
            return n, order["symbol"]
    return None
