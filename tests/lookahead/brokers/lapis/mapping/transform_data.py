from tests.lookahead.brokers.lapis.mapping.symid import checked_symid


def transform_data(data):
    return {
        "symId": checked_symid(data["symbol"], data["exchange"]),
        "qty": int(data["quantity"]),
        "side": data["action"].lower(),
        "type": {"SL": "stoplimit", "SL-M": "stopmarket"}.get(
            data["pricetype"], data["pricetype"].lower()
        ),
        "product": {"CNC": "delivery", "MIS": "intraday", "NRML": "normal"}[data["product"]],
        "limitPrice": float(data.get("price") or 0),
    }
