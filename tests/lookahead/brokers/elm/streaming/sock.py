import logging

from tests.lookahead.brokers.elm.mapping.ticker import MARKETS, NUMBERS
from tests.lookahead.token_db import get_symbol, get_token

logger = logging.getLogger(__name__)


def full_number(exchange, token, day="260818"):
    house, segment = NUMBERS[exchange]
    return f"{house:02d}{segment:02d}{day}{token}"


def channel_map(instruments):
    """Elm's number -> our name, for what can be subscribed."""
    return {
        full_number(exchange, token): f"{exchange}:{symbol}"
        for symbol, exchange in instruments
        if exchange in NUMBERS and (token := get_token(symbol, exchange))
    }


def apply_ticks(state, packets):
    for packet in packets:
        number = packet[0]
        try:
            exchange = MARKETS[int(number[:2]), int(number[2:4])]
            symbol = get_symbol(number[10:], exchange)
        except (KeyError, ValueError):
            state["bad"] = state.get("bad", 0) + 1
            continue
        if symbol is None:
            continue
        state[symbol + "@" + exchange] = packet[1] / 100
    return sorted(state)
