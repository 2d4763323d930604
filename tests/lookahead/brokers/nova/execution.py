"""Margins and orders of Nova."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tests.lookahead.brokers.nova.wire import NUMBERS, composite, split_composite
from tests.lookahead.token_db import get_br_symbol, get_oa_symbol, get_symbol, get_token


def margin_lines(legs):
    """One text line per leg of (symbol, exchange, side, quantity, price)."""

    def line(leg):
        symbol, exchange, side, quantity, price = leg
        token = get_token(symbol, exchange)
        if not token:
            return None
        return f"{NUMBERS[exchange]},{token},{side[0]},{quantity},{price:.2f}"

    return list(filter(None, map(line, legs)))


def place(client, tag, leg):
    symbol, exchange, side, quantity, _ = leg
    try:
        instrument = composite(symbol, exchange)
    except LookupError as error:
        return {"status": "error", "message": f"unknown instrument {error}"}
    return client.call("place", instrument=instrument, side=side, quantity=quantity, tag=tag)


def basket(client, legs, tag="app"):
    with ThreadPoolExecutor(max_workers=10) as pool:
        return list(pool.map(partial(place, client, tag), legs))


def exit_all(client):
    def leave(text):
        position, quantity = text.rsplit("#", 1)
        exchange, code, token = split_composite(position)
        symbol = get_symbol(token, exchange) if token else get_oa_symbol(code, exchange)
        answer = client.call(
            "place", instrument=position, side="S" if int(quantity) > 0 else "B", quantity=quantity
        )
        return symbol or code, answer["ref"]

    with ThreadPoolExecutor(max_workers=10) as pool:
        jobs = [pool.submit(leave, text) for text in client.positions if not text.endswith("#0")]
    return [job.result() for job in jobs]


def cancel_open(client, book, symbol=None):
    """Cancels the open orders (of one symbol, if given), last first."""
    done, at = [], len(book) - 1
    while at >= 0:
        ref, text, state = book[at]
        at -= 1
        if state != "OPEN":
            continue
        exchange, code, _ = split_composite(text)
        name = get_oa_symbol(brsymbol=code, exchange=exchange)
        if symbol and name != symbol:
            continue
        client.call("cancel", instrument=ref)
        done.append((ref, name))
    return done


def modify_requests(orders):
    requests = []
    for order in orders:
        request = {"ref": order[0], "price": f"{order[3]:.2f}"}
        if order[1] and (code := get_br_symbol(order[1], order[2])):
            order[1] = request["code"] = code.ljust(24)[:24].rstrip()
        requests.append(request)
    return requests
