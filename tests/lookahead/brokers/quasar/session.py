"""A session with Quasar is a closure: `connect(http)` gives functions."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

from tests.lookahead.brokers.quasar.ledger import VENUES
from tests.lookahead.token_db import (
    get_br_symbol,
    get_oa_symbol,
    get_symbol,
    get_symbol_info,
    get_token,
)

VENUE_OF = {exchange: venue for venue, exchange in VENUES.items()}


def connect(http):
    def scrip(order):
        symbol, exchange = order["symbol"], order["exchange"]
        code = get_br_symbol(symbol, exchange)
        return code and f"{VENUE_OF[exchange]}:{code}:{get_token(symbol, exchange)}"

    def send(order):
        if not (name := scrip(order)):
            return {"ok": False, "why": f"{order['symbol']!s:.20} not found"}
        return {"ok": True, "no": http.post("order", name, order["quantity"])}

    def basket(orders):
        with ThreadPoolExecutor(10) as pool:
            return list(pool.map(send, orders))

    def close_all():
        def close(code, venue, net):
            symbol = get_oa_symbol(code, VENUES[venue]) if code else None
            if symbol is None:
                return code, "skipped"
            return symbol, http.post("close", f"{venue}:{code}", -net)

        book = http.pages["positions"]
        with ThreadPoolExecutor(10) as pool:
            jobs = [pool.submit(close, *row) for row in zip(*book.values(), strict=True) if row[2]]
            return [job.result() for job in jobs]

    def margin(orders):
        total, unknown = 0.0, 0
        for order in orders:
            info = get_symbol_info(order["symbol"], order["exchange"])
            if info is None:
                unknown += 1
                continue
            lots = max(1, order["quantity"] // info.lotsize)
            total += lots * info.lotsize * (info.strike or http.price(info.token)) * 0.12
        return {"margin": round(total, 2), "unknown": unknown}

    def quotes(symbols):
        wanted = {}
        for symbol, exchange in symbols:
            if symbol:
                wanted.setdefault(VENUE_OF[exchange], []).append(get_token(symbol, exchange))
        prices = {
            (venue, token): http.price(token)
            for venue, tokens in wanted.items()
            for token in filter(None, tokens)
        }
        return {
            f"{get_symbol(int(token), VENUES[venue])}@{venue}": price
            for (venue, token), price in prices.items()
        }

    def subscribe(symbols, chunk=16):
        def channel(pair):
            try:
                return f"{VENUE_OF[pair[1]]}/{int(get_token(*pair))}"
            except TypeError:
                return None

        channels = [c for c in map(channel, symbols) if c]
        return [" ".join(channels[i : i + chunk]) for i in range(0, len(channels), chunk)]

    def chain(name, expiry):
        rows = http.pages["chain"][name, expiry]
        for row in rows:
            for side in ("call", "put"):
                try:
                    row[side] = get_oa_symbol(brsymbol=row[side], exchange="NFO")
                    row[f"{side}_ltp"] = http.price(get_token(row[side], "NFO"))
                except (TypeError, ValueError):
                    row[f"{side}_ltp"] = None
        return rows

    return SimpleNamespace(
        basket=basket,
        close_all=close_all,
        margin=margin,
        quotes=quotes,
        subscribe=subscribe,
        chain=chain,
    )


def basket(http, orders):
    return connect(http).basket(orders)


def close_all(http):
    return connect(http).close_all()


def margin(http, orders):
    return connect(http).margin(orders)


def quotes(http, symbols):
    return connect(http).quotes(symbols)


def subscribe(http, symbols):
    return connect(http).subscribe(symbols)


def chain(http, name, expiry):
    return connect(http).chain(name, expiry)
