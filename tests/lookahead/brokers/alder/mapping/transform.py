"""Small row converters for Alder, used by the books and by the order api."""

import logging

from tests.lookahead.token_db import get_br_symbol, get_oa_symbol

logger = logging.getLogger(__name__)

PRODUCTS = {"DELIVERY": "CNC", "INTRADAY": "MIS", "CARRY": "NRML"}
PRODUCTS_BACK = {v: k for k, v in PRODUCTS.items()}


def product_of(exch, prd):
    if prd == "DELIVERY" and exch not in ("NSE", "BSE"):
        return "NRML"
    return PRODUCTS.get(prd, prd)


def to_trade(t):
    """One fill of the trade book in our own words."""
    sym = get_oa_symbol(brsymbol=t["scrip"], exchange=t["exch"])
    qty = int(t.get("fill_qty") or 0)
    price = float(t.get("fill_px") or 0.0)
    return {
        "symbol": sym if sym else t["scrip"],
        "exchange": t["exch"],
        "product": product_of(t["exch"], t.get("prd", "")),
        "action": t.get("side", ""),
        "quantity": qty,
        "average_price": price,
        "trade_value": round(qty * price, 2),
        "orderid": t.get("ord_no", ""),
        "timestamp": t.get("at", ""),
    }


def transform_order(data):
    """Our order -> what Alder's order endpoint wants. Raises when the name is not known."""
    br = get_br_symbol(data["symbol"], data["exchange"])
    if br is None:
        raise ValueError("unknown instrument %s:%s" % (data["exchange"], data["symbol"]))
    return {
        "scrip": br,
        "exch": data["exchange"],
        "side": data["action"].upper(),
        "kind": data.get("pricetype", "MARKET"),
        "prd": PRODUCTS_BACK.get(data.get("product", "MIS"), "INTRADAY"),
        "qty": int(data["quantity"]),
        "px": float(data.get("price") or 0),
    }
