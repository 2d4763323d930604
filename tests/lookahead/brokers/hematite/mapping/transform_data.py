from tests.lookahead.token_db import get_br_symbol

CODES = {
    "NSE": ("N", "C"),
    "BSE": ("B", "C"),
    "NFO": ("N", "D"),
    "BFO": ("B", "D"),
    "CDS": ("N", "U"),
    "MCX": ("M", "D"),
    "NSE_INDEX": ("N", "C"),
    "BSE_INDEX": ("B", "C"),
}


def transform_data(data, token):
    exch, exch_type = CODES[data["exchange"]]
    try:
        price = float(data.get("price") or 0)
    except ValueError:
        price = 0.0
    return {
        "Exchange": exch,
        "ExchangeType": exch_type,
        "ScripCode": int(token),
        "ScripData": get_br_symbol(data["symbol"], data["exchange"]),
        "OrderType": "B" if data["action"].upper() == "BUY" else "S",
        "Qty": int(data["quantity"]),
        "Price": price,
        "IsIntraday": data["product"] == "MIS",
        "RemoteOrderID": "hematite",
    }
