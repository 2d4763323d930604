from dataclasses import asdict, dataclass

from tests.lookahead.brokers.cedar.mapping.util import logger, with_series
from tests.lookahead.token_db import get_br_symbol, get_token


@dataclass
class MarginLeg:
    symbolToken: str
    tradingSymbol: str
    exchange: str
    qty: int
    tradeType: str


def _leg(position):
    sym, exch = position["symbol"], position["exchange"]
    token = get_token(sym, exch)
    if token is None:
        raise KeyError(sym)
    br = get_br_symbol(sym, exch)
    return MarginLeg(token, with_series(br, exch), exch, position["qty"], position["side"])


def marginRequest(positions):
    legs = []
    for p in positions:
        try:
            legs.append(_leg(p))
        except KeyError as missing:
            logger.debug("margin: %s left out", missing)
    return {"positions": [asdict(leg) for leg in legs]}
