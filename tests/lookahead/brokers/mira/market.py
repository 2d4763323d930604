"""Quotes, chains and stream subscriptions of Mira."""

from tests.lookahead.brokers.mira.codes import SEGMENT_OF, SEGMENTS, instrument_key
from tests.lookahead.token_db import get_symbol, get_symbol_info

BATCH = 20


def multi_quotes(client, wanted):
    keys = {}
    for item in wanted:
        key = instrument_key(item["symbol"], item["exchange"])
        if key is None:
            keys[f"missing|{len(keys)}"] = item
            continue
        keys[key] = item
    asked = [key for key in keys if not key.startswith("missing")]
    ticks = {}
    for start in range(0, len(asked), BATCH):
        ticks |= client.get("/quotes", keys=asked[start : start + BATCH])
    return [
        {**item, "ltp": ticks.get(key, {}).get("ltp"), "error": key not in ticks}
        for key, item in keys.items()
    ]


def option_chain(client, name, expiry, strikes):
    """Both legs of each strike; a leg that the contract lacks shows as None."""

    def leg(strike, kind):
        info = get_symbol_info(f"{name}{expiry}{strike:g}{kind}", "NFO")
        if not info:
            return None
        tick = client.get("/quotes", keys=[f"N_FO|{info.token}"])
        return {
            "symbol": info.symbol,
            "lotsize": info.lotsize,
            "ltp": tick.get(f"N_FO|{info.token}", {}).get("ltp", 0.0),
        }

    return [{"strike": k, "ce": leg(k, "CE"), "pe": leg(k, "PE")} for k in strikes]


def subscription_frames(watchlist):
    keys = dict.fromkeys(
        key
        for symbol, exchange in watchlist
        if symbol and (key := instrument_key(symbol, exchange))
    )
    unique = list(keys)
    return [
        {"a": "subscribe", "v": ",".join(unique[at : at + BATCH])}
        for at in range(0, len(unique), BATCH)
    ]


def decode_ticks(frames):
    """One dictionary per symbol out of the stream's frames of (key, ltp) pairs."""
    return {
        f"{SEGMENTS[segment]}:{symbol}": ltp
        for frame in frames
        for key, ltp in frame["v"]
        for segment, _, token in [key.partition("|")]
        if segment in SEGMENTS and (symbol := get_symbol(int(token), SEGMENTS[segment]))
    }


def watch_rows(rows):
    it = iter(range(len(rows)))
    while (i := next(it, None)) is not None:
        row = rows[i]
        row["key"] = instrument_key(row["symbol"], row["exchange"]) or ""
        row["segment"] = SEGMENT_OF.get(row["exchange"], row["exchange"])
    return rows
