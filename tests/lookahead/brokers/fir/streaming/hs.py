import logging

from tests.lookahead.brokers.fir.mapping.segs import SEG, SEG_BACK, clean
from tests.lookahead.token_db import get_oa_symbol, get_symbol, get_token

log = logging.getLogger("fir.hs")


def _scrip(instrument):
    symbol, exchange = instrument["symbol"], instrument["exchange"]
    token = get_token(symbol, exchange)
    if not token:
        return ""
    return SEG_BACK[exchange] + "|" + token


def scrip_string(instruments):
    return "&".join(filter(None, (_scrip(i) for i in instruments)))


def names_of(scrips):
    """The reverse, for the acknowledgement of the server."""
    names = []
    for scrip in scrips.split("&"):
        if not scrip:
            continue
        seg, tok = scrip.split("|")
        try:
            names.append(get_symbol(tok, SEG[seg]) or scrip)
        except KeyError:
            log.debug("segment of %s", scrip)
    return names


def feed_rows(frames, cache):
    """Frames are lists of rows; the name comes with the first row of an instrument."""
    out = []
    for frame in frames:
        for row in frame:
            key = row["e"] + "|" + row["tk"]
            if key not in cache:
                cache[key] = get_oa_symbol(brsymbol=clean(row["ts"]), exchange=SEG[row["e"]])
            if cache[key] is None:
                continue
            out.append((cache[key], float(row["ltp"])))
    return out
