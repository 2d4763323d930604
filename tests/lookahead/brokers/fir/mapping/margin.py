import logging

from tests.lookahead.brokers.fir.mapping.segs import SEG_BACK
from tests.lookahead.token_db import get_br_symbol, get_brexchange, get_token

log = logging.getLogger("fir.margin")


def margin_lines(legs):
    """Fir's calculator reads lines: number|segment|name|side|quantity."""
    lines = []
    for leg in legs:
        s, e = leg["symbol"], leg["exchange"]
        if not s:
            continue
        token = get_token(s, e)
        name = get_br_symbol(s, e)
        brexch = get_brexchange(s, e)
        if not (token and name and brexch):
            log.debug("margin: %s", s)
            continue
        lines.append("|".join((token, SEG_BACK[brexch], name, leg["action"][:1], str(leg["qty"]))))
    return "\n".join(lines)


def single_margins(client, legs):
    """One request per leg, as the old calculator has no baskets."""
    total = 0.0
    refused = []
    for leg in legs:
        try:
            token = int(get_token(leg["symbol"], leg["exchange"]))
        except TypeError:
            refused.append(leg["symbol"])
            continue
        total += client("POST", "/margin", {"tok": token, "qty": leg["qty"]})["data"]["reqMrgn"]
    return round(total, 2), refused
