import logging

from tests.lookahead.brokers.hematite.mapping.transform_data import CODES, transform_data
from tests.lookahead.token_db import get_token

logger = logging.getLogger(__name__)


def transform_margin_positions(positions):
    legs = []
    for position in positions:
        try:
            token = get_token(position["symbol"], position["exchange"])
            leg = transform_data(position, token)
        except TypeError:
            # no token
            logger.debug("margin without %s", position["symbol"])
            continue
        except (KeyError, ValueError) as e:
            logger.debug("bad leg: %s", e)
            continue
        exch, exch_type = CODES[position["exchange"]]
        legs.append({"Exch": exch, "ExchType": exch_type, **leg})
    return legs
