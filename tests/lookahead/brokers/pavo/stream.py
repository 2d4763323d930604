"""Quotes, chains and the stream of Pavo."""

from tests.lookahead.brokers.pavo.shapes import SEGS, symbol_by_id
from tests.lookahead.token_db import get_symbol_info, get_token


def quotes(desk, pairs):
    """`{"RELIANCE:NSE": {...}}` of a list of (symbol, exchange)."""
    scrips = {
        f"{SEGS[exchange]}|{tok}": f"{symbol}:{exchange}"
        for symbol, exchange in pairs
        if (tok := get_token(exchange=exchange, symbol=symbol))
    }
    answer = desk.send("quotes", {"scrips": "&".join(scrips)})
    return {scrips[quote["id"]]: {"ltp": float(quote["lp"])} for quote in answer["quotes"]}


def chain_around(desk, name, expiry, at_money, step, width=8):
    """Strikes around the money; each side is a list in the order of the strikes."""
    strikes = [at_money + step * n for n in range(-width, width + 1)]
    infos = {
        kind: [get_symbol_info(f"{name}{expiry}{strike:g}{kind}", "NFO") for strike in strikes]
        for kind in ("CE", "PE")
    }
    return {
        kind: [
            info and {"symbol": info.symbol, "lot": info.lotsize, "ltp": desk.price(info.token)}
            for info in side
        ]
        for kind, side in infos.items()
    }


def on_ticks(listener, packets):
    """Feeds a listener; packets are lists of [segment, number, price]."""
    names = {}
    for packet in packets:
        for seg, tok, price in packet:
            if (seg, tok) not in names:
                try:
                    names[seg, tok] = symbol_by_id(tok, seg)
                except ValueError:
                    names[seg, tok] = None
            if names[seg, tok]:
                listener.setdefault(names[seg, tok], []).append(price)
    return len(names)
