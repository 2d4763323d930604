from urllib.parse import quote

from tests.lookahead.token_db import get_br_symbol

PRCTYP = {"MARKET": "MKT", "LIMIT": "LMT", "SL": "SL-LMT", "SL-M": "SL-MKT"}


def transform_data(data, uid):
    tsym = get_br_symbol(data["symbol"], data["exchange"])
    if tsym is None:
        return None
    if data["exchange"] == "NSE":
        tsym = tsym + "-EQ"
    return {
        "uid": uid,
        "exch": data["exchange"],
        "tsym": quote(tsym),
        "qty": str(data["quantity"]),
        "prc": str(data.get("price", "0")),
        "prd": {"CNC": "C", "MIS": "I", "NRML": "M"}[data["product"]],
        "trantype": data["action"][0].upper(),
        "prctyp": PRCTYP[data.get("pricetype", "MARKET")],
        "ret": "DAY",
    }
