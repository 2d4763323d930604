import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tests.lookahead.brokers.damson.mapping.exchanges import map_exchange, map_segment
from tests.lookahead.token_db import get_symbol, get_symbol_info, get_token

logger = logging.getLogger(__name__)


def get_multi_quotes(session, instruments):
    request = {}
    for inst in instruments:
        segment = map_segment(inst["exchange"])
        security_id = get_token(inst["symbol"], inst["exchange"])
        if segment is None or security_id is None:
            continue
        request.setdefault(segment, []).append(int(security_id))
    response = session.post_json("/marketfeed/ltp", request)
    quotes = {}
    for segment, by_id in response["data"].items():
        exchange = map_exchange(segment)
        for security_id, q in by_id.items():
            symbol = get_symbol(security_id, exchange)
            if symbol:
                quotes[f"{symbol}.{exchange}"] = q["last_price"]
    return quotes


def chain_table(names, exchange, spot):
    """Strikes of a list of our option names, with their distance from the spot."""
    table = {}
    for name in names:
        info = get_symbol_info(name, exchange)
        if not info or info.instrumenttype not in ("CE", "PE"):
            continue
        entry = table.setdefault(info.strike, {"distance": round(info.strike - spot, 2)})
        entry[info.instrumenttype] = info.brsymbol
        entry["lot"] = int(info.lotsize)
    return dict(sorted(table.items()))


def _daily(session, from_date, instrument):
    symbol, exchange = instrument
    token = get_token(symbol, exchange)
    if not token:
        return symbol, []
    body = {"securityId": token, "exchangeSegment": map_segment(exchange), "from": from_date}
    return symbol, session.post_json("/charts/historical", body)["close"]


def daily_many(session, instruments, from_date):
    with ThreadPoolExecutor(10) as pool:
        pairs = pool.map(partial(_daily, session, from_date), instruments)
    return [{"symbol": s, "bars": len(c), "last": c[-1] if c else None} for s, c in pairs]


def missing_days(session, held, upto):
    """Which instruments have a gap in the history that is held, and how long it is."""
    gaps = {}
    for (segment, security_id), days in held.items():
        if not days:
            continue
        symbol = get_symbol(security_id, map_exchange(segment))
        if symbol is None:
            logger.debug("%s|%s has left the contract", segment, security_id)
            continue
        gaps[symbol] = upto - max(days)
    return {name: gap for name, gap in gaps.items() if gap > 0}
