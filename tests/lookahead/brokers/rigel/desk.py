"""Orders, margins, quotes and the stream of Rigel."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial, reduce
from itertools import product

from tests.lookahead.brokers.rigel.schema import BOARDS, PREFIXES, LegOut, board_and_code
from tests.lookahead.token_db import get_oa_symbol, get_symbol, get_symbol_info, get_token

PROBED = ("NSE", "BSE", "NFO")


def wires(legs, rejected):
    for leg in legs:
        try:
            yield LegOut(**leg).wire()
        except LookupError as error:
            rejected.append(str(error))


def margin(http, legs):
    rejected = []
    return {"margin": http.margin(list(wires(legs, rejected))), "rejected": rejected}


def put(http, variety, leg):
    try:
        return http.order(variety, LegOut.wire(leg))
    except LookupError as error:
        return {"code": 404, "text": f"no {error}"}


def basket(http, legs, variety="regular"):
    """`legs` are LegOut models."""
    with ThreadPoolExecutor(10) as pool:
        return list(pool.map(partial(put, http, variety), legs))


def exit_positions(http, rows):
    """Submits an exit per open row, by the scrip; answers with the symbols."""

    def leave(scrip, net):
        exchange, code = board_and_code(scrip)
        try:
            http.order("exit", {"scrip": scrip, "qty": -net})
            return get_oa_symbol(brsymbol=code, exchange=exchange) or scrip, -net
        except Exception:
            return scrip, 0

    with ThreadPoolExecutor(10) as pool:
        futures = {
            row["ref"]: pool.submit(leave, row["scrip"], row["net"])
            for row in rows
            if row["scrip"] and row["net"]
        }
        return {ref: future.result() for ref, future in futures.items()}


def resolve(symbol):
    """The first exchange that lists a symbol, with the token."""
    for exchange in PROBED:
        if token := get_token(symbol, exchange):
            return exchange, token
    return None


def quotes(http, symbols):
    places = {symbol: resolve(symbol) for symbol in symbols if symbol}
    return {
        f"{place[0]}:{symbol}": http.price(place[1]) for symbol, place in places.items() if place
    }


def option_chain(http, name, expiry, strikes):
    def add(table, leg):
        strike, side = leg
        info = get_symbol_info(name + expiry + f"{strike:g}" + side, "NFO")
        if info is not None:
            table.setdefault(strike, {})[side] = {
                "lot": info.lotsize,
                "tick": info.tick_size,
                "ltp": http.price(info.token),
            }
        return table

    return reduce(add, product(strikes, ("CE", "PE")), {})


def stream_keys(watch):
    """`{exchange: [symbols]}` to the keys to subscribe to."""
    return {
        exchange: [
            f"{PREFIXES[exchange]}{int(token):08d}"
            for symbol in symbols
            if (token := get_token(symbol, exchange)) is not None
        ]
        for exchange, symbols in watch.items()
    }


def decode(frames):
    """Each frame is `"FO.00012345=101.5;EQ.00000022=7"`; the last price of a key wins."""
    prices = {}
    for frame in frames:
        for key, _, price in (pair.partition("=") for pair in frame.split(";")):
            symbol = get_symbol(key[3:].lstrip("0"), BOARDS.get(key[:3]))
            if symbol:
                prices[symbol] = float(price)
    return prices
