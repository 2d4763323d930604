import logging

from tests.lookahead.brokers.damson.mapping.exchanges import map_segment
from tests.lookahead.token_db import get_br_symbol, get_symbol_info

logger = logging.getLogger(__name__)


class UnknownInstrument(Exception):
    """A leg that is in no contract."""


def basket_margin(basket):
    out = []
    for leg in basket.legs:
        info = get_symbol_info(leg.symbol, leg.exchange)
        if info is None:
            continue
        name = get_br_symbol(leg.symbol, leg.exchange)
        lots, rest = divmod(leg.quantity, info.lotsize or 1)
        if rest:
            logger.debug("%s: %d is no multiple of %d", name, leg.quantity, info.lotsize)
        out.append({"securityId": info.token, "name": name, "lots": lots, "odd": rest > 0})
    return {"name": basket.name, "legs": out}


def check_basket(basket):
    """Raises at the first leg that Damson would refuse."""
    ids = []
    for leg in basket.legs:
        info = get_symbol_info(leg.symbol, leg.exchange)
        if info is None:
            raise UnknownInstrument(leg.symbol)
        ids.append((map_segment(leg.exchange), int(info.token)))
    return ids


def is_sound(basket):
    try:
        return len(check_basket(basket)), None
    except UnknownInstrument as e:
        return None, str(e)
