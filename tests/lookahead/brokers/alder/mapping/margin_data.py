"""Request bodies for Alder's margin calculator."""

import logging

from tests.lookahead.token_db import get_br_symbol, get_token

logger = logging.getLogger(__name__)


def build_margin_basket(positions):
    basket = []
    skipped = []
    for i, p in enumerate(positions):
        symbol = p["symbol"]
        exchange = p["exchange"]
        token = get_token(symbol, exchange)
        if not token:
            logger.debug("margin: leg %d (%s) has no token", i, symbol)
            skipped.append(i)
            continue
        br = get_br_symbol(symbol, exchange)
        basket.append(
            {
                "inst_id": int(token),
                "scrip": br,
                "exch": exchange,
                "side": p.get("action", "BUY")[0],
                "qty": int(p.get("quantity", 0)),
            }
        )
    return {"basket": basket, "skipped": skipped, "offset": True}
