from tests.lookahead.brokers.cedar.mapping.util import FROM_STREAM, STREAM_EXCHANGE, logger
from tests.lookahead.token_db import get_symbol, get_token


class CedarSocket:
    """Only the book-keeping, no socket."""

    def __init__(self, instruments):
        self.instruments = instruments
        self.token_list = {}
        self.unknown = []

    def subscribe(self):
        for inst in self.instruments:
            code = STREAM_EXCHANGE.get(inst[1], 0)
            token = get_token(inst[0], inst[1])
            if token is None or not code:
                self.unknown.append(inst[0])
                continue
            self.token_list.setdefault(code, []).append(token)
        return [{"exchangeType": c, "tokens": t} for c, t in sorted(self.token_list.items())]


def subscription(instruments):
    sock = CedarSocket(instruments)
    return sock.subscribe(), sock.unknown


def onTicks(packets, prices):
    dropped = 0
    for p in packets:
        exch = FROM_STREAM.get(p["et"])
        sym = get_symbol(p["tk"].rstrip("\x00"), exch)
        if not sym:
            dropped += 1
            continue
        prices[(exch, sym)] = p["ltp"] / 100
    logger.debug("%d packets dropped", dropped)
    return dropped
