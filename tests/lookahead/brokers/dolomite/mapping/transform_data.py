from tests.lookahead.brokers.dolomite.mapping.util import ticker_of

TYPES = {"LIMIT": 1, "MARKET": 2, "SL-M": 3, "SL": 4}


def transform_data(data):
    ticker = ticker_of(data["symbol"], data["exchange"])
    if not ticker:
        raise ValueError("no ticker for {symbol} on {exchange}".format(**data))
    return {
        "symbol": ticker,
        "qty": int(data["quantity"]),
        "type": TYPES.get(data.get("pricetype"), 2),
        "side": 1 if data["action"].upper() == "BUY" else -1,
        "productType": {"MIS": "INTRADAY", "NRML": "MARGIN"}.get(data["product"], "CNC"),
        "limitPrice": float(data.get("price", 0)),
        "stopPrice": float(data.get("trigger_price", 0)),
        "validity": "DAY",
        "offlineOrder": False,
    }
