import json

from tests.lookahead.brokers.basalt.api.data import BrokerData
from tests.lookahead.brokers.basalt.mapping.exchange import map_exchange
from tests.lookahead.token_db import get_symbol_info


def get_margin_data(auth):
    """Funds with the running profit; derivatives are worth their contract's lots."""
    funds = json.loads(auth("GET", "/v2/user/get-funds-and-margin", ""))["data"]["equity"]
    positions = json.loads(auth("GET", "/v2/portfolio/positions", ""))["data"]
    realised = unrealised = 0.0
    lots = 0
    for position in positions:
        realised += position.get("realised") or 0
        unrealised += position.get("unrealised") or 0
        exchange = map_exchange(position["instrument_token"].split("|")[0])
        if exchange not in ("NFO", "MCX", "BFO", "CDS"):
            continue
        info = get_symbol_info(position["our_symbol"], exchange)
        if info and info.lotsize:
            lots += abs(position["quantity"]) // info.lotsize
    return {
        "availablecash": f"{funds['available_margin']:.2f}",
        "m2mrealized": f"{realised:.2f}",
        "m2munrealized": f"{unrealised:.2f}",
        "lots": lots,
    }


def spreads(auth, items):
    data = BrokerData(auth)
    result = []
    for item in items:
        depth = data.get_depth(item["symbol"], item["exchange"])
        if not depth:
            break
        result.append(round(depth["ask"]["price"] - depth["bid"]["price"], 2))
    return result
