import logging

from tests.lookahead.brokers.fir.mapping.segs import SEG_BACK, number, ours
from tests.lookahead.token_db import get_oa_symbol, get_symbol, get_token

log = logging.getLogger("fir.data")


def quote_keys(symbols):
    keys = []
    for s in symbols:
        tok = get_token(s["symbol"], s["exchange"])
        keys.append(f"{SEG_BACK[s['exchange']]}|{tok}" if tok else None)
    return keys


def get_quotes(client, symbols):
    keys = quote_keys(symbols)
    asked = [k for k in keys if k]
    by_key = {q["key"]: q for q in client("POST", "/quotes", asked)["message"]}
    return [
        {**s, "ltp": float(by_key[k]["ltp"])} if k else {**s, "error": "no such symbol"}
        for s, k in zip(symbols, keys)
    ]


def market_watch(client, name):
    """Rows of a stored watch list; separators have no number."""
    body = client("GET", "/watch/" + name, None)
    out, heading = {}, "-"
    for item in body["items"]:
        if "title" in item:
            heading = item["title"]
            continue
        seg, _, tok = item["key"].partition("|")
        sym = get_symbol(tok, ours(seg))
        if sym is None:
            break
        out.setdefault(heading, []).append(sym)
    return out


def option_chain(client, root):
    """Chain of a root: dict by expiry of dicts by strike of pairs of Fir's names."""
    body = client("GET", "/chain/" + root, None)
    legs = []
    for expiry, strikes in body["expiries"].items():
        for strike, pair in strikes.items():
            for br in pair:
                sym = get_oa_symbol(br, "NFO")
                if not sym:
                    continue
                legs.append((expiry, float(strike), sym[-2:], sym))
    legs.sort()
    return legs


class Closes:
    """Yesterday's closes by our symbol, filled from Fir's bhav rows."""

    def __init__(self):
        self.by_symbol = {}
        self.missing = 0

    def add(self, row):
        symbol = get_symbol(number(row["tok"]), row["exch"])
        if symbol is None:
            self.missing += 1
        else:
            self.by_symbol[symbol] = row["close"]

    def load(self, rows):
        for row in rows:
            self.add(row)
        return self


def load_closes(rows):
    closes = Closes().load(rows)
    return closes.by_symbol, closes.missing
