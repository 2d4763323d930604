import logging
from concurrent.futures import ThreadPoolExecutor, as_completed

from tests.lookahead.brokers.elm.mapping.ticker import market, our_symbol, strip_ticker, ticker_of
from tests.lookahead.token_db import get_oa_symbol

logger = logging.getLogger(__name__)


def open_quantity(client, symbol, exchange):
    """First position with that name; 0 otherwise."""
    rows = client.fetch("positions")["netPositions"]
    hit = next(
        (
            p
            for p in rows
            if market(p) == exchange and our_symbol(p["symbol"], exchange) == symbol
        ),
        None,
    )
    return hit["netQty"] if hit else 0


def exit_everything(client):
    book = client.fetch("positions")
    exits = []
    for p, ltp in zip(book["netPositions"], book["ltps"]):
        if p["netQty"] == 0 or not p["symbol"]:
            continue
        exch = market(p)
        sym = get_oa_symbol(brsymbol=strip_ticker(p["symbol"]), exchange=exch)
        if sym is None:
            exits.append({"symbol": p["symbol"], "error": "unknown"})
            continue
        side = -1 if p["netQty"] > 0 else 1
        body = {"symbol": p["symbol"], "side": side, "qty": abs(p["netQty"]), "limit": ltp}
        exits.append({"symbol": sym, "id": client.send("orders", body)["id"]})
    return exits


class Placer:
    def __init__(self, client):
        self.client = client

    def one(self, order):
        try:
            ticker = ticker_of(order["symbol"], order["exchange"])
        except ValueError as e:
            logger.debug("%s", e)
            return (order["symbol"], None)
        body = {"symbol": ticker, "qty": order["qty"], "side": order["side"]}
        return (order["symbol"], self.client.send("orders", body)["id"])

    def all(self, orders):
        with ThreadPoolExecutor(max_workers=10) as pool:
            return dict(pool.map(self.one, orders))


def place_basket(client, orders):
    placed = Placer(client).all(orders)
    return {k or "-": v for k, v in placed.items()}


def order_names(client, pages):
    """Reads the pages of the order archive at the same time, then names their rows."""

    def page(n):
        names = []
        for row in client.fetch("archive/%d" % n)["rows"]:
            exch = market(row)
            if exch is None:
                continue
            names.append(our_symbol(row["symbol"], exch))
        return n, names

    found = {}
    with ThreadPoolExecutor(10) as pool:
        jobs = {pool.submit(page, n) for n in range(pages)}
        for job in as_completed(jobs):
            n, names = job.result()
            found[n] = names
    return [name for n in sorted(found) for name in found[n]]


def last_status(rows, symbol):
    """State of the newest order in `symbol`, looking from the end."""
    for row in reversed(rows):
        exch = market(row)
        if not row["symbol"] or exch is None:
            continue
        if our_symbol(row["symbol"], exch) == symbol:
            return row["status"]
    return None
