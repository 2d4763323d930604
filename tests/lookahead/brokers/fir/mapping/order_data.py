import logging

import pandas as pd

from tests.lookahead.brokers.fir.mapping.segs import SEG, clean, number, ours
from tests.lookahead.token_db import get_oa_symbol, get_symbol, get_token

logger = logging.getLogger("fir.orders")

ORDER_COLS = ("nOrdNo", "exSeg", "tok", "trdSym", "qty", "ordSt")


def map_order_data(order_data):
    if not order_data or "data" not in order_data:
        return []
    res = []
    for order in order_data["data"]:
        o = order.copy()
        o["exSeg"] = SEG.get(o["exSeg"], o["exSeg"])
        sym = get_oa_symbol(clean(o["trdSym"]), o["exSeg"])
        if sym:
            o["trdSym"] = sym
        else:
            logger.debug("%s/%s: no match", o["trdSym"], o["exSeg"])
        o["avgPrc"] = float(o.get("avgPrc", "0") or 0)
        res.append(o)
    return res


def order_rows_from_report(report):
    """The end of day report is positional."""
    named = []
    for rec in report:
        ordno, seg, tok, trd, qty, status = rec
        try:
            sym = get_symbol(number(tok), ours(seg))
        except (TypeError, ValueError):
            sym = None
        if sym is None:
            sym = trd
        named.append(dict(zip(ORDER_COLS, (ordno, ours(seg), tok, sym, int(qty), status))))
    return named


def map_trade_data(trade_data):
    df = pd.DataFrame(trade_data["data"])
    df["exchange"] = df["exSeg"].map(SEG)
    symbols = []
    for _, row in df.iterrows():
        if not isinstance(row["trdSym"], str) or not row["trdSym"]:
            symbols.append("")
            continue
        symbols.append(get_oa_symbol(clean(row["trdSym"]), row["exchange"]) or row["trdSym"])
    df["symbol"] = symbols
    df["value"] = (df["fldQty"] * df["avgPrc"]).round(2)
    return df[["symbol", "exchange", "fldQty", "value"]].to_dict("records")


def map_position_data(position_data):
    positions = position_data["data"]
    for pos in positions:
        tok = pos.get("tok")
        if tok:
            symbol = get_symbol(int(tok), SEG[pos["exSeg"]])
            pos["trdSym"] = symbol or pos["trdSym"]
        pos["exSeg"] = SEG[pos["exSeg"]]
        pos["net"] = pos["buyQty"] - pos["sellQty"]
    return positions


def map_holdings(payload):
    """Every holding lists where the paper trades; the first place that we know is taken."""
    result = []
    for h in payload["data"]:
        entry = {"isin": h["isin"], "symbol": None, "quantity": int(h["qty"])}
        for place in h["listings"]:
            sym = get_oa_symbol(place["code"], ours(place["seg"]))
            if sym:
                entry["symbol"] = sym
                entry["exchange"] = ours(place["seg"])
                break
        result.append(entry)
    return result


def map_gtt(payload):
    active = [g for g in payload["gtt"].values() if g["state"] == "ACTIVE"]
    return list(map(lambda g: dict(g, name=get_symbol(number(g["tok"]), ours(g["seg"]))), active))


def renumber(payload):
    """After a contract change: new numbers for the names of the resting orders."""
    changed = {}
    for o in payload["data"]:
        exch = ours(o["exSeg"])
        sym = get_oa_symbol(brsymbol=clean(o["trdSym"]), exchange=exch)
        tok = get_token(sym, exch) if sym else None
        if tok is None:
            continue
        if int(tok) != int(o["tok"]):
            changed[o["nOrdNo"]] = (sym, int(tok))
        o["tok"] = int(tok)
    return changed
