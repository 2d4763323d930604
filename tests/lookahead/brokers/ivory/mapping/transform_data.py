from tests.lookahead.brokers.ivory.mapping.segments import REVERSE
from tests.lookahead.token_db import get_br_symbol

PRICE_TYPE = {"MARKET": "MKT", "LIMIT": "L", "SL": "SL", "SL-M": "SL-M"}


def transform_data(data):
    ts = get_br_symbol(data["symbol"], data["exchange"])
    if not ts:
        raise ValueError("Invalid symbol")
    return {
        "am": "NO",
        "es": REVERSE[data["exchange"]],
        "pc": data["product"],
        "pr": str(data.get("price", 0)),
        "pt": PRICE_TYPE[data["pricetype"]],
        "qt": str(data["quantity"]),
        "ts": ts + "-EQ" if data["exchange"] == "NSE" else ts,
        "tt": data["action"][:1].upper(),
    }
