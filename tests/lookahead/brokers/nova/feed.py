"""Snapshots and the stream of Nova."""

from collections import defaultdict
from itertools import islice

from tests.lookahead.brokers.nova.wire import EXCHANGES, NUMBERS, composite
from tests.lookahead.token_db import get_symbol, get_token


def batched(items, size):
    items = iter(items)
    while chunk := list(islice(items, size)):
        yield chunk


def snapshots(client, keys):
    """`"NSE:RELIANCE"` in, {"NSE:RELIANCE": price} out."""
    prices = dict.fromkeys(keys)
    wanted = {}
    for key in prices:
        exchange, _, symbol = key.partition(":")
        token = get_token(symbol, exchange)
        if token:
            wanted[f"{NUMBERS[exchange]}.{token}"] = key
    for chunk in batched(wanted, 15):
        for wire, price in client.call("snap", instrument=chunk).items():
            prices[wanted[wire]] = price / 100
    return prices


def subscriptions(client, watchlist):
    """Groups the watchlist by exchange; what the contract lacks is left out."""
    groups = defaultdict(list)
    for symbol, exchange in watchlist:
        try:
            groups[NUMBERS[exchange]].append(composite(symbol, exchange).split("|")[1])
        except LookupError:
            continue
    return [
        client.call("sub", instrument=(number, *chunk))
        for number, tokens in sorted(groups.items())
        for chunk in batched(tokens, 10)
    ]


def depth(ticks):
    """Ticks by instrument number; every value is (exchange number, bid, ask)."""
    for token in [token for token, (number, *_) in ticks.items() if number not in EXCHANGES]:
        del ticks[token]
    return {
        get_symbol(token, EXCHANGES[number]) or f"#{token}": round((bid + ask) / 2, 2)
        for token, (number, bid, ask) in ticks.items()
    }


def futures(client, names, expiry):
    """Near futures of the underlyings, in the order of the names."""
    found = []
    for name in names:
        symbol = f"{name}{expiry}FUT"
        if (token := get_token(symbol, "NFO")) is None:
            continue
        price = client.call("snap", instrument=[f"{NUMBERS['NFO']}.{token}"])
        found.append((name, symbol, price.popitem()[1] / 100 if price else None))
    return found
