"""Order book, trade book, positions and holdings of Alder -> the application's rows."""

import logging

from tests.lookahead.brokers.alder.mapping.transform import product_of, to_trade
from tests.lookahead.token_db import get_oa_symbol, get_symbol

logger = logging.getLogger(__name__)


def map_order_data(order_data):
    orders = order_data.get("result")
    if not orders:
        logger.debug("empty order book")
        return []
    for order in orders:
        brsymbol = order["scrip"]
        exchange = order["exch"]
        if brsymbol:
            found = get_oa_symbol(brsymbol=brsymbol, exchange=exchange)
            if found:
                order["scrip"] = found
            else:
                logger.debug("no symbol for %s on %s, keeping what we got", brsymbol, exchange)
        order["prd"] = product_of(exchange, order.get("prd"))
    return orders


def map_trade_data(trade_data):
    return [to_trade(t) for t in trade_data["result"]]


def map_position_data(payload):
    """Net positions come with Alder's instrument number only, the name may be stale."""
    for pos in payload["result"]["net"]:
        pos["scrip"] = get_symbol(str(pos["inst_id"]), pos["exch"]) or pos["scrip"]
        pos["prd"] = product_of(pos["exch"], pos["prd"])
        if pos["net_qty"] == 0:
            pos["avg"] = 0.0
    return payload["result"]["net"]


def map_holdings(payload):
    out = []
    for h in payload.get("result", []):
        code = h.get("scrip")
        if not code:
            continue
        try:
            # holdings carry no exchange: most are on NSE, the rest on BSE
            symbol = get_oa_symbol(code, "NSE") or get_oa_symbol(code, "BSE")
        except Exception:
            logger.exception("holding %s", code)
            symbol = None
        ltp, avg, qty = float(h["ltp"]), float(h["avg"]), int(h["qty"])
        out.append(
            {
                "symbol": symbol or code,
                "known": symbol is not None,
                "quantity": qty,
                "pnl": round((ltp - avg) * qty, 2),
                "pnlpercent": round((ltp - avg) / avg * 100, 2) if avg else 0.0,
            }
        )
    return out


def map_gtt_book(payload):
    """Triggers: the name sits in the condition, the legs repeat it."""
    triggers = payload["result"]
    for trig in triggers:
        cond = trig["condition"]
        sym = get_oa_symbol(cond["scrip"], cond["exch"])
        if sym is None:
            trig["state"] = "orphan"
            continue
        cond["scrip"] = sym
        for leg in trig["legs"]:
            leg["scrip"] = get_oa_symbol(brsymbol=leg["scrip"], exchange=leg["exch"]) or sym
            leg["exch"] = cond["exch"]
    return triggers
