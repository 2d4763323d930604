import logging

from tests.lookahead.token_db import get_symbol_info

logger = logging.getLogger(__name__)


def transform_margin_positions(positions, uid):
    """The SPAN calculator wants contracts spelled out: underlying, expiry, strike, side."""
    legs = []
    for position in positions:
        info = get_symbol_info(position["symbol"], position["exchange"])
        if info is None:
            logger.debug("no contract for %s", position["symbol"])
            continue
        kind = "FUT" if info.instrumenttype == "FUT" else "OPT"
        suffix = "IDX" if info.name.endswith("NIFTY") else "STK"
        quantity = int(position["quantity"])
        if info.lotsize and quantity % info.lotsize:
            continue
        legs.append(
            {
                "prd": {"NRML": "M", "MIS": "I"}.get(position["product"], "M"),
                "exch": info.brexchange,
                "instname": kind + suffix,
                "symname": info.name,
                "exd": info.expiry.title(),
                "optt": info.instrumenttype if kind == "OPT" else "XX",
                "strprc": f"{info.strike:.2f}" if kind == "OPT" else "-1.00",
                "netqty": str(quantity if position["action"] == "BUY" else -quantity),
            }
        )
    return {"actid": uid, "pos": legs}
