from tests.lookahead.brokers.hematite.mapping.order_data import map_exchange
from tests.lookahead.token_db import get_symbol, get_symbol_info


def calculate_pnl(post):
    """Booked and marked profit, and the value at stake by underlying."""
    rows = post("V2/NetPositionNetWise", {})["body"]["NetPositionDetail"]
    booked = sum(row.get("BookedPL") or 0.0 for row in rows)
    marked = sum(row.get("MTOM") or 0.0 for row in rows)
    exposure = {}
    for row in rows:
        exchange = map_exchange(row["Exch"], row["ExchType"])
        symbol = get_symbol(str(row["ScripCode"]), exchange)
        if not symbol:
            continue
        info = get_symbol_info(symbol, exchange)
        name = info.name.split(" ")[0]
        exposure[name] = exposure.get(name, 0.0) + abs(row["NetQty"]) * row["LTP"]
    return round(booked, 2), round(marked, 2), sorted(exposure.items())
