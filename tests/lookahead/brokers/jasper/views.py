"""What the application shows of a Jasper account."""

import logging
from types import SimpleNamespace

from tests.lookahead.brokers.jasper.wire import (
    Translator,
    UnmappedInstrument,
    bare_name,
    contract_terms,
    spell_exchange,
)
from tests.lookahead.token_db import get_oa_symbol, get_symbol

logger = logging.getLogger(__name__)


def orders_view(rows):
    """The order book is a bare list; an error is a bare object."""
    if isinstance(rows, dict):
        logger.error("Order book: %s", rows.get("em"))
        return []
    translator = Translator()
    view = [translator.apply(dict(row)) for row in rows]
    for row in view:
        row["qty"] = int(row.pop("q", "0") or 0)
        row["prc"] = float(row.pop("p", "0") or 0)
        row["side"] = {"B": "BUY", "S": "SELL"}.get(row.pop("tt", None), "UNKNOWN")
    view.append({"hits": translator.hits, "misses": translator.misses})
    return view


def trades_view(rows):
    """Trades with names cut in place; a row that fails is left as it came."""
    faulty = 0
    for row in rows:
        try:
            name = row["ts"]
            row["ts"] = name.replace("-EQ", "").strip()
            row["ex"] = LETTER_NAMES[row["ex"]]
            symbol = get_oa_symbol(row["ts"], row["ex"])
            if symbol:
                row["ts"] = symbol
            row["fv"] = round(float(row["fp"]) * int(row["fq"]), 2)
        except (KeyError, AttributeError, ValueError):
            faulty += 1
    return {"trades": rows, "faulty": faulty}


LETTER_NAMES = {"N": "NSE", "B": "BSE", "F": "NFO", "G": "BFO", "C": "CDS", "M": "MCX"}


def strict_positions(rows):
    """All positions, or none and the first name that the contract lacks."""
    translator = Translator(strict=True)
    prepared = []
    try:
        for row in rows:
            if row.get("nq", "0") == "0":
                continue
            translated = translator.apply({**row})
            prepared.append({
                "symbol": translated["symbol"],
                "exchange": translated["exchange"],
                "quantity": int(translated["nq"]),
            })
    except UnmappedInstrument as error:
        return {"positions": prepared, "stopped_at": str(error)}
    return {"positions": prepared, "stopped_at": None}


def holdings_view(rows):
    """Holdings list a scrip's names per exchange; the first that is known wins."""
    result = []
    for row in rows:
        symbol = None
        listed_on = None
        for listing in row["ls"]:
            exchange = spell_exchange(listing["ex"])
            symbol = get_oa_symbol(brsymbol=bare_name(listing["ts"]), exchange=exchange)
            if symbol is not None:
                listed_on = exchange
                break
        if symbol is None:
            result.append(SimpleNamespace(symbol=row["isin"], exchange=None, qty=int(row["hq"])))
            continue
        result.append(SimpleNamespace(symbol=symbol, exchange=listed_on, qty=int(row["hq"])))
    return [vars(item) for item in result]


def limits_view(positions):
    """Money at risk by kind, from contract terms."""
    by_kind = {"option": 0.0, "other": 0.0}
    odd_lots = []
    for position in positions:
        lot, tick, is_option = contract_terms(position.symbol, position.exchange)
        steps = round(position.price / tick)
        value = round(steps * tick * position.quantity, 2)
        kind = "option" if is_option else "other"
        by_kind[kind] = round(by_kind[kind] + value, 2)
        if position.quantity % lot != 0:
            odd_lots.append(position.symbol)
    return {"by_kind": by_kind, "odd_lots": odd_lots}


def alerts_view(payload):
    """GTT alerts: 'N:TCS-EQ>3500' is the whole condition."""
    alerts = []
    invalid = []
    for alert in payload.get("al", ()):
        text = alert.get("cond")
        if not text:
            invalid.append(alert.get("id"))
            continue
        comparison = ">" if ">" in text else "<"
        left, _, right = text.partition(comparison)
        letter, _, name = left.partition(":")
        symbol = get_oa_symbol(
            brsymbol=name.split("-")[0] if letter == "N" else name,
            exchange=spell_exchange(letter),
        )
        alerts.append({
            "id": alert["id"],
            "symbol": symbol or name,
            "comparison": comparison,
            "value": float(right),
        })
    return {"alerts": alerts, "invalid": invalid}


def closing_report(book, statuses):
    """Walks the book backwards and stops at the first order from before the session."""
    report = []
    index = len(book) - 1
    while index >= 0:
        row = book[index]
        index -= 1
        if row["tm"] < "09:15":
            break
        if statuses and row["st"] not in statuses:
            continue
        symbol = get_symbol(row["tk"], spell_exchange(row["ex"]))
        if symbol is None:
            report.append(f"{row['tm']} {row['tk']}?")
        else:
            report.append(f"{row['tm']} {symbol.lower()}")
    return report


def option_strip(underlying, expiry, strikes):
    """Symbols of a strip of options, made from their parts and checked by their terms."""
    strip = []
    for strike in strikes:
        label = int(strike) if float(strike).is_integer() else strike
        call = f"{underlying}{expiry}{label}CE"
        put = f"{underlying}{expiry}{label}PE"
        call_lot, _, call_known = contract_terms(call, "NFO")
        put_lot, _, put_known = contract_terms(put, "NFO")
        strip.append({
            "strike": label,
            "call": call if call_known else None,
            "put": put if put_known else None,
            "lot": max(call_lot, put_lot),
        })
    return strip
