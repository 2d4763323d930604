"""Resolution of names, several layers deep."""

import logging

from tests.lookahead.brokers.kyanite.records import board_exchange, plain_number
from tests.lookahead.token_db import get_br_symbol, get_oa_symbol, get_symbol, get_token

logger = logging.getLogger(__name__)


class Resolver:
    """Answers from the contract; remembers what it could not answer."""

    def __init__(self):
        self.unresolved = []

    def resolve(self, scrip, board):
        exchange = board_exchange(board)
        return self._resolve_on(scrip, exchange), exchange

    def _resolve_on(self, scrip, exchange):
        number = plain_number(scrip)
        return self._lookup(number, exchange)

    def _lookup(self, number, exchange):
        symbol = self._query(token=number, exchange=exchange)
        if symbol is None:
            self.unresolved.append(f"{exchange}/{number}")
        return symbol

    @staticmethod
    def _query(token, exchange):
        return get_symbol(token=token, exchange=exchange)


class NameResolver(Resolver):
    """As Resolver, for files that spell the scrip's name."""

    @staticmethod
    def _query(token, exchange):
        return get_oa_symbol(brsymbol=token, exchange=exchange)


def probe(name, order):
    """First exchange of an order that lists a name, with what it calls it."""
    for exchange in order:
        broker_name = get_br_symbol(name, exchange)
        if broker_name is not None:
            return exchange, broker_name
    return None


def padded_token(symbol, exchange, width=10):
    """Token padded with zeros; '' for what the contract lacks."""
    token = get_token(symbol, exchange)
    if token is None:
        logger.info("no token: %s", symbol)
        return ""
    return str(token).zfill(width)
